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

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

// within calls fn in a goroutine of its own and reports whether it returned in
// time.
func within(t *testing.T, what string, limit time.Duration, fn func()) bool {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		t.Errorf("%s has not returned after %v", what, limit)
		return false
	}
}

func anyRecord(slog.Record) bool   { return true }
func isTrouble(r slog.Record) bool { return r.Level >= slog.LevelWarn }

// usingHandler is a log handler that uses the client while it handles a record,
// unless that record comes from such a use itself.
type usingHandler struct {
	slog.Handler
	when func(slog.Record) bool
	use  func()
	busy *atomic.Bool
	n    *atomic.Int64 // uses that have returned
}

func (h usingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h usingHandler) Handle(_ context.Context, r slog.Record) error {
	if !h.when(r) || h.busy.Swap(true) {
		return nil
	}
	defer h.busy.Store(false)
	h.use()
	h.n.Add(1)
	return nil
}

// troubles are what makes the cache log a warning about a secret that it holds,
// and what the secret is once they have ended.
var troubles = []struct {
	name  string
	begin func(*service)
	want  string
}{
	{"value past MaxStale", func(s *service) { s.fail(coded("InternalServiceError")) }, `{"n": 3}`},
	{"new version that does not decode", func(s *service) { s.put("a", "v2", "no JSON") }, `{"n": 3}`},
	{"value past MaxStale, then one that does not decode", func(s *service) { s.fail(coded("InternalServiceError")) }, "no JSON"},
}

var modes = []struct {
	name string
	mode secrets.RefreshMode
}{{"ahead", secrets.RefreshAhead}, {"on read", secrets.RefreshOnRead}}

// inTrouble runs fn with a client that logs to a handler that calls use, and
// with what begins and ends each failure, in each mode.
func inTrouble(t *testing.T, when func(slog.Record) bool, use func(*secrets.Client), fn func(t *testing.T, c *secrets.Client, begin func(), end func() (want string), n *atomic.Int64)) {
	for _, m := range modes {
		for _, tr := range troubles {
			t.Run(m.name+"/"+tr.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newService()
					s.add("a", "aaaaaa", "{}")
					s.latency = 10 * time.Millisecond
					var c *secrets.Client
					var n atomic.Int64
					h := usingHandler{slog.DiscardHandler, when, func() { use(c) }, new(atomic.Bool), &n}
					c = newClient(t, s, &secrets.Options{Logger: slog.New(h), Refresh: m.mode, TTL: time.Minute, MaxStale: 10 * time.Minute})
					end := func() string {
						s.fail(nil)
						s.put("a", "v3", tr.want)
						return tr.want
					}
					fn(t, c, func() { tr.begin(s) }, end, &n)
				})
			})
		}
	}
}

// readThrough reads a secret as two types for half an hour, and reports whether
// every read returned.
func readThrough(t *testing.T, c *secrets.Client) bool {
	t.Helper()
	for range 90 {
		if !within(t, "a read", time.Minute, func() {
			secrets.Get[map[string]int](ctx, c, "a")
			c.Get(ctx, "a")
		}) {
			return false
		}
		time.Sleep(20 * time.Second)
	}
	return true
}

// A handler may use every method of the client that logs, for the very secret
// that the record is about.
func TestLogHandlerMayUseTheSecretItIsToldOf(t *testing.T) {
	for what, use := range map[string]func(*secrets.Client){
		"Get":      func(c *secrets.Client) { c.Get(ctx, "a") },
		"Get as T": func(c *secrets.Client) { secrets.Get[map[string]int](ctx, c, "a") },
		"Refresh":  func(c *secrets.Client) { c.Refresh(ctx, "a") },
		"Versions": func(c *secrets.Client) { c.Versions(ctx, "a") },
	} {
		t.Run(what, func(t *testing.T) {
			inTrouble(t, anyRecord, use, func(t *testing.T, c *secrets.Client, begin func(), end func() (want string), n *atomic.Int64) {
				if !readThrough(t, c) {
					return
				}
				begin()
				if !readThrough(t, c) {
					return
				}
				want := end()
				if !readThrough(t, c) {
					return
				}
				synctest.Wait()
				if got := n.Load(); got < 2 {
					t.Errorf("%d handlers have returned, want 2 at least", got)
				}
				if got := text(t, c, "a"); got != want {
					t.Errorf("afterwards the secret is %s, want %s", got, want)
				}
			})
		})
	}
}

// A handler may close the client that it hears of failures from. The client is
// closed then, and nobody hangs.
func TestLogHandlerMayCloseTheClient(t *testing.T) {
	inTrouble(t, isTrouble, func(c *secrets.Client) { c.Close() }, func(t *testing.T, c *secrets.Client, begin func(), _ func() string, n *atomic.Int64) {
		if !readThrough(t, c) {
			return
		}
		begin()
		if !readThrough(t, c) {
			return
		}
		synctest.Wait()
		if got := n.Load(); got < 1 {
			t.Errorf("%d handlers have closed the client, want 1 at least", got)
		}
		if _, err := c.Get(ctx, "a"); err != secrets.ErrClosed {
			t.Errorf("a read after that: %v, want ErrClosed", err)
		}
		within(t, "Close", time.Minute, func() { c.Close() })
	})
}

// A handler that blocks holds up nothing in the background: other secrets, and
// the one that it is told of, are refreshed all the same.
func TestLogHandlerThatBlocksHoldsUpNoRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a", "b")
		hang, n := make(chan struct{}), new(atomic.Int64)
		isInfo := func(r slog.Record) bool { return r.Level == slog.LevelInfo }
		h := usingHandler{slog.DiscardHandler, isInfo, func() { <-hang }, new(atomic.Bool), n}
		c := newClient(t, s, &secrets.Options{Logger: slog.New(h), TTL: time.Minute})
		defer close(hang)
		for i := range 5 {
			want := fmt.Sprint("value ", i)
			for _, id := range []string{"a", "b"} {
				text(t, c, id)
				s.put(id, fmt.Sprint("w", i), want)
			}
			for range 6 {
				time.Sleep(20 * time.Second)
				text(t, c, "a")
				text(t, c, "b")
			}
			for _, id := range []string{"a", "b"} {
				if got := text(t, c, id); got != want {
					t.Errorf("%s two minutes after its new version: %q, want %q", id, got, want)
				}
			}
		}
	})
}

// exits is a type whose Validate ends its goroutine while exiting is set.
type exits struct{ N int }

var exiting atomic.Bool

func (exits) Validate() error {
	if exiting.Load() {
		runtime.Goexit()
	}
	return nil
}

// decodeExits is the same as a decoder.
func decodeExits(s *secrets.Secret) (exits, error) {
	if exiting.Load() {
		runtime.Goexit()
	}
	var e exits
	_, err := fmt.Sscanf(string(s.Bytes()), `{"N": %d}`, &e.N)
	return e, err
}

// exiters are the ways in which a user's function can end a goroutine.
var exiters = map[string]func(*secrets.Client, string) *secrets.Ref[exits]{
	"decoder": func(c *secrets.Client, id string) *secrets.Ref[exits] {
		return secrets.BindFunc(c, id, decodeExits)
	},
	"Validate": func(c *secrets.Client, id string) *secrets.Ref[exits] { return secrets.Bind[exits](c, id) },
}

// A function that ends its goroutine refuses a version, as one that panics does:
// all secrets go on being refreshed, also when more exited than there are workers.
func TestExitDuringARefreshEndsNoRefreshing(t *testing.T) {
	for what, bind := range exiters {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer exiting.Store(false)
				s := newService("other")
				var refs []*secrets.Ref[exits]
				c := newClient(t, s, &secrets.Options{TTL: time.Minute})
				for i := range 20 {
					id := fmt.Sprint("s", i)
					s.add(id, "aaaaaa", `{"N": 1}`)
					refs = append(refs, bind(c, id))
				}
				read := func(when string, want int) {
					t.Helper()
					for range 9 {
						time.Sleep(20 * time.Second)
						text(t, c, "other")
						for _, r := range refs {
							r.Get(ctx)
						}
					}
					for _, r := range refs {
						if got, err := r.Get(ctx); err != nil || got.N != want {
							t.Fatalf("%s: %s = %v, %v; want %d", when, r.ID(), got.N, err, want)
						}
					}
				}
				put := func(v string) {
					for _, r := range refs {
						s.put(r.ID(), "v"+v, `{"N": `+v+`}`)
					}
				}
				read("before", 1)
				exiting.Store(true)
				put("2")
				read("while it exits", 1)
				exiting.Store(false)
				put("3")
				s.put("other", "v3", "new")
				read("afterwards", 3)
				if got := text(t, c, "other"); got != "new" {
					t.Errorf("another secret is %q, want %q", got, "new")
				}
			})
		})
	}
}

// Everybody who waits for a cold read is told that the version was refused, and
// the next version is read and refreshed as any other.
func TestExitDuringAColdReadIsTheReadersError(t *testing.T) {
	for what, bind := range exiters {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer exiting.Store(false)
				s := newService()
				s.add("a", "aaaaaa", `{"N": 1}`)
				s.latency = 10 * time.Millisecond
				c := newClient(t, s, &secrets.Options{TTL: time.Minute})
				ref := bind(c, "a")
				exiting.Store(true)
				errs := make(chan error, 10)
				for range cap(errs) {
					go func() {
						_, err := ref.Get(ctx)
						errs <- err
					}()
				}
				if !within(t, "a cold read", time.Minute, func() {
					for range cap(errs) {
						var de *secrets.DecodeError
						if err := <-errs; !errors.As(err, &de) {
							t.Errorf("a reader gets %v, want a DecodeError", err)
						}
					}
				}) {
					return
				}
				exiting.Store(false)
				for i := 2; i < 5; i++ {
					s.put("a", fmt.Sprint("v", i), fmt.Sprintf(`{"N": %d}`, i))
					for range 6 {
						time.Sleep(20 * time.Second)
						ref.Get(ctx)
					}
					if got, err := ref.Get(ctx); err != nil || got.N != i {
						t.Errorf("a later version: %v, %v; want %d", got.N, err, i)
					}
				}
			})
		})
	}
}

// Whoever waits for an API that ignores its context is released by Close, at
// once and whatever it reads; Close itself is back in about a second.
func TestCloseReleasesReadersOfADeafAPI(t *testing.T) {
	for what, read := range singleReads() {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang := make(chan struct{})
				c := newClient(t, &deafAPI{hang: hang}, &secrets.Options{FetchTimeout: time.Hour})
				defer close(hang)
				errs := make(chan error, 5)
				for range cap(errs) {
					go func() { errs <- read(ctx, c, "a") }()
				}
				time.Sleep(time.Second)
				closed := make(chan struct{})
				go func() { c.Close(); close(closed) }()
				synctest.Wait()
				if got := len(errs); got != cap(errs) {
					t.Errorf("%d readers are released at once, want %d", got, cap(errs))
				}
				for range len(errs) {
					if err := <-errs; err != secrets.ErrClosed {
						t.Errorf("a reader that waits at Close gets %v, want ErrClosed", err)
					}
				}
				within(t, "Close", 2*time.Second, func() { <-closed })
			})
		})
	}
}

// deafAPI answers nothing until hang is closed, and then fails.
type deafAPI struct{ hang chan struct{} }

func (d *deafAPI) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	<-d.hang
	return nil, coded("InternalServiceError")
}

func (d *deafAPI) DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	<-d.hang
	return nil, coded("InternalServiceError")
}
