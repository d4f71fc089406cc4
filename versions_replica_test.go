package secrets_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

func checkVersionsOf(t *testing.T, c *secrets.Client, id, when string, want ...string) {
	t.Helper()
	all, err := c.Versions(t.Context(), id)
	if got := valuesOf(t, all, err); !slices.Equal(got, want) {
		t.Errorf("%s: Versions = %q, want %q", when, got, want)
	}
}

// Labels that the primary has shown do not go back because a replica lags: not
// those of Versions, nor those that GetVersion is asked for.
func TestLabelsOfAReplicaThatLags(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		names, srv := numbered(t, 1)
		id := names[0]
		srv.Put(id, "two")
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Refresh: mode})
		time.Sleep(3 * time.Hour)
		srv.Put(id, "three")
		srv.PutPending(id, "four")
		all := func(when string) {
			t.Helper()
			checkVersionsOf(t, c, id, when, "three", "four", "two")
			for stage, want := range map[string]string{secrets.Previous: "two", secrets.Pending: "four"} {
				s, err := c.GetVersion(t.Context(), id, secrets.Stage(stage))
				if err != nil {
					t.Errorf("%s: GetVersion of %s: %v", when, stage, err)
				} else if text, _ := s.Text(); text != want {
					t.Errorf("%s: GetVersion of %s = %q, want %q", when, stage, text, want)
				}
			}
		}
		all("by the primary")
		endLag := srv.LaggingReplica(west, 90*time.Minute)
		end := srv.RegionOutage(east)
		for range 60 {
			time.Sleep(time.Minute)
			all("while the replica lags")
		}
		end()
		endLag()
		time.Sleep(time.Minute)
		all("home again")
	})
}

// A replica that has the current version, and not yet the labels of others that
// the primary has shown, lags too.
func TestOtherLabelsOfAReplicaThatLags(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		names, srv := numbered(t, 1)
		id := names[0]
		srv.Put(id, "two")
		srv.Put(id, "three")
		time.Sleep(10 * time.Minute) // the replica gets to know these
		srv.PutPending(id, "four")
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Refresh: mode})
		checkVersionsOf(t, c, id, "by the primary", "three", "four", "two")
		endLag := srv.LaggingReplica(west, 5*time.Minute)
		end := srv.RegionOutage(east)
		for i := range 60 {
			if i == 30 { // it catches up, and serves what it has
				endLag()
			}
			checkVersionsOf(t, c, id, "while the primary is down", "three", "four", "two")
			time.Sleep(5 * time.Second)
		}
		end()
		time.Sleep(time.Minute)
		srv.MoveStage(id, secrets.Current, srv.VersionID(id, secrets.Pending))
		if err := c.Refresh(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		checkVersionsOf(t, c, id, "home again", "four", "three")
	})
}

// A label that moved on is taken from a replica that does not lag.
func TestLabelsMoveOnAtAReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 1)
		id := names[0]
		srv.Put(id, "two")
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}})
		checkVersionsOf(t, c, id, "by the primary", "two", "one")
		time.Sleep(time.Second)
		srv.PutPending(id, "three")
		end := srv.RegionOutage(east)
		defer end()
		if err := c.Refresh(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		checkVersionsOf(t, c, id, "by the replica", "two", "three", "one")
	})
}

// A cold GetVersion is answered by a replica while the primary is down.
func TestColdVersionOfAReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 1)
		srv.Put(names[0], "two")
		defer srv.RegionOutage(east)()
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}})
		if s, err := c.GetVersion(t.Context(), names[0], secrets.Stage(secrets.Previous)); err != nil {
			t.Error(err)
		} else if text, _ := s.Text(); text != "one" {
			t.Errorf("GetVersion = %q, want one", text)
		}
		checkVersionsOf(t, c, names[0], "by the replica", "two", "one")
	})
}
