package gate

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A nopConn is a connection that does nothing.
type nopConn struct{}

func (nopConn) Close() error { return nil }

// A site is a server that takes time, and counts.
type site struct {
	g *Gate

	mu       sync.Mutex // guards the fields below
	good     string     // the version that it accepts
	wrong    int
	underWay int
	most     int // logins under way at a time
	sending  int
	sent     int // passwords without a verdict at a time, at most
}

const (
	handshake = 20 * time.Millisecond
	answer    = 5 * time.Millisecond
)

var errWrong = errors.New("wrong password")

func (s *site) count(n *int, by int, most *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n += by
	*most = max(*most, *n)
}

// connect logs in with a version. With hold it asks before it sends.
func (s *site) connect(ctx context.Context, version string, hold bool) (nopConn, error) {
	s.count(&s.underWay, 1, &s.most)
	defer s.count(&s.underWay, -1, &s.most)
	select {
	case <-time.After(handshake):
	case <-ctx.Done():
		return nopConn{}, ctx.Err()
	}
	if hold {
		if err := Hold(ctx); err != nil {
			return nopConn{}, err
		}
	}
	s.count(&s.sending, 1, &s.sent)
	defer s.count(&s.sending, -1, &s.sent)
	time.Sleep(answer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if version != s.good {
		s.wrong++
		return nopConn{}, Refused(errWrong)
	}
	return nopConn{}, nil
}

func (s *site) run(ctx context.Context, version string, hold bool) error {
	_, err := Run(ctx, s.g, Login[nopConn]{
		Version: version, Stage: secrets.Current,
		Connect: func(ctx context.Context) (nopConn, error) { return s.connect(ctx, version, hold) },
	})
	return err
}

// all runs n logins at once and returns what they ended with.
func (s *site) all(ctx context.Context, n int, version string, hold bool) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = s.run(ctx, version, hold) })
	}
	wg.Wait()
	return errs
}

// Many log in at a time, and one of them offers its password: so one is wrong.
func TestHoldSendsOnePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{g: New(nil), good: "v1"}
		begin := time.Now()
		for _, err := range s.all(t.Context(), 40, "v1", true) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if s.most != 4 || s.sent != 1 {
			t.Errorf("under way %d, passwords without a verdict %d, want 4 and 1", s.most, s.sent)
		}
		if got, want := time.Since(begin), 10*(handshake+answer)+2*(handshake+answer); got > want {
			t.Errorf("40 logins took %v, want at most %v", got, want)
		}
		s.good = "v2"
		for _, err := range s.all(t.Context(), 40, "v1", true) {
			if !errors.Is(err, errWrong) {
				t.Errorf("got %v, want it refused", err)
			}
		}
		if s.wrong != 1 {
			t.Errorf("wrong logins: got %d, want 1", s.wrong)
		}
		if len(s.g.underWay) != 0 || len(s.g.held) != 0 || s.g.sender != nil {
			t.Errorf("left behind: %d under way, %d held, sender %v", len(s.g.underWay), len(s.g.held), s.g.sender)
		}
	})
}

// Without a hook a few are wrong, and the queue still moves.
func TestWithoutHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{g: New(nil), good: "v1"}
		s.all(t.Context(), 40, "v1", false)
		if s.most != 4 {
			t.Errorf("under way with a far server: got %d, want 4", s.most)
		}
		s.good = "v2"
		s.all(t.Context(), 40, "v1", false)
		if s.wrong > 4 {
			t.Errorf("wrong logins: got %d, want 4 at most", s.wrong)
		}
	})
}

// Those who wait to send their password leave when their version is refused,
// when their context ends, and with Close.
func TestHoldEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(s *site, cancel func())
		want error
		ends int // of four; the verdict on the one that has sent its password may come in time
	}{
		{"refusal", func(s *site, _ func()) { s.mu.Lock(); s.good = "v2"; s.mu.Unlock() }, errWrong, 4},
		{"context", func(_ *site, cancel func()) { cancel() }, context.Canceled, 3},
		{"close", func(s *site, _ func()) { s.g.Close() }, secrets.ErrClosed, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &site{g: New(nil), good: "v1"}
				s.all(t.Context(), 1, "v1", true)
				s.sent = 0
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(handshake+answer/2, func() { test.end(s, cancel) }) // one has sent, three wait
				begin := time.Now()
				errs := s.all(ctx, 4, "v1", true)
				ends := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return !errors.Is(err, test.want) })
				if len(ends) != test.ends {
					t.Errorf("got %v, want %v from %d", errs, test.want, test.ends)
				}
				if got := time.Since(begin); got > handshake+answer {
					t.Errorf("ended after %v, want with the verdict", got)
				}
				synctest.Wait()
				time.Sleep(2 * time.Second)
				if s.sent != 1 || len(s.g.held) != 0 || s.g.sender != nil || len(s.g.underWay) != 0 {
					t.Errorf("passwords sent %d, held %d, sender %v, under way %d", s.sent, len(s.g.held), s.g.sender, len(s.g.underWay))
				}
			})
		})
	}
}

// A login that goes on after the verdict does not keep the others.
func TestAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(nil)
		begin := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				_, err := Run(t.Context(), g, Login[nopConn]{Version: "v1", Connect: func(ctx context.Context) (nopConn, error) {
					if err := Hold(ctx); err != nil {
						return nopConn{}, err
					}
					time.Sleep(answer)
					Accepted(ctx)
					time.Sleep(time.Second)
					return nopConn{}, nil
				}})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := time.Since(begin); got > time.Second+4*answer {
			t.Errorf("four logins took %v, want 1s and four answers", got)
		}
	})
}

func TestHoldOutsideALogin(t *testing.T) {
	if err := Hold(t.Context()); err != nil {
		t.Error(err)
	}
	Accepted(t.Context())
	if ctx := HoldDials(t.Context(), true); ctx != t.Context() {
		t.Error("HoldDials: got another context")
	}
}

// A dialer that is given the context is held, before or after it connects, and
// gives up when the version is refused.
func TestHoldDials(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, before := range []bool{false, true} {
		g := New(nil)
		dial := func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			ctx = HoldDials(ctx, before)
			conn, err := d.DialContext(ctx, "tcp", l.Addr().String())
			if err == nil && ctx.Err() != nil {
				conn.Close()
				err = ctx.Err()
			}
			return conn, err
		}
		first := make(chan struct{})
		login := func(connect func(context.Context) (net.Conn, error)) error {
			conn, err := Run(t.Context(), g, Login[net.Conn]{Version: "v1", Stage: secrets.Current, Connect: connect})
			if err == nil {
				conn.Close()
			}
			return err
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			err := login(func(ctx context.Context) (net.Conn, error) {
				conn, err := dial(ctx)
				if err != nil {
					return nil, err
				}
				conn.Close()
				<-first
				return nil, Refused(errWrong)
			})
			if !errors.Is(err, errWrong) {
				t.Errorf("before %v: got %v, want the refusal", before, err)
			}
		})
		waitFor(t, func() bool { g.mu.Lock(); defer g.mu.Unlock(); return g.sender != nil })
		wg.Go(func() {
			if err := login(dial); !errors.Is(err, errWrong) {
				t.Errorf("before %v: got %v, want it barred", before, err)
			}
		})
		waitFor(t, func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.held) == 1 })
		close(first)
		wg.Wait()
		if !slices.Equal(g.held, nil) || g.sender != nil {
			t.Errorf("before %v: left behind %d held", before, len(g.held))
		}
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for 10s")
		}
	}
}

// A dial that goes on when its login is over, as those of happy eyeballs and of
// pools of HTTP connections, waits for nothing and keeps nobody waiting.
func TestHoldAfterTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(nil)
		login := func() (late context.Context) {
			_, err := Run(t.Context(), g, Login[nopConn]{Version: "v1", Connect: func(ctx context.Context) (nopConn, error) {
				late = ctx
				return nopConn{}, Hold(ctx)
			}})
			if err != nil {
				t.Fatal(err)
			}
			return late
		}
		late := login()
		if err := Hold(late); err != nil || g.sender != nil {
			t.Errorf("hold after the login: got %v, sender %v", err, g.sender)
		}
		login()

		// One that waits already when the login ends.
		sender := make(chan struct{})
		go Run(t.Context(), g, Login[nopConn]{Version: "v1", Connect: func(ctx context.Context) (nopConn, error) {
			err := Hold(ctx)
			<-sender
			return nopConn{}, err
		}})
		synctest.Wait()
		waited := make(chan error, 1)
		if _, err := Run(t.Context(), g, Login[nopConn]{Version: "v1", Connect: func(ctx context.Context) (nopConn, error) {
			go func() { waited <- Hold(ctx) }()
			synctest.Wait()
			return nopConn{}, nil
		}}); err != nil {
			t.Error(err)
		}
		if err := <-waited; err != nil {
			t.Errorf("a dial whose login is over: %v", err)
		}
		close(sender)
		synctest.Wait()
		login()
		if g.sender != nil || len(g.held) != 0 {
			t.Errorf("left behind: sender %v, %d held", g.sender, len(g.held))
		}
	})
}

// After the verdict a login may dial again without waiting.
func TestHoldAfterAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(nil)
		_, err := Run(t.Context(), g, Login[nopConn]{Version: "v1", Connect: func(ctx context.Context) (nopConn, error) {
			if err := Hold(ctx); err != nil {
				return nopConn{}, err
			}
			Accepted(ctx)
			err := Hold(ctx)
			if g.sender != nil {
				t.Error("the sender again")
			}
			return nopConn{}, err
		}})
		if err != nil {
			t.Error(err)
		}
	})
}

// A login that was told to stop, and did not when it was, sends nothing later.
func TestHoldOfAnAbandonedLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, waits := range []bool{false, true} {
			g := New(nil)
			sender := make(chan struct{})
			go Run(t.Context(), g, Login[nopConn]{Version: "v1", Connect: func(ctx context.Context) (nopConn, error) {
				err := Hold(ctx)
				<-sender
				return nopConn{}, errors.Join(err, Refused(errWrong))
			}})
			synctest.Wait()
			held := make(chan error, 1)
			go Run(t.Context(), g, Login[nopConn]{Version: "v1", Connect: func(ctx context.Context) (nopConn, error) {
				if !waits {
					time.Sleep(time.Minute) // deaf
				}
				held <- Hold(ctx)
				time.Sleep(time.Minute)
				return nopConn{}, nil
			}})
			synctest.Wait()
			close(sender)
			if err := <-held; err == nil {
				t.Errorf("waits %v: the password may be sent, want an error", waits)
			}
			time.Sleep(5 * time.Minute)
		}
	})
}
