package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A listener keeps the events that it is told of. It is safe for concurrent use by
// multiple goroutines.
type listener struct {
	mu     sync.Mutex // guards events
	events []secrets.Event
}

func (w *listener) see(e secrets.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// of returns the events of the given kinds so far; without kinds, all but calls and
// waits.
func (w *listener) of(kinds ...secrets.EventKind) []secrets.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []secrets.Event
	for _, e := range w.events {
		if slices.Contains(kinds, e.Kind) || len(kinds) == 0 && e.Kind != secrets.EventCall && e.Kind != secrets.EventWait {
			found = append(found, e)
		}
	}
	return found
}

// take is of, and forgets what it returns.
func (w *listener) take() []secrets.Event {
	synctest.Wait()
	found := w.of()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = nil
	return found
}

func kindsOf(events []secrets.Event) string {
	var names []string
	for _, e := range events {
		names = append(names, e.Kind.String())
	}
	return strings.Join(names, ", ")
}

// observed is a client of a fake whose events a listener keeps.
func observed(t *testing.T, all secretstest.Secrets, o secrets.Options) (*secretstest.Server, *secrets.Client, *listener) {
	srv, w := secretstest.New(t, all), &listener{}
	o.OnEvent = w.see
	return srv, open(t, srv.Client(), &o), w
}

// expect takes the events and compares their kinds.
func (w *listener) expect(t *testing.T, when, want string) []secrets.Event {
	t.Helper()
	events := w.take()
	if got := kindsOf(events); got != want {
		t.Fatalf("%s: events %q, want %q", when, got, want)
	}
	return events
}

func TestEventsOfVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, w := observed(t, secretstest.Secrets{"a": `{"Limit":3}`}, secrets.Options{TTL: time.Minute, Refresh: secrets.RefreshAhead})
		first := srv.VersionID("a", secrets.Current)
		ref := secrets.Bind[limits](c, "a")
		ref.Get(ctx)
		e := w.expect(t, "a cold read", "adopted")[0]
		if e.Secret != "a" || e.ARN != srv.ARN("a") || e.Version != first || e.From != "" || e.How != "read" || !e.Time.Equal(time.Now()) {
			t.Errorf("a cold read: %+v", e)
		}
		bad := srv.Put("a", `{"Limit":0}`)
		c.Refresh(ctx, "a")
		events := w.expect(t, "a version that does not validate", "refused, adopted")
		if e := events[0]; e.Version != bad || e.From != first || e.Type != "secrets_test.limits" || e.Class != secrets.ClassDecode || e.Attempt != 1 {
			t.Errorf("the refusal: %+v", e)
		}
		if e := events[1]; e.Version != bad || e.From != first || e.How != "refresh" {
			t.Errorf("the adoption: %+v", e)
		}
		// It is said again once an hour, as long as it stands.
		for range 5*60 + 30 {
			time.Sleep(time.Minute)
			ref.Get(ctx)
		}
		for i, e := range w.expect(t, "five hours and a half later", "refused, refused, refused, refused, refused") {
			if e.Attempt != i+2 || e.From != first {
				t.Errorf("reminder %d: %+v", i, e)
			}
		}
		good := srv.Put("a", `{"Limit":4}`)
		for range 2 {
			time.Sleep(time.Minute)
			ref.Get(ctx)
		}
		if e := w.expect(t, "a good version", "adopted")[0]; e.Version != good || e.From != bad || e.How != "check" {
			t.Errorf("the adoption of a good version: %+v", e)
		}
		c.Prefetch(ctx, "a")
		w.expect(t, "what is cached", "")
	})
}

func TestEventsOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, w := observed(t, secretstest.Secrets{"a": "one"},
			secrets.Options{TTL: time.Minute, MaxStale: time.Hour, Refresh: secrets.RefreshAhead})
		c.Get(ctx, "a")
		w.take()
		expires, _ := c.Status("a")
		srv.Fail(secretstest.Outage())
		read := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				c.Get(ctx, "a")
			}
		}
		read(30 * time.Minute)
		events := w.take()
		stale := 0
		for i, e := range events {
			switch e.Kind {
			case secrets.EventFailed:
				if e.Class != secrets.ClassNetwork || e.Err == nil || e.Next.Before(e.Time) || !e.Since.Equal(events[0].Time) {
					t.Errorf("failure %d: %+v", i, e)
				}
				if e.Attempt != i+1-stale {
					t.Errorf("failure %d is attempt %d", i, e.Attempt)
				}
			case secrets.EventStale:
				stale++
				if !e.Since.Equal(expires.Expires) || !e.Time.Equal(expires.Expires) {
					t.Errorf("stale since %v at %v, want %v", e.Since, e.Time, expires.Expires)
				}
			default:
				t.Errorf("in the outage: %v", e.Kind)
			}
		}
		if stale != 1 || len(events) < 8 {
			t.Errorf("%d events, %d of them stale; want one", len(events), stale)
		}
		srv.ClearFaults()
		read(time.Minute * 16)
		if e := w.expect(t, "after it", "recovered")[0]; e.Attempt != len(events)-1 || !e.Since.Equal(events[0].Time) {
			t.Errorf("the recovery: %+v, want %d attempts since %v", e, len(events)-1, events[0].Time)
		}
		srv.Fail(secretstest.Outage())
		read(2 * time.Hour)
		last := w.take()
		if e := last[len(last)-1]; e.Kind != secrets.EventTooOld || e.Secret != "a" || e.Time.Sub(e.Since) < time.Hour {
			t.Errorf("after MaxStale: %+v", e)
		}
	})
}

func TestEventsOfAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, w := observed(t, secretstest.Secrets{"a": "one", "b": "two", "c": "three"}, secrets.Options{Size: 2})
		text(t, c, "a")
		text(t, c, "b")
		w.take()
		text(t, c, "c")
		if e := w.expect(t, "one too many", "evicted, adopted")[0]; e.Secret != "a" || e.ARN != srv.ARN("a") {
			t.Errorf("the eviction: %+v", e)
		}
		srv.Delete("b")
		srv.Put("b", "another")
		c.Refresh(ctx, "b")
		w.expect(t, "a secret that was deleted and recreated", "recreated, adopted")
		srv.ScheduleDeletion("b")
		c.Refresh(ctx, "b")
		if e := w.expect(t, "a deletion", "dropped")[0]; e.Class != secrets.ClassMissing || e.Secret != "b" || e.Err == nil {
			t.Errorf("the deletion: %+v", e)
		}
		srv.Fail(secretstest.DenyDescribe("c"), secretstest.Fault{Op: "GetSecretValue", Secret: "c", Times: secretstest.Always, Code: "AccessDeniedException"})
		c.Refresh(ctx, "c")
		events := w.expect(t, "a denial", "unavailable, dropped")
		if e := events[0]; e.Operation != "DescribeSecret" || e.Class != secrets.ClassDenied || e.Secret != "c" {
			t.Errorf("the denied DescribeSecret: %+v", e)
		}
		if e := events[1]; e.Class != secrets.ClassDenied {
			t.Errorf("the denial: %+v", e)
		}
	})
}

func TestEventsOfARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, w := observed(t, secretstest.Secrets{"a": "old"}, secrets.Options{TTL: time.Minute, Refresh: secrets.RefreshAhead})
		ref := secrets.Bind[string](c, "a")
		use := func(accepts string) {
			secrets.Try(ctx, ref, func(_ context.Context, v string) (int, error) {
				if v != accepts {
					return 0, secrets.Rejected(errors.New("no"))
				}
				return 0, nil
			})
		}
		use("old")
		old := srv.VersionID("a", secrets.Current)
		w.take()
		pending := srv.PutPending("a", "new")
		use("new")
		events := w.expect(t, "the pending version is accepted", "rejected, rotating, pinned")
		if e := events[0]; e.Version != old || e.Stage != secrets.Current || e.Type != "string" {
			t.Errorf("the rejection: %+v", e)
		}
		if e := events[1]; e.Version != pending {
			t.Errorf("the rotation: %+v", e)
		}
		if e := events[2]; e.Version != pending || e.From != old || e.Stage != secrets.Pending || e.Type != "string" {
			t.Errorf("the fallback: %+v", e)
		}
		pinned := events[2].Time
		for range 4*60 + 30 {
			time.Sleep(time.Minute)
			use("new")
		}
		for i, e := range w.expect(t, "four hours and a half later", "rotation stuck, rotation stuck, rotation stuck, rotation stuck") {
			if e.Attempt != i+1 || e.Version != pending || !e.Since.Equal(events[1].Time) {
				t.Errorf("reminder %d: %+v", i, e)
			}
		}
		if st := c.Stats(); st.Rotating != 1 || st.Pinned != 1 {
			t.Errorf("%d rotating, %d pinned; want 1 of each", st.Rotating, st.Pinned)
		}
		srv.MoveStage("a", secrets.Current, pending)
		srv.MoveStage("a", secrets.Pending, "")
		c.Refresh(ctx, "a")
		use("new")
		events = w.expect(t, "at its end", "rotated, adopted, unpinned")
		if e := events[2]; e.Version != pending || !e.Since.Equal(pinned) {
			t.Errorf("the end of the fallback: %+v", e)
		}
		if st := c.Stats(); st.Rotating != 0 || st.Pinned != 0 {
			t.Errorf("%d rotating, %d pinned; want none", st.Rotating, st.Pinned)
		}
	})
}

type traceKey struct{}

// One call serves many readers; each wait names it, and keeps its own context.
func TestEventsOfCallsAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, w := observed(t, secretstest.Secrets{"a": "one", "b": "two", "c": "three"}, secrets.Options{})
		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Code: "Slow", Latency: time.Second})
		srv.ClearFaults()
		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Times: 1, Trickle: time.Millisecond})
		var done sync.WaitGroup
		for i := range 5 {
			done.Go(func() { c.Get(context.WithValue(ctx, traceKey{}, i), "a") })
		}
		done.Wait()
		synctest.Wait()
		calls, waits := w.of(secrets.EventCall), w.of(secrets.EventWait)
		if len(calls) != 1 || len(waits) != 5 {
			t.Fatalf("%d calls and %d waits, want 1 and 5", len(calls), len(waits))
		}
		call := calls[0]
		if call.Operation != "GetSecretValue" || call.Call == 0 || call.Duration <= 0 || call.Secret != "a" || call.Class != "" {
			t.Errorf("the call: %+v", call)
		}
		if call.Context().Value(traceKey{}) == nil {
			t.Error("the call's context is not that of a reader")
		}
		seen := map[any]bool{}
		for _, wait := range waits {
			seen[wait.Context().Value(traceKey{})] = true
			if wait.Call != call.Call || wait.Secret != "a" || wait.Duration < call.Duration {
				t.Errorf("a wait: %+v", wait)
			}
		}
		if len(seen) != 5 {
			t.Errorf("the waits have %d contexts, want 5", len(seen))
		}
		w.take()
		c.Prefetch(ctx, "b", "c", "gone")
		synctest.Wait()
		if calls := w.of(secrets.EventCall); len(calls) != 1 || calls[0].Operation != "BatchGetSecretValue" || len(calls[0].Secrets) != 3 {
			t.Errorf("the calls of a Prefetch: %+v", calls)
		}
		w.take()
		srv.Fail(secretstest.Fault{Code: "InternalServiceError", Times: secretstest.Always})
		c.Get(ctx, "d")
		synctest.Wait()
		if calls := w.of(secrets.EventCall); len(calls) != 1 || calls[0].Class != secrets.ClassServer || calls[0].Err == nil {
			t.Errorf("a call that fails: %+v", calls)
		}
	})
}

// A reader that waits for the refresh of an expired secret is served by its call.
func TestEventsOfAWaitForARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, w := observed(t, secretstest.Secrets{"a": "one"}, secrets.Options{TTL: time.Minute, Refresh: secrets.RefreshOnRead})
		c.Get(ctx, "a")
		time.Sleep(2 * time.Minute)
		w.take()
		c.Get(context.WithValue(ctx, traceKey{}, "reader"), "a")
		synctest.Wait()
		calls, waits := w.of(secrets.EventCall), w.of(secrets.EventWait)
		if len(calls) != 1 || len(waits) != 1 || waits[0].Call != calls[0].Call || waits[0].Context().Value(traceKey{}) != "reader" {
			t.Errorf("calls %+v, waits %+v", calls, waits)
		}
	})
}

func TestEventKindString(t *testing.T) {
	seen := map[string]bool{}
	for k := secrets.EventAdopted; k <= secrets.EventWait; k++ {
		if s := k.String(); s == "" || strings.Contains(s, "EventKind") || seen[s] {
			t.Errorf("kind %d is %q", k, s)
		} else {
			seen[s] = true
		}
	}
	if got, want := secrets.EventKind(99).String(), "EventKind(99)"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}

// A hook that blocks holds nobody up; what it is too slow for is counted.
func TestSlowHookHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := secretstest.Secrets{}
		for i := range 5000 {
			all[fmt.Sprintf("s%d", i)] = "x"
		}
		srv := secretstest.New(t, all)
		var log journal
		free, n := make(chan struct{}), 0
		c := open(t, srv.Client(), &secrets.Options{Size: 5000, Logger: log.logger(), OnEvent: func(secrets.Event) { <-free; n++ }})
		begin := time.Now()
		for name := range all {
			text(t, c, name)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("5000 reads took %v with a hook that blocks", took)
		}
		dropped := c.Stats().EventsDropped
		if want := uint64(3*5000 - 4096 - 1); dropped != want { // an adoption, a call and a wait each
			t.Errorf("%d events dropped, want %d", dropped, want)
		}
		close(free)
		synctest.Wait()
		if n != 3*5000-int(dropped) {
			t.Errorf("%d events delivered and %d dropped of %d", n, dropped, 3*5000)
		}
		if got := log.String(); !strings.Contains(got, fmt.Sprintf("dropped=%d", dropped)) {
			t.Errorf("the log does not say how many were dropped: %s", got)
		}
	})
}

// One that panics, or ends its goroutine, is told of the next event.
func TestPanickingHookGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "x", "b": "x", "c": "x"})
		var log journal
		var seen []string
		c := open(t, srv.Client(), &secrets.Options{Logger: log.logger(), OnEvent: func(e secrets.Event) {
			if e.Kind != secrets.EventAdopted {
				return
			}
			seen = append(seen, e.Secret)
			switch e.Secret {
			case "a":
				panic("hunter2 " + e.Secret)
			case "b":
				runtime.Goexit()
			}
		}})
		for _, id := range []string{"a", "b", "c"} {
			text(t, c, id)
			synctest.Wait()
		}
		if !slices.Equal(seen, []string{"a", "b", "c"}) {
			t.Errorf("told of %v", seen)
		}
		if n := c.Stats().EventsDropped; n != 2 {
			t.Errorf("%d dropped, want the two that it did not finish", n)
		}
		if got := log.String(); !strings.Contains(got, "OnEvent panicked") || strings.Contains(got, "hunter2") {
			t.Errorf("the log: %s", got)
		}
	})
}

// A hook may read, refresh, look at the state and close.
func TestHookMayCallTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "x", "b": "x"})
		var c *secrets.Client
		var closed time.Duration
		returned := make(chan struct{}) // closed once the test's own read has its answer
		c = open(t, srv.Client(), &secrets.Options{OnEvent: func(e secrets.Event) {
			if e.Kind != secrets.EventAdopted {
				return
			}
			c.Refresh(ctx, e.Secret)
			c.Status(e.Secret)
			c.Stats()
			for range c.Statuses() {
			}
			if e.Secret == "a" {
				text(t, c, "b")
				return
			}
			<-returned
			begin := time.Now()
			c.Close()
			closed = time.Since(begin)
		}})
		text(t, c, "a")
		close(returned)
		synctest.Wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if closed != time.Second {
			t.Errorf("Close by the hook took %v, want the second that it waits for the hook", closed)
		}
		if _, err := c.Get(ctx, "a"); err != secrets.ErrClosed {
			t.Errorf("Get after the hook's Close = %v", err)
		}
	})
}
