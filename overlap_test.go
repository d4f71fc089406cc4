package secrets_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// The answer of a cold read that was asked for before the service said no is
// neither returned nor cached.
func TestNoOutlastsEarlierColdRead(t *testing.T) {
	for _, code := range []string{"AccessDeniedException", "ResourceNotFoundException"} {
		t.Run(code, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
				svc := &scripted{service: newService("key")}
				c := newClient(t, svc, &secrets.Options{Refresh: mode})
				svc.next(script{op: "Get", late: 3 * time.Second})
				var slow error
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, slow = c.Get(context.Background(), "key")
				}()
				time.Sleep(time.Second)
				svc.next(script{err: coded(code), times: 3})
				if err := c.Refresh(t.Context(), "key"); errorCode(err) != code {
					t.Fatalf("Refresh = %v, want %s", err, code)
				}
				time.Sleep(1500 * time.Millisecond)
				svc.fail(coded(code))
				<-done
				if errorCode(slow) != code {
					t.Errorf("the read that was asked for before: %v, want %s", slow, code)
				}
				if s, err := c.Get(t.Context(), "key"); errorCode(err) != code {
					t.Errorf("Get after that = %v, %v; want %s", s, err, code)
				}
			})
		})
	}
}

// gated is a secret whose validation takes as long as its value says.
type gated struct{ Text, Takes string }

func (v gated) Validate() error {
	d, err := time.ParseDuration(v.Takes)
	time.Sleep(d)
	return err
}

// A version that is being validated while a lagging check confirms the one
// before is adopted soon all the same.
func TestVersionUnderValidationIsNotLost(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		svc := &scripted{service: newService("key")}
		svc.put("key", "v1", `{"Text":"old","Takes":"0s"}`)
		c := newClient(t, svc, &secrets.Options{TTL: time.Hour, Refresh: mode})
		ref := secrets.Bind[gated](c, "key")
		read := func() string {
			v, err := ref.Get(t.Context())
			if err != nil {
				t.Errorf("Get: %v", err)
			}
			return v.Text
		}
		if got := read(); got != "old" {
			t.Fatalf("Get = %q, want old", got)
		}
		lagging := svc.replica()
		time.Sleep(time.Minute)
		svc.put("key", "v2", `{"Text":"new","Takes":"3s"}`)
		first := make(chan error, 1)
		go func() { first <- c.Refresh(context.Background(), "key") }()
		time.Sleep(time.Second)
		svc.next(script{op: "Describe", replica: lagging})
		if err := c.Refresh(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		for range 10 { // a second check within about two seconds, a second validation
			read()
			time.Sleep(time.Second)
		}
		if got := read(); got != "new" {
			t.Errorf("10s after the service showed it: Get = %q, want new", got)
		}
	})
}

// A version is not served beyond its time because replicas that lag show older
// ones in turn.
func TestReplicasInTurnExtendNoService(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		svc := &scripted{service: newService()}
		svc.add("key", "000000", "one")
		old := [2]*service{svc.replica()}
		c := newClient(t, svc, &secrets.Options{TTL: time.Minute, MaxStale: -1, Refresh: mode})
		text(t, c, "key")
		time.Sleep(time.Second)
		svc.put("key", "v2", "two")
		old[1] = svc.replica()
		if err := c.Refresh(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		svc.put("key", "v3", "three")
		if err := c.Refresh(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		checkText(t, c, "at first", "key", "three")
		confirmed := time.Now()
		var turn int
		var described bool
		svc.on(func(string, string) error {
			if !described {
				turn++
			}
			svc.secrets, described = old[turn%2].secrets, false
			return nil
		}, func(string) error {
			turn, described = turn+1, true
			svc.secrets = old[turn%2].secrets
			return nil
		})
		for range 500 {
			s, err := c.Get(t.Context(), "key")
			if age := time.Since(confirmed); age >= time.Minute && err == nil && s.VersionID() == "v3" {
				t.Fatalf("%v after the service last showed it: Get = %v", age, s)
			}
			time.Sleep(500 * time.Millisecond)
			synctest.Wait()
		}
	})
}
