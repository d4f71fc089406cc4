// Rotation repeatedly rotates the password of a database while a service uses
// it. It prints a line for each rotation, with the number of failed queries,
// which is zero.
//
//	cd examples/rotation && go run .          # or: go -C examples/rotation run .
//	go run . -strategy alternating-users
//	go run . -server mariadb -rotations 100 -hold 2s
//
// The database is a real, throwaway server that the program starts and removes.
// Secrets Manager is the fake of package secretstest, in the same process. The
// program needs no credentials and no network.
//
// Read these files: service.go is the service, which reads the password through
// packages secrets and sqlcred. rotation.go is the rotation, by package rotate.
// The other files measure them.
//
// The columns: window is the time between setSecret, which changes the password
// on the server, and finishSecret, which makes the new version current. Wrong
// logins and API calls count only those of the service. The numbers in a line
// are those since the previous line. The exit status is 1 if a query failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// settings are the flags.
type settings struct {
	server    string
	strategy  string
	rotations int
	hold      time.Duration
}

func (s *settings) alternating() bool { return s.strategy == "alternating-users" }

func main() {
	var s settings
	flag.StringVar(&s.server, "server", "postgres", "database server: postgres, mariadb")
	flag.StringVar(&s.strategy, "strategy", "single-user", "way to rotate: single-user, alternating-users")
	flag.IntVar(&s.rotations, "rotations", 20, "how many rotations")
	flag.DurationVar(&s.hold, "hold", 500*time.Millisecond, "longest time between setSecret and finishSecret")
	flag.Parse()
	_ = mysql.SetLogger(&mysql.NopLogger{}) // it would report each abandoned login

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rotation:", err)
		os.Exit(1)
	}
}

// run rotates the password under load and prints the table.
func run(ctx context.Context, out io.Writer, s settings) error {
	if err := s.check(); err != nil {
		return err
	}
	w, err := newWorld(ctx, s)
	if err != nil {
		return err
	}
	defer w.close()

	svc, err := newService(w)
	if err != nil {
		return err
	}
	defer svc.close()

	fmt.Fprintf(out, "%s at %s, %s: %d goroutines query\n", w.db.Engine, w.db.Addr(), s.strategy, workers)
	return rotateAll(ctx, out, s, w, svc)
}

// rotateAll performs the rotations and prints one line for each.
func rotateAll(ctx context.Context, out io.Writer, s settings, w *world, svc *service) error {
	rotator := newRotator(s)
	t := table{out: out}
	t.header()
	for n := range s.rotations {
		if err := pause(ctx, between); err != nil {
			return err
		}
		window, err := rotator.rotate(ctx, w.fake.Client())
		if err != nil {
			return fmt.Errorf("rotation %d: %w", n+1, err)
		}
		if err := pause(ctx, between); err != nil { // some clients may notice late
			return err
		}
		line := svc.counters.take()
		if err := w.count(&line, rotator); err != nil {
			return err
		}
		t.line(n+1, window, line)
	}
	t.totals(s.rotations)
	if n := t.sum.failedQueries; n > 0 {
		return fmt.Errorf("%d queries failed, the first with: %w", n, t.sum.firstError)
	}
	return nil
}

// check returns an error for invalid flags.
func (s *settings) check() error {
	for _, f := range []struct {
		name, value string
		of          []string
	}{
		{"server", s.server, []string{"postgres", "mariadb"}},
		{"strategy", s.strategy, []string{"single-user", "alternating-users"}},
	} {
		if !slices.Contains(f.of, f.value) {
			return fmt.Errorf("-%s is %q, not one of %s", f.name, f.value, strings.Join(f.of, ", "))
		}
	}
	if s.rotations < 1 || s.hold < 0 {
		return fmt.Errorf("-rotations is %d and -hold %v, want at least 1 and 0s", s.rotations, s.hold)
	}
	return nil
}

// between is the pause before and after a rotation.
const between = 250 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
