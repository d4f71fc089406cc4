package secrets_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

const (
	partialKey = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key"
	oldKey     = partialKey + "-OLD000"
	newKey     = partialKey + "-NEW000"
)

// recreatedService returns a service with a secret, known by name, ARN and partial
// ARN, and what deletes and recreates it.
func recreatedService() (svc *scripted, recreate func()) {
	svc = &scripted{service: newService()}
	add := func(suffix, value string) {
		svc.add("key", suffix, value)
		svc.service.mu.Lock()
		defer svc.service.mu.Unlock()
		svc.secrets[partialKey] = svc.secrets["key"]
	}
	add("OLD000", "old")
	return svc, func() { add("NEW000", "new") }
}

// A version list of a secret that was deleted and recreated goes with it: once
// the new one was read, and at the latest a TTL after, Versions returns nothing
// of the old.
func TestVersionsOfRecreatedSecret(t *testing.T) {
	for _, describes := range []bool{true, false} {
		t.Run(fmt.Sprintf("describes %t", describes), func(t *testing.T) {
			inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) { testVersionsOfRecreated(t, mode, describes) })
		})
	}
}

func testVersionsOfRecreated(t *testing.T, mode secrets.RefreshMode, describes bool) {
	svc, recreate := recreatedService()
	svc.put("key", "v2", "old, second")
	var api secrets.API = svc
	if !describes {
		api = apiFunc(svc.get)
	}
	c := newClient(t, api, &secrets.Options{Refresh: mode})
	versions := func() []string {
		all, err := c.Versions(t.Context(), "key")
		return valuesOf(t, all, err)
	}
	for range 5 {
		text(t, c, "key")
		versions()
		time.Sleep(time.Minute)
	}
	recreate()
	recreated := time.Now()
	for range 400 {
		seen, all := text(t, c, "key"), versions()
		late := time.Since(recreated) > 5*time.Minute+time.Second
		if (late || seen == "new") && !slices.Equal(all, []string{"new"}) {
			t.Fatalf("%v after it was recreated: Get = %q, Versions = %q", time.Since(recreated), seen, all)
		}
		time.Sleep(time.Second)
	}
	time.Sleep(100 * time.Hour)
	if all := versions(); !slices.Equal(all, []string{"new"}) {
		t.Errorf("100 hours later: Versions = %q", all)
	}
}

// Once the new secret was read by any name, reads by every other name get it,
// whichever was read first.
func TestRecreatedSecretByEveryName(t *testing.T) {
	orders := [][]string{{"key", partialKey, oldKey}, {partialKey, "key", oldKey}, {oldKey, partialKey, "key"}, {"key", partialKey}, {partialKey, "key"}, {"key"}, {partialKey}}
	for _, order := range orders {
		for _, by := range []string{newKey, "key", partialKey} {
			t.Run(fmt.Sprint(order, " then ", by), func(t *testing.T) {
				inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) { testRecreatedByName(t, mode, order, by) })
			})
		}
	}
}

func testRecreatedByName(t *testing.T, mode secrets.RefreshMode, order []string, by string) {
	svc, recreate := recreatedService()
	c := newClient(t, svc, &secrets.Options{Refresh: mode})
	for _, id := range order {
		checkText(t, c, "before", id, "old")
	}
	recreate()
	if err := c.Refresh(t.Context(), by); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, id := range []string{"key", partialKey, newKey} {
			checkText(t, c, "after", id, "new")
		}
		if s, err := c.Get(t.Context(), oldKey); errorCode(err) != "ResourceNotFoundException" {
			t.Errorf("Get by the old ARN = %v, %v; want it not found", s, err)
		}
		time.Sleep(time.Hour)
	}
}

// A reader that waits for the refresh of an expired secret is served the new
// one, if its name has come to name another in the meantime.
func TestWaitingReaderOfRecreatedSecret(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		svc, recreate := recreatedService()
		c := newClient(t, svc, &secrets.Options{TTL: time.Minute, StaleWait: 5 * time.Second, Refresh: mode})
		text(t, c, "key")
		time.Sleep(2 * time.Minute)
		svc.next(script{late: 8 * time.Second})
		got := make(chan string, 2)
		go func() {
			s, err := c.Get(ctx, "key")
			if err != nil {
				t.Error(err)
			}
			got <- string(s.Bytes())
		}()
		time.Sleep(time.Second)
		recreate()
		checkText(t, c, "by the new ARN", newKey, "new")
		checkText(t, c, "by a name that was not read", partialKey, "new")
		if v := <-got; v != "new" {
			t.Errorf("the reader that waited got %q, want new", v)
		}
		checkText(t, c, "after that", "key", "new")
	})
}

// Watch yields a new value on an endpoint that gives no version ids.
func TestWatchWithoutVersionIDs(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		svc := newService("key")
		c := newClient(t, apiFunc(func(ctx context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
			out, err := svc.GetSecretValue(ctx, in)
			if err == nil {
				out.VersionId, out.VersionStages = nil, nil
			}
			return out, err
		}), &secrets.Options{TTL: time.Minute, Refresh: mode})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := follow(ctx, secrets.Bind[string](c, "key"))
		synctest.Wait()
		seen.check(t, "at first", "value of key")
		time.Sleep(3 * time.Minute)
		seen.check(t, "without a change")
		for i := range 3 {
			value := strings.Repeat("new", i+1)
			svc.put("key", fmt.Sprint("v", i+2), value)
			time.Sleep(61 * time.Second)
			seen.check(t, "after a change", value)
		}
	})
}

// A secret that is recreated with the version id of the old one is another
// secret: it is yielded, and its ARN is the new one, also where the value is the same.
func TestRecreatedSecretWithTheSameVersionID(t *testing.T) {
	for _, value := range []string{"old", "new"} {
		t.Run(value, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) { testRecreatedSameID(t, mode, value) })
		})
	}
}

func testRecreatedSameID(t *testing.T, mode secrets.RefreshMode, value string) {
	svc, recreate := recreatedService()
	svc.put("key", "the-id", "old")
	c := newClient(t, svc, &secrets.Options{TTL: time.Minute, Refresh: mode})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	texts := follow(ctx, secrets.Bind[string](c, "key"))
	arns := follow(ctx, secrets.BindFunc(c, "key", func(s *secrets.Secret) (string, error) { return s.ARN(), nil }))
	synctest.Wait()
	texts.check(t, "at first", "old")
	arns.check(t, "at first", oldKey)
	recreate()
	svc.service.mu.Lock()
	st := svc.secrets["key"]
	clear(st.versions)
	clear(st.stages)
	st.put("the-id", value)
	svc.service.mu.Unlock()
	time.Sleep(61 * time.Minute) // the value itself is asked for once an hour
	texts.check(t, "after it was recreated", value)
	arns.check(t, "after it was recreated", newKey)
	if s, err := c.Get(ctx, "key"); err != nil || s.ARN() != newKey {
		t.Errorf("Get = %v, %v; its ARN is not the new one", s, err)
	}
}

// The answer to a GetVersion that was asked for before a secret was recreated
// changes nothing of the new one.
func TestLateVersionOfRecreatedSecret(t *testing.T) {
	for name, sel := range map[string]secrets.Selector{"label": secrets.Stage(secrets.Previous), "id": secrets.VersionID("v1-OLD000")} {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) { testLateVersion(t, mode, sel) })
		})
	}
}

func testLateVersion(t *testing.T, mode secrets.RefreshMode, sel secrets.Selector) {
	svc, recreate := recreatedService()
	svc.put("key", "v2", "old, second")
	c := newClient(t, svc, &secrets.Options{Refresh: mode})
	text(t, c, "key")
	svc.next(script{op: "Get", late: 3 * time.Second})
	late := make(chan struct{})
	go func() { defer close(late); c.GetVersion(ctx, "key", sel) }()
	time.Sleep(time.Second)
	recreate()
	if err := c.Refresh(ctx, "key"); err != nil {
		t.Fatal(err)
	}
	<-late
	for range 1000 {
		s, err := c.Get(ctx, "key")
		if err != nil || s.ARN() != newKey || string(s.Bytes()) != "new" {
			t.Fatalf("after the late answer: Get = %v, %v; want the new secret", s, err)
		}
		if old, err := c.GetVersion(ctx, "key", sel); err == nil {
			t.Fatalf("after the late answer: GetVersion = %v of the deleted secret", old)
		}
		time.Sleep(time.Second)
	}
}
