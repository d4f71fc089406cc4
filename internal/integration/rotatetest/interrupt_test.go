package rotatetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A mode is a way to interrupt a step.
type mode string

const (
	failing  mode = "call fails"           // one call returns an error, before or after it was carried out
	canceled mode = "context cancelled"    // from here on
	dbDown   mode = "database down"        // from here on, connections are gone
	smDown   mode = "Secrets Manager down" // from here on
	killed   mode = "process killed"       // SIGKILL, of a process of its own
)

var modes = []mode{failing, canceled, dbDown, smDown, killed}

// TestInterrupted interrupts a rotation at every point in every way, delivers
// the steps again, and expects a secret that logs in. With the race detector
// calls only fail: the other ways take the same paths.
func TestInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes long, and one thing after another")
	}
	t.Parallel()
	modes := modes
	if raceDetector {
		modes = []mode{failing}
	}
	var total atomic.Int64
	t.Cleanup(func() { t.Logf("%d interrupted rotations in all", total.Load()) })
	for driver, modes := range map[string][]mode{"pgx": modes, "mysql": modes, "postgres": modes[:1]} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			strategies := db.strategies()
			if driver == "postgres" {
				strategies = strategies[:1] // the server is the same as pgx's
			}
			ran := 0
			var mu sync.Mutex // guards ran and passwords
			var passwords []string
			t.Run("all", func(t *testing.T) {
				for _, strat := range strategies {
					for _, m := range modes {
						t.Run(strat.name+", "+string(m), func(t *testing.T) {
							t.Parallel()
							set := interruptAll(t, db.behind(t), strat, m)
							mu.Lock()
							defer mu.Unlock()
							ran++
							passwords = append(passwords, set...)
						})
					}
				}
			})
			total.Add(int64(len(passwords)))
			all := ran == len(strategies)*len(modes) // not with -run, or after a failure
			if least := leastInterrupted[driver]; all && !raceDetector && len(passwords) < least {
				t.Errorf("%d interrupted rotations, want at least %d", len(passwords), least)
			}
			db.checkLog(t, passwords)
		})
	}
}

// leastInterrupted is how many rotations TestInterrupted interrupts: if it were
// fewer, a point would have been lost. Where there are more points than there
// were, raise it.
var leastInterrupted = map[string]int{"pgx": 914, "mysql": 1262, "postgres": 78}

// interruptAll returns the passwords that were set.
func interruptAll(t *testing.T, db *database, strat strategy, m mode) (passwords []string) {
	strat.opts.Iterations = iterations // there is nothing to interrupt in them
	points := countPoints(t, db, strat)
	for i, step := range rotate.Steps() {
		for at, name := range points[step] {
			for _, from := range []int{0, i} { // deliver again all steps, or from the one that failed
				if m != failing && (from == i) != (at%2 == 0) && i > 0 {
					continue // one of the two is enough, in turn
				}
				w := newWorld(t, db, strat)
				id := w.srv.PutEmptyPending(secretID)
				if !w.interrupted(m, id, i, at, from) || t.Failed() {
					t.Fatalf("%s, %s, point %d (%s), delivered again from %s", m, step, at, name, rotate.Steps()[from])
				}
				_, p := w.credentials("AWSCURRENT")
				passwords = append(passwords, p)
				if i == 0 {
					break
				}
			}
		}
	}
	n := 0
	for _, p := range points {
		n += len(p)
	}
	t.Logf("%s %s, %s: %d points, %d interrupted rotations, each ended with a secret that logs in", db.driver, strat.name, m, n, len(passwords))
	return passwords
}

// countPoints returns the points of each step.
func countPoints(t *testing.T, db *database, strat strategy) map[rotate.Step][]string {
	t.Helper()
	w := newWorld(t, db, strat)
	id := w.srv.PutEmptyPending(secretID)
	points := make(map[rotate.Step][]string)
	for _, step := range rotate.Steps() {
		c := count()
		if err := w.deliver(t.Context(), c, step, id); err != nil {
			t.Fatal(err)
		}
		if len(c.names) < 4 {
			t.Fatalf("%s has the points %q, want more", step, c.names)
		}
		points[step] = c.names
	}
	w.checkRotated(id)
	return points
}

func (w *world) event(step rotate.Step, id string) rotate.Event {
	return rotate.Event{Step: step, SecretID: w.srv.ARN(secretID), ClientRequestToken: id}
}

// deliver delivers a step with points.
func (w *world) deliver(ctx context.Context, c *cut, step rotate.Step, id string) error {
	return w.handler(cutAPI{w.api, c}, cutOpen(w.db.driver, c)).Handle(ctx, w.event(step, id))
}

// interrupted does a rotation that is interrupted at one point of one step,
// and then delivers the steps again beginning with another. It reports whether
// the rotation got there and all was well.
func (w *world) interrupted(m mode, id string, interrupt, at, from int) bool {
	w.Helper()
	steps := rotate.Steps()
	for _, step := range steps[:interrupt] {
		if err := w.deliver(w.Context(), count(), step, id); err != nil {
			w.Error(err)
			return false
		}
	}
	err, struck := w.strike(m, steps[interrupt], id, at)
	if !struck {
		w.Error("the point was not reached")
	}
	if m == failing && err == nil && w.srv.VersionID(secretID, "AWSCURRENT") != id {
		w.Error("a failed call went unnoticed") // but finishSecret sees whether it succeeded after all
	}
	w.srv.ClearFaults()
	w.db.proxy.up()
	// Whatever happened, some labelled version logs in.
	if !w.anyLogsIn("AWSCURRENT", "AWSPENDING") {
		w.Errorf("after %v neither AWSCURRENT nor AWSPENDING logs in", err)
	}
	for _, step := range steps[from:] {
		if err := w.deliver(w.Context(), count(), step, id); err != nil {
			w.Errorf("delivered again: %v", err)
		}
	}
	w.checkRotated(id)
	return !w.Failed()
}

// strike delivers a step and interrupts it.
func (w *world) strike(m mode, step rotate.Step, id string, at int) (err error, struck bool) {
	if m == killed {
		return w.strikeProcess(step, id, at)
	}
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	c := &cut{at: at, strike: func(string) error {
		struck = true
		switch m {
		case failing:
			return &net.OpError{Op: "read", Err: errCut}
		case canceled:
			cancel()
		case dbDown:
			w.db.proxy.down()
		case smDown:
			w.srv.Fail(secretstest.Outage())
		}
		return nil
	}}
	err = w.deliver(ctx, c, step, id)
	return err, struck
}

// A task is what a process that is to be killed is given.
type task struct {
	URL, Driver, Engine string
	Opts                rotate.SQLOptions
	Event               rotate.Event
	At                  int
}

const taskVar = "ROTATETEST_TASK"

// strikeProcess delivers a step in another process, which kills itself.
func (w *world) strikeProcess(step rotate.Step, id string, at int) (err error, struck bool) {
	opts := w.strat.opts
	b, err := json.Marshal(map[string]any{"URL": w.srv.URL(), "Driver": w.db.driver, "Engine": w.db.Engine, "At": at,
		"Opts":  map[string]any{"Alternating": opts.Alternating, "TwoPasswords": opts.TwoPasswords, "Iterations": opts.Iterations},
		"Event": w.event(step, id)})
	if err != nil {
		return err, false
	}
	cmd := exec.CommandContext(w.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), taskVar+"="+string(b))
	out, err := cmd.CombinedOutput()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("%w: %s", err, out), false
	}
	return err, true
}

func TestMain(m *testing.M) {
	mysql.SetLogger(log.New(io.Discard, "", 0)) // it reports each connection that is cut
	if s := os.Getenv(taskVar); s != "" {
		fmt.Println(runTask(s))
		os.Exit(1)
	}
	os.Exit(dbtest.Run(m))
}

// runTask carries out a task, and returns only if something is wrong with it.
func runTask(s string) error {
	var k task
	if err := json.Unmarshal([]byte(s), &k); err != nil {
		return err
	}
	client := secretsmanager.New(secretsmanager.Options{
		Region:       secretstest.DefaultRegion,
		BaseEndpoint: &k.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
	c := &cut{at: k.At, strike: func(string) error {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}}
	h := rotate.Handler{API: cutAPI{client, c}, Rotator: rotator(k.Engine, cutOpen(k.Driver, c), k.Opts), MaxLag: -1}
	return fmt.Errorf("the process lives on: %v, points %q", h.Handle(context.Background(), k.Event), c.names)
}

// TestCancelledInFlight cancels steps at random moments, so that calls and
// statements are under way, and delivers all steps again.
func TestCancelledInFlight(t *testing.T) {
	t.Parallel()
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	for _, driver := range []string{"pgx", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			for _, strat := range db.strategies() {
				t.Run(strat.name, func(t *testing.T) {
					t.Parallel()
					seed := rand.Uint64()
					rng := rand.New(rand.NewPCG(seed, 0))
					cancelled := 0
					strat.opts.Iterations = iterations
					w := newWorld(t, db, strat)
					start := time.Now()
					w.run()
					usual := time.Since(start) / 3 // about what a step takes
					for range rounds {
						id := w.srv.PutEmptyPending(secretID)
						before := cancelled
						for _, step := range rotate.Steps() {
							ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.Int64N(int64(usual))))
							err := w.deliver(ctx, count(), step, id)
							cancel()
							if err != nil {
								cancelled++
								break // the next step is not asked for before this one is done
							}
						}
						if cancelled > before { // toward a time in which half of them get through
							usual = usual * 6 / 5
						} else {
							usual = usual*4/5 + time.Microsecond
						}
						for _, step := range rotate.Steps() {
							if err := w.deliver(t.Context(), count(), step, id); err != nil {
								t.Fatalf("seed %d: %v", seed, err)
							}
						}
						w.checkRotated(id)
						if t.Failed() {
							t.Fatalf("seed %d", seed)
						}
					}
					if cancelled < rounds/4 {
						t.Errorf("only %d of %d rotations were cancelled", cancelled, rounds)
					}
					t.Logf("%d of %d rotations cancelled in flight", cancelled, rounds)
				})
			}
		})
	}
}

// TestPoints prints what TestInterrupted covers.
func TestPoints(t *testing.T) {
	if !testing.Verbose() {
		t.Skip("prints the points only")
	}
	for _, driver := range []string{"pgx", "mysql"} {
		db := newDatabase(t, driver)
		for _, strat := range db.strategies() {
			for step, names := range countPoints(t, db, strat) {
				for i, n := range names {
					names[i], _, _ = strings.Cut(n, "PASSWORD '")
				}
				t.Logf("%s, %s, %s:\n\t%s", driver, strat.name, step, strings.Join(names, "\n\t"))
			}
		}
	}
}
