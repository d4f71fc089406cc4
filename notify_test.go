package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsevents"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// moved returns the native event for a label on a version of a secret.
func moved(arn, name, label, version string) []byte {
	return fmt.Appendf(nil, `{"source":"aws.secretsmanager","detail-type":"Secret Label Updated","account":"123456789012","resources":[%q],"detail":{"name":%q,"labelUpdated":%q,"versionId":%q}}`,
		arn, name, label, version)
}

// trailed returns the event that CloudTrail makes of an operation.
func trailed(op, account, secret string) []byte {
	return fmt.Appendf(nil, `{"source":"aws.secretsmanager","detail-type":"AWS API Call via CloudTrail","account":%q,"detail":{"eventSource":"secretsmanager.amazonaws.com","eventName":%q,"requestParameters":{"secretId":%q}}}`,
		account, op, secret)
}

// handle hands over an event and fails unless it causes a check, or none.
func handle(t *testing.T, c *secrets.Client, event []byte, want bool) {
	t.Helper()
	if got, err := c.HandleEvent(t.Context(), event); err != nil || got != want {
		t.Errorf("HandleEvent = %t, %v; want %t", got, err, want)
	}
}

const arnOfS = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-000000"

// long are options with a TTL that no test waits for.
func long(mode secrets.RefreshMode) *secrets.Options {
	return &secrets.Options{TTL: time.Hour, Refresh: mode}
}

func TestHandleEventOfTheFake(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one", "other": "x"})
		c := open(t, srv.Client(), long(mode))
		srv.OnEvent(func(e []byte) {
			if _, err := c.HandleEvent(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
		checkText(t, c, "before", "s", "one")
		before := c.Stats()
		srv.Put("s", "two")
		srv.Put("other", "y") // which is not cached
		synctest.Wait()
		time.Sleep(secrets.DefaultEventJitter + time.Second)
		checkText(t, c, "after", "s", "two")
		if st := c.Stats().Sub(before); st.Calls() != 2 {
			t.Errorf("a new version cost %d calls, want 2", st.Calls())
		}
	})
}

func TestHandleEventWithoutEffect(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		s := newService("s", "t")
		c := newClient(t, s, long(mode))
		text(t, c, "s")
		text(t, c, "t")
		calls := s.calls()
		for name, event := range map[string][]byte{
			"the current version":   moved(arnOfS, "s", "AWSCURRENT", "v1-000000"),
			"an unknown secret":     moved(strings.Replace(arnOfS, ":s-", ":u-", 1), "u", "AWSCURRENT", "v2"),
			"another account":       moved(strings.Replace(arnOfS, "123456789012", "210987654321", 1), "s", "AWSCURRENT", "v2"),
			"another account, name": trailed("PutSecretValue", "210987654321", "s"),
			"a label nobody reads":  moved(arnOfS, "s", "blue", "v2"),
			"a call that reads":     trailed("GetSecretValue", "123456789012", "s"),
			"another service":       []byte(`{"source":"aws.s3","detail-type":"Object Created","detail":{}}`),
			"a subscription":        []byte(`{"Type":"SubscriptionConfirmation","Message":"hello"}`),
		} {
			if got, err := c.HandleEvent(t.Context(), event); err != nil || got {
				t.Errorf("%s: HandleEvent = %t, %v; want false", name, got, err)
			}
		}
		time.Sleep(10 * time.Minute)
		text(t, c, "s")
		if n := s.calls() - calls; n != 0 {
			t.Errorf("they cost %d calls", n)
		}
	})
}

func TestHandleEventErrors(t *testing.T) {
	c := newClient(t, newService("s"), nil)
	_, err := c.HandleEvent(t.Context(), []byte(`{"password":"hunter2`))
	if !errors.Is(err, secretsevents.ErrMalformed) || strings.Contains(fmt.Sprintf("%+v", err), "hunter2") {
		t.Errorf("HandleEvent of what is no event = %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.HandleEvent(ended, moved(arnOfS, "s", "AWSCURRENT", "v2")); !errors.Is(err, context.Canceled) {
		t.Errorf("HandleEvent with an ended context = %v", err)
	}
	c.Close()
	if _, err := c.HandleEvent(t.Context(), moved(arnOfS, "s", "AWSCURRENT", "v2")); err != secrets.ErrClosed {
		t.Errorf("HandleEvent after Close = %v", err)
	}
}

// TestHandleEventNames tries the forms in which a secret is named.
func TestHandleEventNames(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		inSNS, _ := json.Marshal(map[string]string{"Type": "Notification", "Message": string(moved(arnOfS, "s", "AWSCURRENT", "v2"))})
		for name, event := range map[string][]byte{
			"native":             moved(arnOfS, "s", "AWSCURRENT", "v2"),
			"a replica's":        moved(strings.Replace(arnOfS, "us-east-1", "eu-west-1", 1), "s", "AWSCURRENT", "v2"),
			"in SNS":             inSNS,
			"a call, by name":    trailed("PutSecretValue", "123456789012", "s"),
			"a call, by ARN":     trailed("UpdateSecretVersionStage", "123456789012", arnOfS),
			"a partial ARN":      trailed("UpdateSecret", "123456789012", strings.TrimSuffix(arnOfS, "-000000")),
			"the secret created": moved(strings.Replace(arnOfS, "000000", "abcdef", 1), "s", "AWSCURRENT", "v9"),
		} {
			s := newService("s")
			c := newClient(t, s, long(mode))
			text(t, c, arnOfS)
			text(t, c, "s")
			s.put("s", "v2", "two")
			handle(t, c, event, true)
			time.Sleep(3 * time.Second)
			if got := text(t, c, "s"); got != "two" {
				t.Errorf("%s: got %q", name, got)
			}
		}
	})
}

// TestHandleEventForged sends more events than any service would.
func TestHandleEventForged(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		s := newService("s")
		c := newClient(t, s, &secrets.Options{Refresh: mode})
		text(t, c, "s")
		calls := func(events bool) int64 {
			before := s.calls()
			for i := range 3600 {
				if events {
					c.HandleEvent(t.Context(), moved(arnOfS, "s", "AWSCURRENT", fmt.Sprint("forged ", i)))
				}
				text(t, c, "s")
				time.Sleep(time.Second)
			}
			return s.calls() - before
		}
		usual, forged := calls(false), calls(true)
		if forged > 2*usual+12 {
			t.Errorf("3600 forged events in an hour made %d calls of %d", forged, usual)
		}
		s.put("s", "v2", "two")
		c.HandleEvent(t.Context(), moved(arnOfS, "s", "AWSCURRENT", "v2"))
		for range 300 {
			time.Sleep(time.Second)
			text(t, c, "s")
		}
		if got := text(t, c, "s"); got != "two" {
			t.Errorf("after the forged ones a true one is lost: %q", got)
		}
	})
}

// TestHandleEventLag has the service show the version seconds after the event.
func TestHandleEventLag(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		s := newService("s")
		c := newClient(t, s, long(mode))
		text(t, c, "s")
		handle(t, c, moved(arnOfS, "s", "AWSCURRENT", "v2"), true)
		for i := range 30 {
			if i == 5 {
				s.put("s", "v2", "two")
			}
			time.Sleep(time.Second)
			text(t, c, "s")
		}
		if got := text(t, c, "s"); got != "two" {
			t.Errorf("got %q", got)
		}
	})
}

// TestHandleEventDuringColdRead has an event come between what a cold read is
// answered with and the answer.
func TestHandleEventDuringColdRead(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		s := &scripted{service: newService("s")}
		c := newClient(t, s, long(mode))
		s.next(script{op: "Get", late: time.Second})
		go func() {
			time.Sleep(time.Second / 2)
			s.put("s", "v2", "two")
			handle(t, c, moved(arnOfS, "s", "AWSCURRENT", "v2"), false)
		}()
		if got := text(t, c, "s"); got != "value of s" {
			t.Fatalf("got %q", got)
		}
		time.Sleep(3 * time.Second)
		if got := text(t, c, "s"); got != "two" {
			t.Errorf("got %q", got)
		}
	})
}

// TestHandleEventLabels moves a label that Versions reads.
func TestHandleEventLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		first := srv.PutStages("s", "zero", "blue")
		c := open(t, srv.Client(), long(secrets.RefreshAhead))
		if all, err := c.Versions(t.Context(), "s"); err != nil || len(all) != 2 {
			t.Fatalf("Versions = %v, %v", all, err)
		}
		handle(t, c, moved(srv.ARN("s"), "s", "blue", first), false)
		green := srv.PutStages("s", "two", "green")
		handle(t, c, moved(srv.ARN("s"), "s", "green", green), true)
		time.Sleep(3 * time.Second)
		if all, err := c.Versions(t.Context(), "s"); err != nil || len(all) != 3 {
			t.Errorf("Versions after a label was added = %v, %v", all, err)
		}
	})
}
