package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// collected reports whether n turns up after a few collections.
func collected(n *atomic.Int64, want int64) bool {
	for range 50 {
		runtime.GC()
		if n.Load() >= want {
			return true
		}
		runtime.Gosched()
	}
	return false
}

func TestHandleDoesNotKeepAnEvictedValue(t *testing.T) {
	type big struct{ A [4096]byte }
	var freed atomic.Int64
	decode := func(*secrets.Secret) (*big, error) {
		b := &big{}
		runtime.AddCleanup(b, func(int) { freed.Add(1) }, 0)
		return b, nil
	}
	s := newService("a", "b")
	c := newClient(t, s, &secrets.Options{Size: 1})
	ref := secrets.BindFunc(c, "a", decode)
	if _, err := ref.Get(ctx); err != nil {
		t.Fatal(err)
	}
	if collected(&freed, 1) {
		t.Fatal("the value of a cached secret was collected")
	}
	text(t, c, "b") // takes the place of a
	if !collected(&freed, 1) {
		t.Error("a handle keeps the value of an evicted secret alive")
	}
	if _, err := ref.Get(ctx); err != nil {
		t.Errorf("the handle after the eviction: %v", err)
	}
	runtime.KeepAlive(ref)
}

func TestDroppedHandlesAreForgotten(t *testing.T) {
	var freed atomic.Int64
	type thing struct{ A [64]byte }
	s := newService("a")
	c := newClient(t, s, nil)
	const n = 1000
	for range n {
		ref := secrets.BindFunc(c, "a", func(*secrets.Secret) (*thing, error) {
			v := &thing{}
			runtime.AddCleanup(v, func(int) { freed.Add(1) }, 0)
			return v, nil
		})
		if _, err := ref.Get(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !collected(&freed, n-1) {
		t.Errorf("%d of %d values were collected after their handles were dropped", freed.Load(), n)
	}
}

func TestCloseLetsGoOfValues(t *testing.T) {
	type thing struct{ A [64]byte }
	var freed atomic.Int64
	c := newClient(t, newService("a"), nil)
	ref := secrets.BindFunc(c, "a", func(*secrets.Secret) (*thing, error) {
		v := &thing{}
		runtime.AddCleanup(v, func(int) { freed.Add(1) }, 0)
		return v, nil
	})
	ref.Get(ctx)
	c.Close()
	if !collected(&freed, 1) {
		t.Error("the client holds a value after Close")
	}
	runtime.KeepAlive(ref)
	runtime.KeepAlive(c)
}

func TestWatchedSecretIsNotEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		for i := range 20 {
			s.add(fmt.Sprintf("s%d", i), "aaaaaa", "x")
		}
		c := newClient(t, s, &secrets.Options{Size: 2})
		watching, stop := context.WithCancel(ctx)
		var seen atomic.Int64
		go func() {
			for _, err := range secrets.Bind[string](c, "a").Watch(watching) {
				if err != nil {
					t.Error(err)
				}
				seen.Add(1)
			}
		}()
		synctest.Wait()
		for i := range 20 {
			text(t, c, fmt.Sprintf("s%d", i))
		}
		before := c.Stats()
		text(t, c, "a")
		if d := c.Stats().Sub(before); d.Hits != 1 {
			t.Error("a watched secret was evicted")
		}
		s.put("a", "v2", "new")
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if got := seen.Load(); got != 2 {
			t.Errorf("the watcher saw %d versions, want 2", got)
		}
		stop()
		synctest.Wait()
		text(t, c, "s0")
		text(t, c, "s1")
		text(t, c, "s2")
		before = c.Stats()
		text(t, c, "a")
		if d := c.Stats().Sub(before); d.Misses != 1 {
			t.Error("a secret that nobody watches any more stays for ever")
		}
	})
}

func TestUnreadSecretGoesAfterMaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, newService("a"), nil)
		text(t, c, "a")
		time.Sleep(secrets.DefaultMaxStale + time.Minute)
		synctest.Wait()
		if got := c.Stats().Secrets; got != 0 {
			t.Errorf("%d secrets held %v after the only read", got, secrets.DefaultMaxStale)
		}
	})
}

func TestEmptyIDs(t *testing.T) {
	s := newService("a")
	c := newClient(t, s, nil)
	for name, err := range map[string]error{
		"Get":        second(c.Get(ctx, "")),
		"Versions":   second(c.Versions(ctx, "")),
		"GetVersion": second(c.GetVersion(ctx, "", secrets.Stage(secrets.Previous))),
		"Stage":      second(c.GetVersion(ctx, "a", secrets.Stage(""))),
		"VersionID":  second(c.GetVersion(ctx, "a", secrets.VersionID(""))),
		"Refresh":    c.Refresh(ctx, ""),
		"Prefetch":   c.Prefetch(ctx, "a", ""),
	} {
		if err == nil || errors.Is(err, secrets.ErrClosed) {
			t.Errorf("%s with an empty string: %v, want an error", name, err)
		}
	}
	if got := s.calls(); got != 0 {
		t.Errorf("%d calls for empty ids, want 0", got)
	}
}

func second[T any](_ T, err error) error { return err }

// readingHandler is a log handler that reads a secret, as one that ships logs
// somewhere might.
type readingHandler struct {
	slog.Handler
	read func()
	n    *atomic.Int64
}

func (h readingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h readingHandler) Handle(context.Context, slog.Record) error {
	h.n.Add(1)
	h.read()
	return nil
}

func TestLogHandlerMayReadSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a")
		s.add("b", "bbbbbb", "{}")
		var c *secrets.Client
		var n atomic.Int64
		h := readingHandler{slog.DiscardHandler, func() { c.Get(ctx, "a"); c.Stats() }, &n}
		c = newClient(t, s, &secrets.Options{Logger: slog.New(h), MaxStale: time.Hour})
		read := func() {
			for range 40 {
				c.Get(ctx, "a")
				secrets.Get[map[string]int](ctx, c, "b")
				time.Sleep(20 * time.Second)
			}
		}
		read()
		s.put("a", "v2", "new")     // a new version
		s.put("b", "v2", "no JSON") // one that does not decode
		read()
		s.fail(coded("InternalServiceError")) // an outage, beyond MaxStale
		for range 8 {
			read()
		}
		s.mu.Lock()
		s.onGet, s.onDesc = nil, nil
		s.mu.Unlock()
		read()
		s.remove("a") // and the end
		read()
		if n.Load() < 5 {
			t.Errorf("%d log records, want one for each of what happened", n.Load())
		}
	})
}
