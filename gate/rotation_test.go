package gate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A pool is callers of a server, with a driver that cannot be made to wait with
// its password, or that waits when it dials.
type pool struct {
	g     *Gate
	dials bool          // the driver is held when it dials
	took  time.Duration // a login, from when it has dialed
	good  atomic.Int64  // the version that the server accepts
	known atomic.Int64  // the version that callers offer
	wrong atomic.Int64

	outstanding time.Duration // for how long a rotation is known to be outstanding
	learnt      atomic.Int64  // when it became known, in Unix nanoseconds
}

func newPool(dials bool, took, outstanding time.Duration) *pool {
	s := &pool{dials: dials, took: took, outstanding: outstanding}
	s.g = New(&Options{Rotating: func() bool {
		return time.Now().UnixNano()-s.learnt.Load() < int64(s.outstanding)
	}})
	return s
}

// login logs in, with the next version if the one that is known is refused.
func (s *pool) login(ctx context.Context) error {
	for {
		version := s.known.Load()
		_, err := Run(ctx, s.g, Login[nopConn]{
			Version: fmt.Sprint(version), Stage: secrets.Current,
			Connect: func(ctx context.Context) (nopConn, error) { return s.connect(ctx, version) },
		})
		if err == nil || ctx.Err() != nil {
			return err
		}
		if s.known.CompareAndSwap(version, version+1) {
			s.learnt.Store(time.Now().UnixNano())
		}
	}
}

// connect has the verdict after two thirds of a login or a little more, and at its
// end from a server that is far: then the last of its round trips brings it.
func (s *pool) connect(ctx context.Context, version int64) (nopConn, error) {
	if s.dials {
		httptrace.ContextClientTrace(HoldDials(ctx, false)).ConnectDone("tcp", "db:5432", nil)
	}
	if err := ctx.Err(); err != nil {
		return nopConn{}, err
	}
	verdict := s.took*65/100 + rand.N(s.took/10)
	if s.took > 2*near {
		verdict = s.took * 97 / 100
	}
	time.Sleep(verdict)
	if s.good.Load() != version {
		s.wrong.Add(1)
		return nopConn{}, Refused(errWrong)
	}
	time.Sleep(s.took - verdict)
	return nopConn{}, nil
}

// fill makes n connections at once, and returns how long that takes.
func (s *pool) fill(t *testing.T, n int) time.Duration {
	begin := time.Now()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := s.login(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// rotate changes the password n times under a load of so many logins a second, of
// which as many as a burst begin at once, and returns how many were refused each
// time, in the mean.
func (s *pool) rotate(t *testing.T, n int, rate, burst time.Duration) float64 {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			for range burst {
				wg.Go(func() { _ = s.login(ctx) })
			}
			time.Sleep(rand.N(2 * burst * time.Second / rate))
		}
	})
	for range n {
		time.Sleep(max(time.Second, s.outstanding) + rand.N(time.Second))
		s.good.Add(1)
	}
	time.Sleep(time.Second)
	cancel()
	wg.Wait()
	time.Sleep(2 * verdictWait) // logins whose callers have left end
	return float64(s.wrong.Load()) / float64(n)
}

// What rotations cost that are far apart, and how long a cold pool takes to fill, beside
// as many logins as are allowed at a time. A server that has two processors is no
// quicker with four logins at a time than with two.
func TestLoginsOfUnheldDrivers(t *testing.T) {
	const pools = 50
	for _, test := range []struct {
		name  string
		dials bool
		took  time.Duration
		rate  time.Duration // logins a second
		wrong float64       // at most, in the mean of a rotation
		fill  float64       // at most, times that of as many logins at a time as the server is good for
		good  int           // that is as many

		burst       time.Duration // logins that begin at once
		outstanding time.Duration
	}{
		{"near", false, 4 * time.Millisecond, 120, 1.5, 1.2, 2, 1, 0},
		{"near and slow", false, 9 * time.Millisecond, 120, 1.5, 1.2, 2, 1, 0},
		{"far, a few logins", false, 80 * time.Millisecond, 10, 1.2, 1.3, 4, 1, 0},
		{"far", false, 80 * time.Millisecond, 20, 2, 1.3, 4, 1, 0},
		{"farther", false, 100 * time.Millisecond, 20, 2, 1.3, 4, 1, 0},
		{"far, with a queue from the rotation before", false, 75 * time.Millisecond, 20, 2, 1.3, 4, 1, 2 * time.Second},
		{"near, held when it dials", true, 4 * time.Millisecond, 120, 1.05, 1.2, 2, 1, 0},
		{"bursts, held when it dials", true, 4 * time.Millisecond, 200, 1.05, 1.2, 2, 20, 0},
		{"far, held when it dials", true, 45 * time.Millisecond, 15, 1, 4.1, 4, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newPool(test.dials, test.took, test.outstanding)
			fill := s.fill(t, pools)
			if got := float64(fill) / float64(test.took) / pools * float64(test.good); got > test.fill {
				t.Errorf("%s: %d logins took %v, %.2f times as long as %d at a time, want %.2f at most", test.name, pools, fill, got, test.good, test.fill)
			}
			if test.dials && test.took > near && fill < pools*test.took {
				t.Errorf("%s: %d logins took %v, want one at a time", test.name, pools, fill)
			}
			if got := s.rotate(t, 60, test.rate, test.burst); got > test.wrong || got < 1 {
				t.Errorf("%s: wrong logins a rotation: got %.2f, want 1 to %.2f", test.name, got, test.wrong)
			} else {
				t.Logf("%s: filled in %v, wrong logins a rotation %.2f", test.name, fill, got)
			}
			s.g.Close()
		})
	}
}
