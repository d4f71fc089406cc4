package rediscred_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/resp"
	"github.com/seed-74dc7b3e/secrets/rediscred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A fakeRedis knows who may log in, and writes down what it is sent.
type fakeRedis struct {
	network time.Duration // how long a connection takes, and a reply
	wrap    func(net.Conn) net.Conn

	mu       sync.Mutex          // guards the fields below
	accepts  map[string][]string // passwords by user; "" is the user of AUTH without one
	answer   string              // to AUTH, in place of the verdict
	hang     bool                // does not answer AUTH
	log      []string
	wrong    int
	dials    int
	underWay int // AUTHs without their verdict, now and at the most
	most     int
}

func newFakeRedis(user string, passwords ...string) *fakeRedis {
	return &fakeRedis{accepts: map[string][]string{user: passwords}}
}

// set changes what the server does.
func (f *fakeRedis) set(change func(*fakeRedis)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeRedis) password(user string, passwords ...string) {
	f.set(func(f *fakeRedis) { f.accepts[user] = passwords })
}

// dial is Options.Dial.
func (f *fakeRedis) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	select {
	case <-time.After(f.network):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f.set(func(f *fakeRedis) { f.dials++ })
	near, far := net.Pipe()
	if f.wrap != nil {
		far = f.wrap(far)
	}
	go f.serve(far)
	return near, nil
}

func (f *fakeRedis) serve(c net.Conn) {
	defer c.Close()
	conn := resp.New(c)
	for {
		command, err := conn.Receive()
		if err != nil {
			return
		}
		words := resp.Strings(command)
		f.set(func(f *fakeRedis) { f.log = append(f.log, strings.Join(words, " ")) })
		answer := "+PONG\r\n"
		if words[0] == "AUTH" {
			answer = f.auth(words[1:])
		}
		if answer == "" {
			_, _ = conn.Receive() // until the other side closes
			return
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// auth returns the answer to AUTH, after the time that it takes.
func (f *fakeRedis) auth(args []string) (answer string) {
	f.set(func(f *fakeRedis) { f.underWay++; f.most = max(f.most, f.underWay) })
	defer f.set(func(f *fakeRedis) { f.underWay-- })
	if len(args) == 1 {
		args = []string{"", args[0]}
	}
	f.set(func(f *fakeRedis) {
		switch {
		case f.hang:
		case f.answer != "":
			answer = f.answer
		case slices.Contains(f.accepts[args[0]], args[1]):
			answer = "+OK\r\n"
		default:
			f.wrong++
			answer = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
		}
	})
	time.Sleep(f.network)
	return answer
}

func (f *fakeRedis) counts() (wrong, dials, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wrong, f.dials, f.most
}

func (f *fakeRedis) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

const secretID = "prod/redis"

// secret is the text of a secret for the user app.
func secret(password string) string {
	return fmt.Sprintf(`{"engine":"redis","host":"cache","port":6379,"username":"app","password":%q}`, password)
}

// A rig is a secret, a server, and a dialer between them.
type rig struct {
	*testing.T
	srv    *secretstest.Server
	client *secrets.Client
	redis  *fakeRedis
	dialer *rediscred.Dialer
}

// newRig makes a rig whose server and secret have the password "one".
func newRig(t *testing.T, o *rediscred.Options) *rig {
	t.Helper()
	r := &rig{T: t, redis: newFakeRedis("app", "one")}
	r.srv = secretstest.New(t, secretstest.Secrets{secretID: secret("one")})
	var err error
	r.client, err = secrets.New(r.srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.client.Close() })
	if o == nil {
		o = &rediscred.Options{}
	}
	if o.Dial == nil {
		o.Dial = r.redis.dial
	}
	r.dialer = rediscred.New(r.client, secretID, o)
	t.Cleanup(func() { r.dialer.Close() })
	return r
}

// dial dials and closes the connection at the end of the test.
func (r *rig) dial(ctx context.Context, addr string) (*rediscred.Conn, error) {
	c, err := r.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	r.Cleanup(func() { c.Close() })
	return c.(*rediscred.Conn), nil
}

func (r *rig) mustDial() *rediscred.Conn {
	r.Helper()
	c, err := r.dial(r.Context(), "cache:6379")
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// dialAll dials n times at once and returns the errors.
func (r *rig) dialAll(ctx context.Context, n int) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = r.dial(ctx, "cache:6379") })
	}
	wg.Wait()
	return errs
}
