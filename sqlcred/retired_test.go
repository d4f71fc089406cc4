package sqlcred_test

import (
	"database/sql/driver"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// Retired asks nobody: a secret that the client does not have in memory stays
// that way, and no request is made for it.
func TestRetiredDoesNoIO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		var last sqlcred.Login
		open := func(l sqlcred.Login) (driver.Connector, error) {
			last = l
			return server.opener(l)
		}
		c := sqlcred.New(client, secretName, open, nil)
		defer c.Close()
		if c.Retired(sqlcred.Login{}) {
			t.Error("retired before the first login")
		}
		synctest.Wait()
		if got := len(srv.Calls()); got != 0 {
			t.Errorf("calls before the first login: got %d, want 0", got)
		}

		connect(t.Context(), t, c)
		hang(srv)
		time.Sleep(100 * time.Hour) // nobody reads the secret: it is not even served stale
		calls, start := len(srv.Calls()), time.Now()
		if c.Retired(last) {
			t.Error("retired although the current version is not known")
		}
		synctest.Wait()
		if got := len(srv.Calls()); got != calls || time.Since(start) != 0 {
			t.Errorf("calls of Retired: got %d in %v, want 0", got-calls, time.Since(start))
		}

		client.Close()
		if c.Retired(last) {
			t.Error("retired after the client was closed")
		}
	})
}

// A new connector of the same secret shares the client's memory, so it knows
// without a request.
func TestRetiredKnowsWhatIsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "one")
		var last sqlcred.Login
		open := func(l sqlcred.Login) (driver.Connector, error) {
			last = l
			return server.opener(l)
		}
		c := sqlcred.New(client, secretName, open, nil)
		defer c.Close()
		connect(t.Context(), t, c)
		one := last
		srv.Put(secretName, secretOf("app", "two"))
		if _, err := client.Get(t.Context(), secretName); err != nil {
			t.Fatal(err)
		}
		if c.Retired(one) {
			t.Error("retired before the client has noticed")
		}
		if err := client.Refresh(t.Context(), secretName); err != nil {
			t.Fatal(err)
		}
		calls := len(srv.Calls())
		if !c.Retired(one) {
			t.Error("not retired although the client has noticed")
		}
		if got := len(srv.Calls()); got != calls {
			t.Errorf("calls of Retired: got %d, want 0", got-calls)
		}
		if got, want := srv.VersionID(secretName, secrets.Current), one.VersionID; got == want {
			t.Error("the version did not change")
		}
	})
}
