package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// seen collects what a loop over a Watch yields.
type seen struct {
	mu    sync.Mutex // guards lines
	lines []string
	done  chan struct{} // closed when the loop has ended
}

// follow runs a loop over ref's Watch.
func follow[T any](ctx context.Context, ref *secrets.Ref[T]) *seen {
	s := &seen{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for v, err := range ref.Watch(ctx) {
			line := fmt.Sprint(v)
			if err != nil {
				line = "error: " + err.Error()
			}
			s.mu.Lock()
			s.lines = append(s.lines, line)
			s.mu.Unlock()
		}
	}()
	return s
}

// take waits until nothing moves and returns what was yielded since.
func (s *seen) take() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}

// check compares what was yielded; a want that begins with "error: " is part
// of the error.
func (s *seen) check(t *testing.T, when string, want ...string) {
	t.Helper()
	got := s.take()
	same := slices.EqualFunc(got, want, func(g, w string) bool {
		rest, isErr := strings.CutPrefix(w, "error: ")
		return g == w || isErr && strings.HasPrefix(g, "error: ") && strings.Contains(g, rest)
	})
	if !same {
		t.Errorf("%s: Watch yields %q, want %q", when, got, want)
	}
}

func (s *seen) ended() bool {
	synctest.Wait()
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func TestWatchYieldsEachVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"host":"one"}`})
		c := open(t, srv.Client(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		text := follow(ctx, secrets.Bind[string](c, "s"))
		typed := follow(ctx, secrets.Bind[place](c, srv.ARN("s")))
		fn := follow(ctx, secrets.BindFunc(c, "s", func(s *secrets.Secret) (int, error) { return len(s.Bytes()), nil }))
		text.check(t, "first", `{"host":"one"}`)
		typed.check(t, "first", "{one 0 []}")
		fn.check(t, "first", "14")

		// Nobody reads it, and it is refreshed all the same: within the TTL each
		// new version is there, and unchanged ones are not yielded again.
		for _, v := range []string{"two", "three"} {
			time.Sleep(time.Hour)
			text.check(t, "no change")
			typed.check(t, "no change")
			fn.check(t, "no change")
			srv.Put("s", `{"host":"`+v+`"}`)
			time.Sleep(6 * time.Minute)
			text.check(t, v, `{"host":"`+v+`"}`)
			typed.check(t, v, "{"+v+" 0 []}")
			fn.check(t, v, fmt.Sprint(11+len(v)))
		}

		// What anybody finds out, the loop has at once.
		srv.Put("s", `{"host":"four"}`)
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		text.check(t, "Refresh", `{"host":"four"}`)
		fn.take()
		typed.take()

		// The end of the context ends the loop, and nothing is yielded for it.
		start := time.Now()
		cancel()
		for what, s := range map[string]*seen{"text": text, "typed": typed, "fn": fn} {
			if !s.ended() || time.Since(start) != 0 {
				t.Errorf("%s: the loop goes on after the end of its context", what)
			}
			s.check(t, what+" after the end of its context")
		}
		srv.Put("s", "x")
		time.Sleep(5 * time.Hour)
		if n := srv.Count(); n == 0 {
			t.Error("no calls were counted")
		}
		srv.ResetCalls()
		time.Sleep(5 * time.Hour)
		if n := srv.Count(); n != 0 {
			t.Errorf("%d calls though nobody watches any longer", n)
		}
	})
}

// A version that came and went while the loop's body ran is not yielded.
func TestWatchYieldsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := open(t, srv.Client(), nil)
		var got []string
		for v, err := range secrets.Bind[string](c, "s").Watch(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
			if v == "three" {
				break
			}
			for _, next := range []string{"two", "three"} {
				srv.Put("s", next)
				if err := c.Refresh(t.Context(), "s"); err != nil {
					t.Fatal(err)
				}
			}
		}
		if want := []string{"one", "three"}; !slices.Equal(got, want) {
			t.Errorf("Watch yields %q, want %q", got, want)
		}
	})
}

func TestWatchYieldsErrorsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		c := open(t, srv.Client(), nil)
		s := follow(t.Context(), secrets.Bind[place](c, "s"))
		s.check(t, "missing", "error: ResourceNotFoundException")
		time.Sleep(time.Hour)
		s.check(t, "missing for an hour") // each error has another request id
		if n := srv.Count(); n < 60 || n > 80 {
			t.Errorf("%d calls in an hour without the secret, want about one a minute", n)
		}
		srv.Put("s", `{"host":"one"}`)
		time.Sleep(time.Minute)
		s.check(t, "there", "{one 0 []}")

		srv.Put("s", `{"host":1}`)
		time.Sleep(6 * time.Minute)
		s.check(t, "does not decode", `error: field "host"`)
		time.Sleep(time.Hour)
		s.check(t, "does not decode for an hour")
		srv.Put("s", `{"host":2}`)
		time.Sleep(6 * time.Minute)
		s.check(t, "another one that does not decode", `error: field "host"`)
		srv.Put("s", `{"host":"two"}`)
		time.Sleep(6 * time.Minute)
		s.check(t, "decodes", "{two 0 []}")

		srv.Fail(secretstest.Outage())
		time.Sleep(35 * time.Hour)
		s.check(t, "an outage, within MaxStale")
		time.Sleep(2 * time.Hour)
		s.check(t, "an outage, after MaxStale", "error: ")
		srv.ClearFaults()
		srv.Put("s", `{"host":"three"}`)
		time.Sleep(16 * time.Minute)
		s.check(t, "over", "{three 0 []}")

		srv.Delete("s")
		time.Sleep(6 * time.Minute)
		s.check(t, "deleted", "error: ResourceNotFoundException")
		srv.Put("s", `{"host":"four"}`)
		time.Sleep(2 * time.Minute)
		s.check(t, "made again", "{four 0 []}")
		srv.Delete("s")
		time.Sleep(6 * time.Minute)
		s.check(t, "deleted once more", "error: ResourceNotFoundException")

		c.Close()
		s.check(t, "closed", "error: "+secrets.ErrClosed.Error())
		if !s.ended() {
			t.Error("the loop goes on after Close")
		}
	})
}

// Watched secrets whose values became too old: the timer must not spin, which
// it did when it came to one that its watcher had let go.
func TestWatchOfWhatBecameTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(30)
		srv := secretstest.New(t, all)
		c := open(t, srv.Client(), &secrets.Options{MaxStale: 10 * time.Minute})
		loops := map[string]*seen{}
		for _, id := range ids {
			loops[id] = follow(t.Context(), secrets.Bind[string](c, id))
			loops[id].check(t, "first", all[id])
		}
		srv.Fail(secretstest.Outage())
		srv.ResetCalls()
		time.Sleep(3 * time.Hour)
		for _, id := range ids {
			loops[id].check(t, "too old", "error: connection reset")
		}
		if n := srv.Count(); n > 30*3*(180+40) { // three attempts each: a loop once a minute, and refreshes
			t.Errorf("%d calls of 30 secrets in 3 hours", n)
		}
		srv.ClearFaults()
		for _, id := range ids {
			srv.Put(id, "new")
		}
		time.Sleep(2 * time.Minute)
		for _, id := range ids {
			loops[id].check(t, "over", "new")
		}
	})
}

// Close ends loops whatever they wait for, with ErrClosed, and does not wait
// for their bodies.
func TestWatchEndsAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v", "slow": "v"})
		srv.Fail(secretstest.Fault{Secret: "slow", Times: secretstest.Always, Latency: 5 * time.Second})
		c := open(t, srv.Client(), nil)
		idle := follow(t.Context(), secrets.Bind[string](c, "s"))
		missing := follow(t.Context(), secrets.Bind[string](c, "missing"))
		slow := follow(t.Context(), secrets.Bind[string](c, "slow"))
		idle.check(t, "idle", "v")
		missing.check(t, "missing", "error: ")
		slow.check(t, "slow")

		start := time.Now()
		for v, err := range secrets.Bind[string](c, "s").Watch(t.Context()) {
			if v == "" {
				if err != secrets.ErrClosed {
					t.Errorf("Watch yields %v after Close, want ErrClosed", err)
				}
				continue
			}
			c.Close() // in a loop's body: it does not wait for the loop
		}
		for what, s := range map[string]*seen{"idle": idle, "missing": missing, "slow": slow} {
			s.check(t, what+" after Close", "error: "+secrets.ErrClosed.Error())
			if !s.ended() || time.Since(start) != 0 {
				t.Errorf("%s: the loop goes on after Close", what)
			}
		}
	})
}

// A loop's secret stays in the cache however little room there is.
func TestWatchHoldsAgainstEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(50)
		srv := secretstest.New(t, all)
		c := open(t, srv.Client(), &secrets.Options{Size: 3})
		ctx, cancel := context.WithCancel(t.Context())
		s := follow(ctx, secrets.Bind[string](c, ids[0]))
		s.check(t, "first", all[ids[0]])
		for round := range 3 {
			for _, id := range ids[1:] {
				checkRead(t, c, id, all[id])
			}
			srv.ResetCalls()
			checkRead(t, c, ids[0], all[ids[0]])
			if n := srv.Count(); n != 0 {
				t.Errorf("round %d: a watched secret was evicted: reading it cost %d calls", round, n)
			}
		}
		if n := c.Stats().Secrets; n != 3 {
			t.Errorf("Stats.Secrets = %d, want 3", n)
		}
		s.check(t, "evictions of others")
		cancel()
		if !s.ended() {
			t.Fatal("the loop goes on")
		}
		for range 3 { // and when nobody watches it goes like another
			for _, id := range ids[1:] {
				checkRead(t, c, id, all[id])
			}
		}
		srv.ResetCalls()
		checkRead(t, c, ids[0], all[ids[0]])
		checkCalls(t, srv, "reading what was watched once", 1, 0, 0)
	})
}

// A broken loop lets go as well.
func TestWatchLetsGoWhenBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
		c := open(t, srv.Client(), nil)
		for range secrets.Bind[string](c, "s").Watch(t.Context()) {
			break
		}
		func() {
			defer func() { recover() }()
			for range secrets.Bind[string](c, "s").Watch(t.Context()) {
				panic("in the body")
			}
		}()
		time.Sleep(time.Hour)
		srv.ResetCalls()
		time.Sleep(time.Hour)
		checkCalls(t, srv, "an hour after the loops", 0, 0, 0)
	})
}

// Where nothing runs in the background the loop itself asks, once in a TTL.
func TestWatchOnRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := open(t, srv.Client(), &secrets.Options{Refresh: secrets.RefreshOnRead})
		s := follow(t.Context(), secrets.Bind[string](c, "s"))
		s.check(t, "first", "one")
		srv.ResetCalls()
		time.Sleep(time.Hour)
		s.check(t, "no change")
		if n := srv.Count(); n < 5 || n > 14 {
			t.Errorf("%d calls in an hour, want about one in 5 minutes", n)
		}
		srv.Put("s", "two")
		time.Sleep(12 * time.Minute)
		s.check(t, "changed", "two")
		c.Close()
		s.check(t, "closed", "error: "+secrets.ErrClosed.Error())
	})
}

// A loop may start before there is anything to watch, or after Close.
func TestWatchOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
		c := open(t, srv.Client(), nil)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for v, err := range secrets.Bind[string](c, "s").Watch(ended) {
			t.Errorf("Watch with an ended context yields %q, %v", v, err)
		}
		c.Close()
		var errs []error
		for _, err := range secrets.Bind[string](c, "s").Watch(t.Context()) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || !errors.Is(errs[0], secrets.ErrClosed) {
			t.Errorf("Watch of a closed client yields %v, want ErrClosed once", errs)
		}
	})
}
