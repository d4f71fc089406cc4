package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func TestStatusOfAVersion(t *testing.T) {
	overModes(t, func(t *testing.T, o *secrets.Options) {
		o.TTL = time.Minute
		srv := secretstest.New(t, secretstest.Secrets{"a": "one"})
		c := open(t, srv.Client(), o)
		begin := time.Now()
		text(t, c, "a")
		time.Sleep(time.Second)
		text(t, c, srv.ARN("a"))
		st, ok := c.Status("a")
		if !ok || st.Name != "a" || st.ARN != srv.ARN("a") || !slices.Contains(append(st.Alias, st.ID), srv.ARN("a")) || !slices.Contains(append(st.Alias, st.ID), "a") {
			t.Errorf("which it is: %+v", st)
		}
		version := srv.VersionID("a", secrets.Current)
		if st.Version != version || st.Serving != version || !slices.Equal(st.Stages, []string{secrets.Current}) || !st.Created.Equal(begin) {
			t.Errorf("its version: %+v", st)
		}
		for what, at := range map[string]time.Time{"adopted": st.Adopted, "fetched": st.Fetched, "confirmed": st.Confirmed} {
			if !at.Equal(begin) {
				t.Errorf("%s at %v, want %v", what, at, begin)
			}
		}
		if life := st.Expires.Sub(begin); life < 54*time.Second || life > time.Minute {
			t.Errorf("expires after %v", life)
		}
		if ahead := o.Refresh == secrets.RefreshAhead; ahead != (st.NextCheck.After(begin) && st.NextCheck.Before(st.Expires)) || !ahead && !st.NextCheck.IsZero() {
			t.Errorf("next check at %v, expires at %v", st.NextCheck, st.Expires)
		}
		if st.Failures != 0 || !st.StaleSince.IsZero() || len(st.Recent)+len(st.Pins)+len(st.Refused)+st.Watchers != 0 || st.Checking {
			t.Errorf("all is well: %+v", st)
		}
		id := srv.PutStages("a", "two", secrets.Current, "blue")
		c.Refresh(ctx, "a")
		srv.MoveStage("a", "green", id)
		c.Refresh(ctx, "a")
		st, _ = c.Status("a")
		if !slices.Equal(st.Stages, []string{secrets.Current, "blue", "green"}) {
			t.Errorf("labels %v", st.Stages)
		}
		if len(st.Recent) != 1 || st.Recent[0].Kind != secrets.EventAdopted || st.Recent[0].From != version || st.Recent[0].Version != id {
			t.Errorf("recent: %+v", st.Recent)
		}
		if _, ok := c.Status("absent"); ok {
			t.Error("a secret that was never read has a status")
		}
		c.Get(ctx, "absent")
		if st, ok := c.Status("absent"); ok || st.LastClass != secrets.ClassMissing || st.ID != "absent" {
			t.Errorf("Status of a secret that does not exist: %+v, %t", st, ok)
		}
	})
}

func TestStatusOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "one"})
		c := open(t, srv.Client(), &secrets.Options{TTL: time.Minute})
		text(t, c, "a")
		begin := time.Now()
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Code: "ThrottlingException"})
		for range 3 {
			time.Sleep(time.Second)
			c.Refresh(ctx, "a")
		}
		last := time.Now()
		st, _ := c.Status("a")
		if st.Failures < 3 || st.LastClass != secrets.ClassThrottled || st.FailingSince.Before(begin) || st.LastFailure.After(last) || st.LastFailure.Before(st.FailingSince) {
			t.Errorf("failing: %+v", st)
		}
		srv.ClearFaults()
		c.Refresh(ctx, "a")
		st, _ = c.Status("a")
		if st.Failures != 0 || !st.FailingSince.IsZero() || st.LastClass != secrets.ClassThrottled || st.LastFailure.IsZero() {
			t.Errorf("recovered: %+v", st)
		}
		var kinds []string
		for _, e := range st.Recent {
			kinds = append(kinds, e.Kind.String())
			if e.Err != nil {
				t.Errorf("Recent holds an error: %v", e.Err)
			}
		}
		if got, want := fmt.Sprint(kinds), "[failed recovered]"; got != want {
			t.Errorf("recent %s, want %s", got, want)
		}
	})
}

func TestStatusOfARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "old"})
		c := open(t, srv.Client(), &secrets.Options{TTL: time.Minute})
		one, two := secrets.Bind[string](c, "a"), secrets.Bind[*secrets.Secret](c, "a")
		if st, ok := one.Status(); ok || st.Serving != "" {
			t.Errorf("before the first read: %+v, %t", st, ok)
		}
		one.Get(ctx)
		old := srv.VersionID("a", secrets.Current)
		pending := srv.PutPending("a", "new")
		secrets.Try(ctx, one, func(_ context.Context, v string) (int, error) {
			if v == "old" {
				return 0, secrets.Rejected(errors.New("no"))
			}
			return 0, nil
		})
		begin := time.Now()
		st, _ := one.Status()
		if len(st.Pins) != 1 || st.Pins[0].Version != pending || st.Pins[0].From != old || st.Serving != old || st.Version != old {
			t.Errorf("the handle that uses another version: %+v", st)
		}
		if r := st.Rotation; r.Phase != secrets.RotationInProgress || r.PendingVersion != pending || !r.Since.Equal(begin) {
			t.Errorf("the rotation: %+v", r)
		}
		if st, _ := two.Status(); len(st.Pins) != 0 || st.Serving != "" {
			t.Errorf("the other handle: %+v", st)
		}
		if st, _ := c.Status("a"); len(st.Pins) != 1 {
			t.Errorf("the secret: %+v", st.Pins)
		}
		for range 25 * 60 {
			time.Sleep(time.Minute)
			one.Get(ctx)
		}
		if st, _ := c.Status("a"); st.Rotation.Phase != secrets.RotationFailed {
			t.Errorf("after a day: %+v", st.Rotation)
		}
	})
}

func TestStatusOfTypesAndWatchers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": `{"Limit":1}`})
		c := open(t, srv.Client(), nil)
		good, any := secrets.Bind[limits](c, "a"), secrets.Bind[string](c, "a")
		good.Get(ctx)
		any.Get(ctx)
		first := srv.VersionID("a", secrets.Current)
		watching, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range good.Watch(watching) {
			}
		}()
		synctest.Wait()
		if st, _ := c.Status("a"); st.Watchers != 1 {
			t.Errorf("%d watchers, want 1", st.Watchers)
		}
		stop()
		<-done
		bad := srv.Put("a", `{"Limit":-1}`)
		c.Refresh(ctx, "a")
		if st, _ := c.Status("a"); st.Watchers != 0 || st.Version != bad || len(st.Refused) != 1 || st.Refused[0].From != first || secrets.ClassOf(st.Refused[0].Err) != secrets.ClassDecode {
			t.Errorf("a version that one type refuses: %+v", st)
		}
		if st, _ := good.Status(); st.Serving != first || st.Version != bad || len(st.Refused) != 1 {
			t.Errorf("the handle that refuses it: %+v", st)
		}
		if st, _ := any.Status(); st.Serving != bad || len(st.Refused) != 0 {
			t.Errorf("the handle that takes it: %+v", st)
		}
	})
}

// Statuses shows each secret once, however it is called, and holds no lock.
func TestStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := secretstest.Secrets{}
		for i := range 300 {
			all[fmt.Sprintf("s%03d", i)] = "x"
		}
		srv := secretstest.New(t, all)
		c := open(t, srv.Client(), nil)
		for name := range all {
			text(t, c, name)
			text(t, c, srv.ARN(name))
		}
		calls := srv.Count()
		seen := map[string]int{}
		for st := range c.Statuses() {
			seen[st.Name]++
			text(t, c, st.Name)
			if len(seen) == 100 {
				srv.ScheduleDeletion("s299")
				c.Refresh(ctx, st.ID)
			}
		}
		for name, n := range seen {
			if n != 1 {
				t.Errorf("%s was shown %d times", name, n)
			}
		}
		if len(seen) != 300 || srv.Count() > calls+2 {
			t.Errorf("%d secrets shown with %d calls, want 300 with the one Refresh", len(seen), srv.Count()-calls)
		}
		n := 0
		for range c.Statuses() {
			if n++; n == 70 {
				break
			}
		}
		c.Close()
		for range c.Statuses() {
			t.Error("a closed client shows secrets")
		}
	})
}
