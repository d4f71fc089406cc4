package sqlcredtest_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A hook AfterNetConnect that a program has given to pgx is called as before, and
// what it returns counts.
func TestPgxHookIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[0], nil)
	var calls atomic.Int32
	refuse := errors.New("no such network")
	r.open = func(l sqlcred.Login) (driver.Connector, error) {
		dsn, err := l.DSN("pgx", nil)
		if err != nil {
			return nil, err
		}
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		cfg.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
			if calls.Add(1) == 2 {
				return conn, refuse
			}
			return conn, nil
		}
		return stdlib.GetConnector(*cfg), nil
	}
	c := r.connector(nil)
	defer c.Close()
	connect := func() (driver.Conn, error) { return c.Connect(t.Context()) }
	conn, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	if c := conn.(*stdlib.Conn).Conn().PgConn().Conn(); c == nil {
		t.Error("pgx has no connection")
	} else if _, ok := c.(*net.TCPConn); !ok {
		t.Errorf("pgx has a %T in place of the connection that the hook returned", c)
	}
	conn.Close()
	if _, err := connect(); !errors.Is(err, refuse) {
		t.Errorf("got %v, want the hook's error", err)
	}
	if conn, err = connect(); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := calls.Load(); got != 3 {
		t.Errorf("the hook was called %d times, want 3", got)
	}
}

// A countingDialer is one that a program has given to lib/pq.
type countingDialer struct {
	net.Dialer
	calls *atomic.Int32
}

func (d countingDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout(network, address, timeout)
}

func (d countingDialer) Dial(network, address string) (net.Conn, error) {
	return net.Dial(network, address)
}

func (d countingDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.calls.Add(1)
	return d.Dialer.DialContext(ctx, network, address)
}

// A dialer that a program has given to lib/pq is used as before, and its logins
// wait for their turn when it dials.
func TestPqDialerIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[1], nil)
	var calls atomic.Int32
	r.open = func(l sqlcred.Login) (driver.Connector, error) {
		dsn, err := l.DSN("postgres", nil)
		if err != nil {
			return nil, err
		}
		c, err := pq.NewConnector(dsn)
		if err == nil {
			c.Dialer(countingDialer{calls: &calls})
		}
		return c, err
	}
	c := r.connector(nil)
	defer c.Close()
	r.setSecret()
	errs := make(chan error)
	for range 10 {
		go func() {
			conn, err := c.Connect(t.Context())
			if err == nil {
				conn.Close()
			}
			errs <- err
		}()
	}
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if calls.Load() < 10 {
		t.Errorf("the dialer was called %d times, want 10 or more", calls.Load())
	}
	if got := r.wrongLogins(); got != 1 {
		t.Errorf("wrong logins: got %d, want 1", got)
	}
}
