package gate_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const secretName = "prod/cache"

type conn struct{}

func (conn) Close() error { return nil }

var errWrong = errors.New("WRONGPASS")

// A server accepts one password, and counts.
type server struct {
	mu       sync.Mutex // guards the fields below
	password string
	wrong    int
	times    []time.Time // of the logins
}

func (s *server) set(password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = password
}

func (s *server) login(ctx context.Context, o secrets.Offer[string]) (conn, error) {
	time.Sleep(time.Millisecond)
	if err := gate.Hold(ctx); err != nil {
		return conn{}, err
	}
	time.Sleep(time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, time.Now())
	if o.Value != s.password {
		s.wrong++
		return conn{}, gate.Refused(errWrong)
	}
	return conn{}, nil
}

func newRef(t *testing.T) (*secretstest.Server, *secrets.Ref[string]) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{secretName: "one"})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return srv, secrets.Bind[string](client, secretName)
}

// Fifty goroutines log in while the password rotates: nothing fails, and each
// rotation costs one wrong login.
func TestTryThroughRotations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, ref := newRef(t)
		s := &server{password: "one"}
		g := gate.New(&gate.Options{Rotating: ref.Rotating})
		var over bool
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for {
					if _, err := gate.Try(t.Context(), g, ref, s.login); err != nil {
						t.Errorf("got %v", err)
					}
					mu.Lock()
					done := over
					mu.Unlock()
					if done {
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
		for _, next := range []string{"two", "three", "four"} {
			time.Sleep(2 * time.Second)
			pending := srv.PutPending(secretName, next)
			s.set(next)
			time.Sleep(300 * time.Millisecond)
			srv.MoveStage(secretName, secrets.Current, pending)
		}
		time.Sleep(time.Second)
		mu.Lock()
		over = true
		mu.Unlock()
		wg.Wait()
		if s.wrong != 3 {
			t.Errorf("wrong logins in 3 rotations: got %d, want 3", s.wrong)
		}
	})
}

func TestTryAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ref := newRef(t)
		s := &server{password: "one"}
		g := gate.New(nil)
		g.Close()
		g.Close()
		if _, err := gate.Try(t.Context(), g, ref, s.login); !errors.Is(err, secrets.ErrClosed) {
			t.Errorf("got %v, want %v", err, secrets.ErrClosed)
		}
		if len(s.times) != 0 {
			t.Errorf("logins after Close: %d", len(s.times))
		}
	})
}

// Other errors end Try at once, and no other version is offered.
func TestTryOtherErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ref := newRef(t)
		down := errors.New("connection refused")
		n := 0
		_, err := gate.Try(t.Context(), gate.New(nil), ref, func(context.Context, secrets.Offer[string]) (conn, error) {
			n++
			return conn{}, down
		})
		if err != down || n != 1 {
			t.Errorf("got %v after %d logins, want %v after 1", err, n, down)
		}
	})
}

// Code that ends its goroutine, or returns nothing at all, gives an error.
func TestConnectReturnsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type closer interface{ Close() error }
		g := gate.New(nil)
		released := 0
		c, err := gate.Run(t.Context(), g, gate.Login[closer]{
			Connect: func(context.Context) (closer, error) { return nil, nil },
			Release: func() { released++ },
		})
		if c != nil || err == nil || released != 1 {
			t.Errorf("got %v, %v, released %d times, want an error and once", c, err, released)
		}
	})
}

func TestRefusedNil(t *testing.T) {
	if err := gate.Refused(nil); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	var refusal *gate.RefusedError
	if err := gate.Refused(errWrong); !errors.As(err, &refusal) || refusal.NotOffered() || !errors.Is(err, errWrong) || err.Error() != errWrong.Error() {
		t.Errorf("got %v", err)
	}
}
