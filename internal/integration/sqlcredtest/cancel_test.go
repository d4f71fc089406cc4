package sqlcredtest_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// tiedDialer makes lib/pq heed the context of a login, of which it tells its
// dialer only. A context that sqlcred gives a connector does not end once the
// connection is made; but lib/pq itself ends it early with connect_timeout.
type tiedDialer struct{ net.Dialer }

func (d tiedDialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

func (d tiedDialer) DialTimeout(network, addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.Dialer.DialContext(ctx, network, addr)
}

func (d tiedDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, addr)
	if err == nil {
		context.AfterFunc(ctx, func() { conn.Close() })
	}
	return conn, err
}

func openTiedPq(l sqlcred.Login) (driver.Connector, error) {
	c, err := openPq(l)
	if err == nil {
		c.(*pq.Connector).Dialer(tiedDialer{})
	}
	return c, err
}

// A holdUp is a proxy that lets one message of either side come and not go on.
type holdUp struct {
	net.Listener
	dial       func(network, addr string) (net.Conn, error)
	target     string
	fromClient bool          // which side's
	nth        int           // message, from 1
	reached    chan struct{} // gets a value when the message has come
	wg         sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func newHoldUp(t *testing.T, r *rig, fromClient bool, nth int) *holdUp {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &holdUp{Listener: l, dial: net.Dial, target: r.s.Addr(), fromClient: fromClient, nth: nth, reached: make(chan struct{}, 1)}
	if r.s.Engine == "mariadb" {
		h.dial = elsewhere.Dial
	}
	h.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := h.dial("tcp", h.target)
			if err != nil {
				client.Close()
				continue
			}
			h.mu.Lock()
			h.conns = append(h.conns, client, server)
			h.mu.Unlock()
			h.wg.Go(func() { h.pump(server, client, h.fromClient) })
			h.wg.Go(func() { h.pump(client, server, !h.fromClient) })
		}
	})
	t.Cleanup(h.end)
	return h
}

// end ends the proxy's connections.
func (h *holdUp) end() {
	h.Close()
	h.mu.Lock()
	for _, conn := range h.conns {
		conn.Close()
	}
	h.mu.Unlock()
	h.wg.Wait()
}

// pump takes messages from src to dst until one of them ends.
func (h *holdUp) pump(dst, src net.Conn, hold bool) {
	defer dst.Close()
	defer src.Close()
	message := make([]byte, 65536)
	for i := 1; ; i++ {
		n, err := src.Read(message)
		if hold && i == h.nth && err == nil {
			h.reached <- struct{}{}
			io.Copy(io.Discard, src) // until the connection ends
			return
		}
		if _, werr := dst.Write(message[:n]); err != nil || werr != nil {
			return
		}
	}
}

// hostErrors is how many interrupted handshakes MariaDB holds against the
// clients' address.
func (r *rig) hostErrors() int {
	r.t.Helper()
	var n int
	row := r.admin.QueryRowContext(r.t.Context(), "SELECT COALESCE(SUM(sum_connect_errors), 0) FROM performance_schema.host_cache")
	if err := row.Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// counting is a MariaDB that counts interrupted handshakes.
var counting = dbtest.SharedMariaDB(hostOptions("1000"))

// What it costs to give up a login: nothing on PostgreSQL, while the password
// has not been sent; on MariaDB a handshake that counts against the host until
// the next login. Once the password has been sent, the server looks at it.
func TestGivingUpALogin(t *testing.T) {
	t.Parallel()
	pqTied := backends[1]
	pqTied.open = openTiedPq
	for _, test := range []struct {
		name       string
		backend    backend
		fromClient bool
		nth        int
		wrong      int // logins
		hostErrors int
	}{
		{"pgx before the password", backends[0], true, 3, 0, 0},
		{"pgx after the password", backends[0], false, 3, 1, 0},
		{"pq before the password", pqTied, true, 3, 0, 0},
		{"pq after the password", pqTied, false, 3, 1, 0},
		{"mysql before the greeting", backends[2], false, 1, 0, 1},
		{"mysql before the password", backends[2], true, 1, 0, 1},
		{"mysql after the password", backends[2], false, 2, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			counts := test.backend.name == "mysql"
			s := test.backend.shared.Server(t)
			if counts {
				needNames(t)
				s = counting.Server(t)
			}
			r := newRigOn(t, test.backend, s)
			h := newHoldUp(t, r, test.fromClient, test.nth)
			l := sqlcred.Login{
				Engine: r.s.Engine, Host: "127.0.0.1", Port: h.Addr().(*net.TCPAddr).Port,
				Username: r.user, DBName: r.s.Database, TLS: sqlcred.TLSOff,
			}
			c, err := r.open(l.WithPassword("wrong"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-h.reached; cancel() }()
			if _, err := c.Connect(ctx); err == nil || sqlcred.IsRefused(err) {
				t.Errorf("connect: got %v, want it given up", err)
			}
			for range 50 { // the server learns of it when it may
				time.Sleep(10 * time.Millisecond)
				if r.wrongLogins() == test.wrong && (test.hostErrors == 0 || r.hostErrors() == test.hostErrors) {
					break
				}
			}
			if got := r.wrongLogins(); got != test.wrong {
				t.Errorf("wrong logins: got %d, want %d", got, test.wrong)
			}
			if !counts {
				return
			}
			if got := r.hostErrors(); got != test.hostErrors {
				t.Errorf("errors of the host: got %d, want %d", got, test.hostErrors)
			}
			if err := r.login(r.user, "p0", r.s.Database); err != nil {
				t.Errorf("login: %v", err)
			}
			if got := r.hostErrors(); got != 0 {
				t.Errorf("errors of the host after a login: got %d, want 0", got)
			}
		})
	}
}

// hostOptions are the options of a MariaDB that blocks a host after n
// interrupted handshakes in a row. For that it looks up the client's name.
func hostOptions(n string) *dbserver.Options {
	return &dbserver.Options{Settings: []string{"skip-name-resolve=0", "max_connect_errors=" + n, "performance_schema=ON"}}
}

// needNames ends a test with hostOptions where names cannot be looked up. An
// answer that there is none will do.
func needNames(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var dnsErr *net.DNSError
	if _, err := net.DefaultResolver.LookupAddr(ctx, "127.0.0.2"); err != nil && !(errors.As(err, &dnsErr) && dnsErr.IsNotFound) {
		t.Skipf("LEFT OUT: names cannot be looked up: %v", err)
	}
}

// lib/pq does not heed the context of a login. Its caller comes back all the
// same.
func TestPqHangs(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[1], nil)
	h := newHoldUp(t, r, false, 1)
	open := func(l sqlcred.Login) (driver.Connector, error) {
		l.Port = h.Addr().(*net.TCPAddr).Port
		return openPq(l)
	}
	c := sqlcred.New(r.client, secretID, open, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("came back after %v", took)
	}
	h.end() // now comes the driver's answer: an error, and a nil pointer beside it
	if err := r.login(r.user, "p0", r.s.Database); err != nil {
		t.Error(err)
	}
}
