package rediscred_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/resp"
	"github.com/seed-74dc7b3e/secrets/rediscred"
)

// A connection is logged in, and nothing else was sent on it.
func TestDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		c := r.mustDial()
		if got := r.redis.sent(); !slices.Equal(got, []string{"AUTH app one"}) {
			t.Errorf("sent %q, want AUTH alone", got)
		}
		time.Sleep(time.Hour) // no deadline was left on it
		if reply, err := resp.New(c).Do("PING"); reply != "PONG" || err != nil {
			t.Errorf("got %v, %v", reply, err)
		}
		if got, want := c.VersionID(), r.srv.VersionID(secretID, "AWSCURRENT"); got != want {
			t.Errorf("got version %q, want %q", got, want)
		}
		if addr, err := r.dialer.Addr(t.Context()); addr != "cache:6379" || err != nil {
			t.Errorf("got %q, %v", addr, err)
		}
		if got := fmt.Sprintf("%v %+v %#v", r.dialer, c, c); strings.Contains(got, "one") || !strings.Contains(got, secretID) {
			t.Errorf("printed %s", got)
		}
	})
}

// In the window of a rotation with a single password every connection is made,
// and the server sees one wrong password, however many logins are under way.
func TestRotationWindow(t *testing.T) {
	for _, maxLogins := range []int{0, 1, 3, 50} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &rediscred.Options{MaxLogins: maxLogins})
			r.redis.network = time.Millisecond
			r.mustDial()
			pending := r.srv.PutPending(secretID, secret("two"))
			r.redis.password("app", "two")
			if err := errors.Join(r.dialAll(t.Context(), 50)...); err != nil {
				t.Fatal(err)
			}
			wrong, dials, most := r.redis.counts()
			if limit := 52 + maxLogins + 4; wrong != 1 || most != 1 || dials > limit {
				t.Errorf("%d at a time: got %d wrong logins, %d passwords under way, %d connections, want 1, 1, at most %d",
					maxLogins, wrong, most, dials, limit)
			}
			r.srv.MoveStage(secretID, "AWSCURRENT", pending)
			time.Sleep(10 * time.Minute)
			if err := errors.Join(r.dialAll(t.Context(), 50)...); err != nil {
				t.Fatal(err)
			}
			if again, _, _ := r.redis.counts(); again != wrong {
				t.Errorf("got %d wrong logins after the rotation", again-wrong)
			}
		})
	}
}

// Where the server keeps two passwords a rotation costs nothing.
func TestTwoPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.mustDial()
		last := "one"
		for i := range 5 {
			next := fmt.Sprint("next", i)
			id := r.srv.PutPending(secretID, secret(next))
			r.redis.password("app", last, next)
			if err := errors.Join(r.dialAll(t.Context(), 10)...); err != nil {
				t.Fatal(err)
			}
			r.srv.MoveStage(secretID, "AWSCURRENT", id)
			time.Sleep(10 * time.Minute)
			r.redis.password("app", next)
			if err := errors.Join(r.dialAll(t.Context(), 10)...); err != nil {
				t.Fatal(err)
			}
			last = next
		}
		if wrong, _, _ := r.redis.counts(); wrong != 0 {
			t.Errorf("got %d wrong logins", wrong)
		}
	})
}

// When all is refused the error says who said what, and no password.
func TestAllRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.redis.password("app")
		began := time.Now()
		_, err := r.dial(t.Context(), "cache:6379")
		var all *secrets.RejectedError
		var login *rediscred.LoginError
		if !errors.As(err, &all) || !errors.As(err, &login) || !rediscred.IsRefused(err) {
			t.Fatalf("got %v, want a RejectedError with a LoginError", err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("took %v, want MaxWait", took)
		}
		for _, want := range []string{`"app"`, "cache:6379", "WRONGPASS", secretID} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want it to name %s", err, want)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, login); strings.Contains(text, "one\"") || strings.Contains(text, " one") {
			t.Errorf("got %s, which shows the password", text)
		}
		if wrong, _, _ := r.redis.counts(); wrong > 13 {
			t.Errorf("got %d wrong logins in a minute, want one in 5s", wrong)
		}
	})
}

// When the server is repaired, that is found within seconds.
func TestRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.redis.password("app")
		got := make(chan []error)
		go func() { got <- r.dialAll(t.Context(), 10) }()
		time.Sleep(32 * time.Second)
		r.redis.password("app", "one")
		repaired := time.Now()
		if err := errors.Join(<-got...); err != nil {
			t.Error(err)
		}
		if took := time.Since(repaired); took > 6*time.Second {
			t.Errorf("took %v after the repair, want 6s at most", took)
		}
		if wrong, _, _ := r.redis.counts(); wrong > 8 {
			t.Errorf("got %d wrong logins in 32s, want one in 5s", wrong)
		}
	})
}

// While a server refuses everything it is asked every five seconds, whenever the
// client happens to ask the service: neither sooner nor much later.
func TestRetryPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &rediscred.Options{MaxWait: -1})
		ctx, cancel := context.WithCancel(t.Context())
		r.redis.password("app")
		got := make(chan []error)
		go func() { got <- r.dialAll(ctx, 3) }()
		const tick = 10 * time.Millisecond
		begun := time.Now()
		var last time.Time
		for seen := 0; time.Since(begun) < 25*time.Minute; time.Sleep(tick) {
			wrong, _, _ := r.redis.counts()
			if wrong == seen {
				continue
			}
			if gap := time.Since(last); seen > 0 && (wrong > seen+1 || gap < 5*time.Second-tick || gap > 6*time.Second) {
				t.Errorf("after %v: %d wrong logins, %v after the one before, want one after 5s to 6s", time.Since(begun), wrong-seen, gap)
			}
			last, seen = time.Now(), wrong
		}
		cancel()
		<-got
	})
}

// A caller that leaves while the verdict is under way does not cost the next
// one a wrong login.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.mustDial()
		r.srv.PutPending(secretID, secret("two"))
		r.redis.password("app", "two")
		r.redis.network = 100 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		_, err := r.dial(ctx, "cache:6379")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if _, err := r.dial(t.Context(), "cache:6379"); err != nil {
			t.Error(err)
		}
		if wrong, _, _ := r.redis.counts(); wrong != 1 {
			t.Errorf("got %d wrong logins, want 1", wrong)
		}
	})
}

// A server that does not answer holds nobody up for longer than ten seconds,
// and the connection of a caller who left goes after a second.
func TestServerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &rediscred.Options{MaxWait: -1})
		r.redis.set(func(f *fakeRedis) { f.hang = true })
		began := time.Now()
		_, err := r.dial(context.Background(), "cache:6379")
		if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() || time.Since(began) != 10*time.Second {
			t.Errorf("after %v: got %v, want a timeout after 10s", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.dial(ctx, "cache:6379"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		r.redis.set(func(f *fakeRedis) { f.hang = false })
		began = time.Now()
		r.mustDial()
		if took := time.Since(began); took != time.Second {
			t.Errorf("the next caller waited %v, want the second of the one before", took)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		open := r.mustDial()
		r.redis.set(func(f *fakeRedis) { f.hang = true })
		got := make(chan []error)
		go func() { got <- r.dialAll(t.Context(), 5) }()
		synctest.Wait()
		began := time.Now()
		if err := errors.Join(r.dialer.Close(), r.dialer.Close()); err != nil {
			t.Error(err)
		}
		for _, err := range append(<-got, r.dialAll(t.Context(), 1)...) {
			if !errors.Is(err, secrets.ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took effect after %v", took)
		}
		if got := len(r.redis.sent()); got != 2 {
			t.Errorf("%d passwords were sent, want that of the open connection and of the one under way", got)
		}
		if reply, err := resp.New(open).Do("PING"); reply != "PONG" || err != nil {
			t.Errorf("an open connection: got %v, %v", reply, err)
		}
	})
}

// Answers that are no verdict on the password are returned at once.
func TestOtherAnswers(t *testing.T) {
	for _, answer := range []string{
		"-LOADING Redis is loading the dataset in memory", "-DENIED Redis is running in protected mode",
		"-ERR max number of clients reached", "+QUEUED", ":1", "+OK\r\n+OK", "?",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.redis.set(func(f *fakeRedis) { f.answer = answer + "\r\n" })
			_, err := r.dial(t.Context(), "cache:6379")
			var login *rediscred.LoginError
			if err == nil || rediscred.IsRefused(err) || errors.As(err, new(*secrets.RejectedError)) {
				t.Errorf("%s: got %v, want an error that is no refusal", answer, err)
			} else if got := errors.As(err, &login); got != (answer[0] == '-') {
				t.Errorf("%s: got %v, a LoginError: %t", answer, err, got)
			}
			if got := len(r.redis.sent()); got != 1 {
				t.Errorf("%s: %d passwords were sent, want 1", answer, got)
			}
		})
	}
}

// A server that does not know AUTH quotes what it was sent.
func TestPasswordQuoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		const password = "a-long-password"
		r.srv.Put(secretID, secret(password))
		r.redis.set(func(f *fakeRedis) {
			f.answer = "-ERR unknown command 'AUTH', with args beginning with: 'app' '" + password + "' \r\n"
		})
		_, err := r.dial(t.Context(), "cache:6379")
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), password) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNetworkError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		var fail error = refused
		r := newRig(t, &rediscred.Options{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, fail }})
		if _, err := r.dial(t.Context(), "cache:6379"); err != refused {
			t.Errorf("got %v, want the network's error as it is", err)
		}
		if fail = nil; true {
			if _, err := r.dial(t.Context(), "cache:6379"); err == nil || !strings.Contains(err.Error(), "neither") {
				t.Errorf("got %v, want an error", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.dial(ctx, "cache:6379"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
}
