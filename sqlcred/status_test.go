package sqlcred_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

func TestConnectorStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newFakeDB("app", "old")
		srv, client := newClient(t, secretOf("app", "old"))
		c := sqlcred.New(client, secretName, db.opener, nil)
		defer c.Close()
		if st := c.Status(); st.Version != "" || st.Stage != "" || st.Rotating {
			t.Errorf("before the first login: %+v, want no version", st)
		}
		if n := srv.Count(); n != 0 {
			t.Errorf("Status made %d calls", n)
		}
		connect(t.Context(), t, c).Close()
		old := srv.VersionID(secretName, secrets.Current)
		if st := c.Status(); st.Version != old || st.Stage != secrets.Current || st.Secret.Name != secretName {
			t.Errorf("after a login: version %s of %q by %s, want %s of %q", st.Version, st.Secret.Name, st.Stage, old, secretName)
		}

		pending := srv.PutPending(secretName, secretOf("app", "new"))
		db.setPassword("app", "new")
		connect(t.Context(), t, c).Close()
		st := c.Status()
		if st.Version != pending || st.Stage != secrets.Pending || !st.Rotating {
			t.Errorf("with a fallback: version %s by %s, rotating %t; want %s by AWSPENDING", st.Version, st.Stage, st.Rotating, pending)
		}
		if st.WrongLogins != 1 || st.Secret.Version != old {
			t.Errorf("%d wrong logins, current version %s; want 1 and %s", st.WrongLogins, st.Secret.Version, old)
		}
	})
}

func TestConnectorStatusGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newFakeDB("app", "old")
		db.latency = time.Second
		_, client := newClient(t, secretOf("app", "old"))
		c := sqlcred.New(client, secretName, db.opener, &sqlcred.Options{MaxLogins: 2})
		defer c.Close()
		var done sync.WaitGroup
		for range 5 {
			done.Go(func() { connect(t.Context(), t, c).Close() })
		}
		time.Sleep(time.Second / 2)
		if st := c.Status(); st.UnderWay != 2 || st.Waiting != 3 {
			t.Errorf("%d logins under way and %d wait, want 2 and 3", st.UnderWay, st.Waiting)
		}
		done.Wait()
		if st := c.Status(); st.UnderWay != 0 || st.Waiting != 0 {
			t.Errorf("at the end %d logins under way and %d wait, want none", st.UnderWay, st.Waiting)
		}
	})
}

// What the connector counts as wrong is what the server logged, also of callers
// who left; Stats.Rejections counts none that the server did not see.
func TestWrongLoginsAreTheServers(t *testing.T) {
	for _, logins := range []int{-1, 1, 4} {
		synctest.Test(t, func(t *testing.T) {
			db := newFakeDB("app", "old")
			srv, client := newClient(t, secretOf("app", "old"))
			c := sqlcred.New(client, secretName, db.opener, &sqlcred.Options{MaxLogins: logins})
			connect(t.Context(), t, c).Close()
			srv.PutPending(secretName, secretOf("app", "new"))
			db.setPassword("app", "new")
			db.latency = 100 * time.Millisecond
			var done sync.WaitGroup
			for i := range 20 {
				done.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					if i%5 == 4 {
						ctx, cancel = context.WithTimeout(ctx, 150*time.Millisecond) // leaves when the password is sent
					}
					defer cancel()
					if conn, err := c.Connect(ctx); err == nil {
						conn.Close()
					}
				})
			}
			done.Wait()
			time.Sleep(time.Minute)
			c.Close()
			wrong := uint64(db.wrongLogins())
			if got := c.Status().WrongLogins; got != wrong || wrong == 0 {
				t.Errorf("MaxLogins %d: %d wrong logins, the server logged %d", logins, got, wrong)
			}
			if got := client.Stats().Rejections; got > wrong {
				t.Errorf("MaxLogins %d: %d rejections, the server logged %d wrong logins", logins, got, wrong)
			}
		})
	}
}
