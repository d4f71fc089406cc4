package secrets_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// clocked returns a client with a clock of its own.
func clocked(t *testing.T, srv *secretstest.Server, o *secrets.Options) (*secrets.Client, *secrets.TestClock) {
	c, k := newClient(t, srv.Client(), o), &secrets.TestClock{}
	c.UseClock(k)
	return c, k
}

// jumps are what clocks do while a process stands still: what time it is, and for
// how long the process has run.
var jumps = []struct {
	name      string
	wall, ran time.Duration
}{
	{"set ahead", time.Hour, 0},
	{"set back", -time.Hour, 0},
	{"set back by years", -20 * 365 * 24 * time.Hour, 0},
	{"suspended for a minute", time.Minute, 0},
	{"suspended for ten hours", 10 * time.Hour, 0},
	{"suspended for ten hours, and counted", 10 * time.Hour, 10 * time.Hour},
	{"suspended for longer than MaxStale, and counted", 40 * time.Hour, 40 * time.Hour},
	{"a snapshot restored after three days", 72 * time.Hour, 0},
	{"a snapshot restored where the clock is behind", -72 * time.Hour, 0},
}

// onJump runs fn in a bubble for each jump and mode.
func onJump(t *testing.T, fn func(t *testing.T, jump func(*secrets.TestClock), aged time.Duration, mode secrets.RefreshMode)) {
	for _, j := range jumps {
		for name, mode := range refreshModes {
			t.Run(fmt.Sprintf("%s, %s", j.name, name), func(t *testing.T) {
				aged := j.wall // as far as the client can tell
				if mode == secrets.RefreshAhead {
					aged = j.ran
				}
				synctest.Test(t, func(t *testing.T) {
					fn(t, func(k *secrets.TestClock) { k.Jump(j.wall, j.ran) }, aged, mode)
				})
			})
		}
	}
}

// A version that came while the process stood still arrives: on read at once,
// unless the value still counts as fresh, and else within a TTL. No read fails,
// and none waits longer than it may.
func TestClockJumps(t *testing.T) {
	onJump(t, func(t *testing.T, jump func(*secrets.TestClock), aged time.Duration, mode secrets.RefreshMode) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one", "other": "v"})
		c, k := clocked(t, srv, &secrets.Options{Refresh: mode})
		text(t, c, "s")
		time.Sleep(time.Minute)
		srv.Put("s", "two")
		jump(k)
		got := text(t, c, "s")
		if expired := aged < 0 || aged >= secrets.DefaultTTL; expired && mode == secrets.RefreshOnRead && got != "two" {
			t.Errorf("the first read was served %q, which is expired", got)
		}
		for range 60 {
			time.Sleep(secrets.DefaultTTL / 60)
			text(t, c, "s")
		}
		synctest.Wait()
		checkText(t, c, "a TTL later", "s", "two")
		text(t, c, "other")
		before := c.Stats()
		for range 120 {
			time.Sleep(time.Minute)
			text(t, c, "s")
		}
		if n := c.Stats().Sub(before).Calls(); n < 20 || n > 60 {
			t.Errorf("%d calls in two hours after the jump, want a check every TTL", n)
		}
	})
}

// While the service is out of reach a value stays in service for as long as the
// clock says that it is not too old. One that is, or that comes from the future,
// is served no longer than until the client next looks at the clock.
func TestClockJumpsInAnOutage(t *testing.T) {
	onJump(t, func(t *testing.T, jump func(*secrets.TestClock), aged time.Duration, mode secrets.RefreshMode) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c, k := clocked(t, srv, &secrets.Options{Refresh: mode})
		text(t, c, "s")
		time.Sleep(time.Minute)
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Drop: true})
		jump(k)
		fit := aged > -time.Minute && aged < secrets.DefaultMaxStale-time.Hour
		if mode == secrets.RefreshAhead {
			text(t, c, "s") // a hit reads no clock
			time.Sleep(secrets.DefaultTTL)
		}
		for range 3 {
			if _, err := c.Get(ctx, "s"); (err == nil) != fit {
				t.Errorf("Get with a value that is %v older = %v", aged, err)
			}
			time.Sleep(time.Minute)
		}
		srv.ClearFaults()
		time.Sleep(20 * time.Second)
		if !fit {
			checkText(t, c, "with the service again", "s", "one")
		}
	})
}

// What is remembered for a while is forgotten though the clock was set back:
// failures, operations that are not permitted, regions that are down.
func TestClockSetBack(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "v", "b": "v", "c": "v", "d": "v", "e": "v"})
		replicate(t, srv, []string{"a", "b", "c", "d", "e"}, west)
		c, k := clocked(t, srv, &secrets.Options{Refresh: mode, Replicas: []string{west}})
		k.Jump(1000*time.Hour, 0)

		srv.Fail(secretstest.Fault{Times: secretstest.Always, Op: "BatchGetSecretValue", Code: "AccessDeniedException"})
		if err := c.Prefetch(ctx, "a", "b"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(ctx, "none"); err == nil {
			t.Fatal("a secret that does not exist was found")
		}
		end := srv.RegionOutage(east)
		text(t, c, "c")
		end()
		srv.ClearFaults()
		srv.Put("none", "v")
		srv.ResetCalls()

		k.Jump(-900*time.Hour, 0)
		if mode == secrets.RefreshAhead {
			time.Sleep(time.Hour) // nothing that counts has jumped
		}
		text(t, c, "none")
		if err := c.Prefetch(ctx, "d", "e"); err != nil {
			t.Fatal(err)
		}
		if n := srv.Count(secretstest.Call{Op: "BatchGetSecretValue", Region: east}); n != 1 {
			t.Errorf("%d batches at the primary, want one", n)
		}
	})
}
