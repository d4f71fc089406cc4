package rotatetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// TestRotateSecret has the fake Secrets Manager run the handler: RotateSecret,
// four steps, and the new password works. It looks at who logs in at each
// moment.
func TestRotateSecret(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"pgx", "postgres", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			for _, strat := range db.strategies() {
				t.Run(strat.name, func(t *testing.T) {
					t.Parallel()
					rotateSecret(t, newWorld(t, db, strat))
				})
			}
		})
	}
}

func rotateSecret(t *testing.T, w *world) {
	h := w.handler(w.api, rotate.Driver(w.db.driver, nil))
	arn := w.srv.SetRotation(secretID, h.Handle, nil)

	// By itself.
	id := secretID
	out, err := w.api.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: &id, RotationLambdaARN: &arn})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.srv.Rotation(secretID).Wait(); err != nil {
		t.Fatal(err)
	}
	w.checkRotated(*out.VersionId)

	// Step by step, each step twice.
	r := w.srv.Rotation(secretID)
	version := r.Start()
	labels := []string{"AWSCURRENT", "AWSPENDING"}
	before, after := []string{"AWSCURRENT"}, []string{"AWSPENDING"}
	if w.strat.opts.Alternating || w.strat.opts.TwoPasswords {
		after = labels
	}
	for _, tt := range []struct {
		step rotate.Step
		want []string
	}{{rotate.CreateSecret, before}, {rotate.SetSecret, after}, {rotate.TestSecret, after}} {
		for range 2 {
			if err := r.Redeliver(tt.step); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.logsIn(labels...); !slices.Equal(got, tt.want) {
			t.Errorf("after %s: %v log in, want %v", tt.step, got, tt.want)
		}
	}
	for range 2 {
		if err := r.Redeliver(rotate.FinishSecret); err != nil {
			t.Fatal(err)
		}
	}
	w.checkRotated(version)
}

// TestPasswords sets passwords of every length from 4 to 128 and of every
// class of printable characters.
func TestPasswords(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("minutes long, and one thing after another")
	}
	var options []rotate.Password
	for n := 4; n <= 128; n++ {
		options = append(options, rotate.Password{Length: n, ExcludeCharacters: rotate.ExcludeNone, IncludeSpace: true})
	}
	for _, n := range []int{4, 31, 128} {
		only := rotate.Password{Length: n, ExcludeCharacters: rotate.ExcludeNone, ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true}
		for _, p := range []*bool{&only.ExcludeLowercase, &only.ExcludeUppercase, &only.ExcludeNumbers, &only.ExcludePunctuation} {
			*p = false
			options = append(options, only)
			*p = true
		}
		only.IncludeSpace = true // nothing but spaces
		options = append(options, only)
	}
	for _, driver := range []string{"pgx", "postgres", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			for _, strat := range []strategy{single, alternating} {
				t.Run(strat.name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, db, strat)
					seen := make(map[rune]bool)
					var long []string
					for i, o := range options {
						if (driver == "postgres" || raceDetector) && i%5 != 0 {
							continue // pgx has the same server
						}
						w.strat.opts.Password = o
						w.run()
						user, password := w.credentials("AWSCURRENT")
						if err := db.try(t.Context(), user, password); err != nil || len(password) != o.Length {
							t.Errorf("%+v: password %q: %v", o, password, err)
						}
						for _, r := range password {
							seen[r] = true
						}
						if len(password) >= 8 && strings.TrimSpace(password) != "" {
							long = append(long, password)
						}
					}
					if len(seen) != 95 {
						t.Errorf("got %d of the 95 printable characters", len(seen))
					}
					t.Logf("%d passwords, %d different characters", len(options), len(seen))
					db.checkLog(t, long)
				})
			}
		})
	}
}

// TestNoWindow logs in with AWSCURRENT, over and over, while the password is
// rotated, with two passwords at once and with alternating users.
func TestNoWindow(t *testing.T) {
	t.Parallel()
	const clients = 4
	rotations := 40
	if testing.Short() {
		rotations = 10
	}
	for _, driver := range []string{"pgx", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			for _, strat := range []strategy{alternating, two} {
				if strat.opts.TwoPasswords && !db.isMariaDB() {
					continue
				}
				t.Run(strat.name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, db, strat)
					logins, refused := hammer(w, clients, func(turn func()) {
						for range rotations {
							w.run()
							turn() // a client may hold what was AWSCURRENT a moment ago, but not for two rotations
						}
					})
					t.Logf("%d rotations, %d logins with AWSCURRENT by %d clients, %d refused", rotations, logins, clients, refused)
					if refused > 0 || logins < rotations*clients {
						t.Errorf("got %d logins and %d refused, want at least %d and 0", logins, refused, rotations*clients)
					}
				})
			}
		})
	}
}

// hammer has clients log in with AWSCURRENT until f returns. turn, which f is
// given, waits until each client has begun another login.
func hammer(w *world, clients int, f func(turn func())) (logins, refused int) {
	ctx, stop := context.WithCancel(w.Context())
	var mu sync.Mutex // guards logins, refused and turns
	turns := make([]int, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				user, password := w.credentials("AWSCURRENT")
				err := w.db.try(ctx, user, password)
				mu.Lock()
				turns[i]++
				if err == nil {
					logins++
				} else if ctx.Err() == nil {
					refused++
					w.Errorf("refused: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	f(func() {
		mu.Lock()
		from := slices.Clone(turns)
		mu.Unlock()
		for done := false; !done; time.Sleep(time.Millisecond) {
			mu.Lock()
			done = true
			for i := range turns {
				done = done && turns[i] >= from[i]+2
			}
			mu.Unlock()
		}
	})
	stop()
	wg.Wait()
	return logins, refused
}

// TestTwoPasswordsOwn has the user change the own password with CREATE USER as
// a privilege, and without it.
func TestTwoPasswordsOwn(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "mysql")
	strat := strategy{name: "two passwords", opts: rotate.SQLOptions{TwoPasswords: true}}
	w := newWorld(t, db, strat)
	_, err := w.handler(w.api, rotate.Driver("mysql", nil)).Run(t.Context(), secretID)
	if err == nil || !strings.Contains(err.Error(), "CREATE USER") {
		t.Errorf("got %v, want an error that names the missing privilege", err)
	}
	if got := w.logsIn("AWSCURRENT", "AWSPENDING"); !slices.Equal(got, []string{"AWSCURRENT"}) {
		t.Errorf("%v log in, want AWSCURRENT only", got)
	}
	db.exec(t, fmt.Sprintf("GRANT CREATE USER ON *.* TO `%s`@`%%`", w.user))
	for range 3 {
		w.run() // the first goes on with what failed
		if got := w.logsIn("AWSCURRENT", "AWSPREVIOUS"); len(got) != 2 {
			t.Errorf("%v log in, want both", got)
		}
	}
	// From two passwords back to one: the second is not forgotten by SET PASSWORD.
	w.strat.opts.TwoPasswords = false
	w.run()
	if got := w.logsIn("AWSCURRENT"); len(got) != 1 {
		t.Errorf("%v log in, want AWSCURRENT", got)
	}
}
