package secrets_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// checkFirst fails if the first of Versions is not what Get returns, or not want.
func checkFirst(t *testing.T, c *secrets.Client, when, want string) bool {
	t.Helper()
	all, err := c.Versions(t.Context(), "key")
	if err != nil || len(all) == 0 {
		t.Errorf("%s: Versions = %v, %v", when, all, err)
		return false
	}
	s, err := c.Get(t.Context(), "key")
	switch {
	case err != nil || s.VersionID() != want:
		t.Errorf("%s: Get = %v, %v; want version %s", when, s, err, want)
	case all[0].VersionID() != want:
		t.Errorf("%s: Versions begins with %v, want version %s", when, all[0], want)
	default:
		return true
	}
	return false
}

// rotatedService returns a service with a secret that has versions v1 and,
// current, v2, and a replica of when v1 was.
func rotatedService(t *testing.T) (_ *scripted, lagging *service) {
	svc := &scripted{service: newService("key")}
	svc.put("key", "v1", "one")
	lagging = svc.replica()
	time.Sleep(time.Minute)
	svc.put("key", "v2", "two")
	return svc, lagging
}

// describedOrNot runs fn in each refresh mode, with DescribeSecret and without.
func describedOrNot(t *testing.T, fn func(t *testing.T, svc *scripted, c *secrets.Client, lagging *service)) {
	for _, describes := range []bool{true, false} {
		t.Run(fmt.Sprintf("describes %t", describes), func(t *testing.T) {
			inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
				svc, lagging := rotatedService(t)
				var api secrets.API = svc
				if !describes {
					api = apiFunc(svc.get)
				}
				fn(t, svc, newClient(t, api, &secrets.Options{Refresh: mode}), lagging)
			})
		})
	}
}

// A version that is adopted while Versions is being answered is the first of
// what it returns from then on.
func TestVersionsUnderWayGiveWayToNewVersion(t *testing.T) {
	describedOrNot(t, func(t *testing.T, svc *scripted, c *secrets.Client, _ *service) {
		text(t, c, "key")
		svc.next(script{op: "Get", stage: secrets.Previous, late: 2 * time.Second})
		go c.Versions(ctx, "key")
		time.Sleep(time.Second)
		svc.put("key", "v3", "three")
		if err := c.Refresh(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		for range 3000 {
			if !checkFirst(t, c, "after the refresh", "v3") {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// Versions does not go back where Get does not: one answer of a replica that lags
// changes neither, whoever asked for it.
func TestVersionsStayWithGetWhenAReplicaLags(t *testing.T) {
	list := func(c *secrets.Client) { c.Versions(ctx, "key"); c.Versions(ctx, "key") }
	for name, ask := range map[string]struct{ before, then func(*secrets.Client) }{
		"first Versions":   {func(*secrets.Client) {}, list},
		"expired Versions": {func(c *secrets.Client) { list(c); time.Sleep(6 * time.Minute) }, list},
		"Refresh":          {list, func(c *secrets.Client) { c.Refresh(ctx, "key") }},
	} {
		t.Run(name, func(t *testing.T) {
			describedOrNot(t, func(t *testing.T, svc *scripted, c *secrets.Client, lagging *service) {
				text(t, c, "key")
				ask.before(c)
				svc.next(script{op: "Describe", replica: lagging})
				ask.then(c)
				for range 100 {
					if !checkFirst(t, c, "after a DescribeSecret that a replica answered", "v2") {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		})
	}
}

// However old the values are that Versions returns, one check that a replica
// answers which lags does not make Get go back.
func TestOldListsDoNotMakeGetGoBack(t *testing.T) {
	for _, after := range []time.Duration{58, 60, 61, 64, 90, 150} {
		t.Run(fmt.Sprint(after*time.Minute), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc, lagging := rotatedService(t)
				c := newClient(t, svc, nil)
				for range after {
					if !checkFirst(t, c, "as long as all is well", "v2") {
						return
					}
					time.Sleep(time.Minute)
				}
				svc.next(script{replica: lagging, times: 10})
				if err := c.Refresh(t.Context(), "key"); err != nil {
					t.Fatal(err)
				}
				svc.forget()
				for range 100 {
					if !checkFirst(t, c, "after one check that a replica answered", "v2") {
						return
					}
					time.Sleep(time.Second)
				}
				all, err := c.Versions(t.Context(), "key")
				if got := valuesOf(t, all, err); !slices.Equal(got, []string{"two", "one"}) {
					t.Errorf("Versions = %q", got)
				}
			})
		})
	}
}
