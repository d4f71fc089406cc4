package sqlcred_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// pool is a database/sql pool that tells whether a connection was reused.
type pool struct {
	t      *testing.T
	db     *sql.DB
	server *fakeDB
}

// logins runs a query and returns with which passwords the server was logged
// in to for it.
func (p pool) logins() []string {
	p.t.Helper()
	before := len(p.server.loginsSoFar())
	if _, err := p.db.ExecContext(p.t.Context(), "query"); err != nil {
		p.t.Errorf("query: %v", err)
	}
	return p.server.loginsSoFar()[before:]
}

func (p pool) want(what string, logins ...string) {
	p.t.Helper()
	if got := p.logins(); !slices.Equal(got, logins) {
		p.t.Errorf("%s: logins %v, want %v", what, got, logins)
	}
}

func TestRetireAfterRotation(t *testing.T) {
	for _, retire := range []bool{false, true} {
		t.Run(fmt.Sprint(retire), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, client := newClient(t, secretOf("app", "one"))
				server := newFakeDB("app", "one")
				db := openDB(t, sqlcred.New(client, secretName, server.opener, &sqlcred.Options{RetireAfterRotation: retire}))
				p := pool{t, db, server}
				p.want("first", "app:one")
				p.want("again")

				pending := srv.PutPending(secretName, secretOf("app", "two"))
				server.setPassword("app", "two")
				p.want("in the window")
				srv.MoveStage(secretName, secrets.Current, pending)
				time.Sleep(10 * time.Minute) // the client learns of it
				if retire {
					p.want("after the rotation", "app:two")
					p.want("and again")
				} else {
					p.want("after the rotation")
				}
				if got := server.connections(); got != 1 {
					t.Errorf("open connections: got %d, want 1", got)
				}
			})
		})
	}
}

// A connection opened in the window, with the pending version, is not retired
// because that is not current yet, nor when it has become so.
func TestConnectionOfTheWindowStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		pending := srv.PutPending(secretName, secretOf("app", "two"))
		server := newFakeDB("app", "two")
		db := openDB(t, sqlcred.New(client, secretName, server.opener, &sqlcred.Options{RetireAfterRotation: true}))
		p := pool{t, db, server}
		p.want("cold start in the window", "app:one", "app:two")
		time.Sleep(10 * time.Minute)
		p.want("in the window")
		srv.MoveStage(secretName, secrets.Current, pending)
		time.Sleep(10 * time.Minute)
		p.want("after the rotation")

		server.setPassword("app", "three")
		srv.Put(secretName, secretOf("app", "three"))
		time.Sleep(10 * time.Minute)
		if got := p.logins(); len(got) == 0 || got[len(got)-1] != "app:three" {
			t.Errorf("after the next rotation: logins %v, want the last with app:three", got)
		}
	})
}

// Drivers that ask by themselves get the same answers.
func TestRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		var last sqlcred.Login
		c := sqlcred.New(client, secretName, func(l sqlcred.Login) (driver.Connector, error) {
			last = l
			return server.opener(l)
		}, nil)
		check := func(what string, l sqlcred.Login, want bool) {
			t.Helper()
			if got := c.Retired(l); got != want {
				t.Errorf("%s: retired %v, want %v", what, got, want)
			}
		}
		connect(t.Context(), t, c)
		one := last
		check("first", one, false)
		pending := srv.PutPending(secretName, secretOf("app", "two"))
		server.setPassword("app", "two")
		connect(t.Context(), t, c)
		two := last
		check("old one in the window", one, false)
		check("new one in the window", two, false)
		srv.MoveStage(secretName, secrets.Current, pending)
		client.Refresh(t.Context(), secretName)
		check("old one after the rotation", one, true)
		check("new one after the rotation", two, false)
		check("one of nobody's", sqlcred.Login{}, false)
	})
}

// Fifty idle connections are replaced without a failed query.
func TestRetireManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		db := openDB(t, sqlcred.New(client, secretName, server.opener, &sqlcred.Options{RetireAfterRotation: true}))
		db.SetMaxIdleConns(50)
		fill := func() {
			var conns []*sql.Conn
			for range 50 {
				conn, err := db.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, conn)
			}
			for _, conn := range conns {
				conn.Close()
			}
		}
		fill()
		srv.Put(secretName, secretOf("app", "two"))
		server.setPassword("app", "two")
		time.Sleep(10 * time.Minute)
		fill()
		want := append(slices.Repeat([]string{"app:one"}, 50), slices.Repeat([]string{"app:two"}, 50)...)
		if got := server.loginsSoFar(); !slices.Equal(got, want) {
			t.Errorf("logins: got %d %v, want 50 with each version", len(got), got)
		}
		if got := server.connections(); got != 50 {
			t.Errorf("open connections: got %d, want 50", got)
		}
	})
}

// Resetting a connection does not wait for Secrets Manager.
func TestResetDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{RetireAfterRotation: true})
		conn := connect(t.Context(), t, c)
		hang(srv)
		time.Sleep(100 * time.Hour) // nobody has read the secret: it is not even served stale
		start := time.Now()
		if err := conn.(driver.SessionResetter).ResetSession(t.Context()); err != nil {
			t.Errorf("reset: %v, want it to stay", err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("reset took %v", got)
		}
		client.Close()
		if err := conn.(driver.SessionResetter).ResetSession(t.Context()); err != nil {
			t.Errorf("reset after the client was closed: %v, want it to stay", err)
		}
	})
}
