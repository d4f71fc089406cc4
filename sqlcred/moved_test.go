package sqlcred_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// hosts are servers by name; others do not answer, or refuse connections.
type hosts struct {
	silent bool // those that are gone do not answer

	mu sync.Mutex // guards up
	up map[string]*fakeDB
}

func (h *hosts) move(from, to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up[to] = h.up[from]
	delete(h.up, from)
}

func (h *hosts) open(l sqlcred.Login) (driver.Connector, error) {
	return connectorFunc(func(ctx context.Context) (driver.Conn, error) {
		h.mu.Lock()
		db := h.up[l.Host]
		h.mu.Unlock()
		if db != nil {
			return (&fakeConnector{db, l}).Connect(ctx)
		}
		if h.silent {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, dialError
	}), nil
}

func at(host, password string) string {
	text, err := json.Marshal(map[string]any{"host": host, "port": 5432, "username": "app", "password": password})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// The database moves and the secret with it. The login that fails first finds
// that out, and goes to the new server.
func TestServerMoves(t *testing.T) {
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			srv, client := newClient(t, at("old", "one"))
			h := &hosts{silent: silent, up: map[string]*fakeDB{"old": newFakeDB("app", "one")}}
			c := sqlcred.New(client, secretName, h.open, nil)
			defer c.Close()
			connect(t.Context(), t, c)
			time.Sleep(10 * time.Second)
			h.move("old", "new")
			srv.Put(secretName, at("new", "one"))
			start := time.Now()
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { connect(t.Context(), t, c) })
			}
			wg.Wait()
			limit := time.Second
			if silent {
				limit = 5 * time.Second
			}
			if got := time.Since(start); got > limit {
				t.Errorf("silent %v: connected after %v, want %v at most", silent, got, limit)
			}
			time.Sleep(5 * time.Second)
		})
	}
}

// The secret follows the database late: it is checked every five seconds, not
// more often, and every login in between fails with the driver's own error.
func TestServerMovesBeforeTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, at("old", "one"))
		h := &hosts{up: map[string]*fakeDB{"old": newFakeDB("app", "one")}}
		c := sqlcred.New(client, secretName, h.open, nil)
		defer c.Close()
		connect(t.Context(), t, c)
		h.move("old", "new")
		before := srv.Count(secretstest.Call{})
		for range 60 {
			if _, err := c.Connect(t.Context()); !errors.Is(err, dialError) {
				t.Fatalf("got %v, want %v", err, dialError)
			}
			time.Sleep(time.Second / 2)
		}
		if got := srv.Count(secretstest.Call{}) - before; got < 5 || got > 8 {
			t.Errorf("calls to the service in 30s: got %d, want one every 5s", got)
		}
		srv.Put(secretName, at("new", "one"))
		start := time.Now()
		for {
			if _, err := c.Connect(t.Context()); err == nil {
				break
			}
			time.Sleep(time.Second / 10)
		}
		if got := time.Since(start); got > 5*time.Second+200*time.Millisecond {
			t.Errorf("connected after %v, want 5s at most", got)
		}
	})
}

// A service that does not answer delays a failed login no longer than its
// context lasts, and Close ends it.
func TestServerDownAndServiceToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, at("old", "one"))
		h := &hosts{up: map[string]*fakeDB{"old": newFakeDB("app", "one")}}
		c := sqlcred.New(client, secretName, h.open, nil)
		connect(t.Context(), t, c)
		h.move("old", "new")
		hang(srv)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := c.Connect(ctx); !errors.Is(err, dialError) {
			t.Errorf("got %v, want %v", err, dialError)
		}
		if got := time.Since(start); got > time.Second {
			t.Errorf("the error came after %v, want 1s at most", got)
		}
		c.Close()
	})
}
