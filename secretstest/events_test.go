package secretstest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// An event as a subscriber sees it.
type event struct {
	Source     string
	DetailType string `json:"detail-type"`
	Account    string
	Region     string
	Time       time.Time
	Resources  []string
	Detail     struct{ Name, LabelUpdated, VersionID string }
}

func eventOf(t *testing.T, b []byte) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return e
}

func TestOnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		var events []event
		srv.OnEvent(func(b []byte) { events = append(events, eventOf(t, b)) })
		labels := func() (list []string) {
			synctest.Wait()
			for _, e := range events {
				list = append(list, e.Region+" "+e.Detail.LabelUpdated+" "+e.Detail.VersionID)
			}
			events = nil
			return list
		}
		first := srv.Put("s", "one")
		synctest.Wait()
		if e := events[0]; e.Source != "aws.secretsmanager" || e.DetailType != "Secret Label Updated" || e.Account != "123456789012" ||
			!slices.Equal(e.Resources, []string{srv.ARN("s")}) || e.Detail.Name != "s" || !e.Time.Equal(time.Now()) {
			t.Errorf("got %+v", e)
		}
		tests := []struct {
			name string
			do   func() []string
		}{
			{"the first value", func() []string { return []string{"us-east-1 AWSCURRENT " + first} }},
			{"another value", func() []string { return []string{"us-east-1 AWSCURRENT " + srv.Put("s", "two")} }},
			{"a pending version", func() []string { srv.PutPending("s", "three"); return nil }},
			{"a label of one's own", func() []string { srv.MoveStage("s", "blue", first); return []string{"us-east-1 blue " + first} }},
			{"a label that is where it was", func() []string { srv.MoveStage("s", "blue", first); return nil }},
			{"a label taken off", func() []string { srv.MoveStage("s", "blue", ""); return nil }},
			{"metadata", func() []string {
				(&conf{sdk: srv.Client()}).ok("TagResource", m{"SecretId": "s", "Tags": []m{{"Key": "a", "Value": "b"}}})
				return nil
			}},
			{"a rotation", func() []string { return []string{"us-east-1 AWSCURRENT " + srv.Rotate("s")} }},
			{"a replica", func() []string {
				(&conf{sdk: srv.Client()}).ok("ReplicateSecretToRegions", m{"SecretId": "s", "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
				id := srv.Put("s", "four")
				return []string{"eu-west-1 AWSCURRENT " + id, "us-east-1 AWSCURRENT " + id}
			}},
		}
		for _, test := range tests {
			want := test.do()
			if got := labels(); !slices.Equal(slices.Sorted(slices.Values(got)), want) && len(got)+len(want) > 0 {
				t.Errorf("%s: got %q, want %q", test.name, got, want)
			}
		}
	})
}

// A subscriber may use the server.
func TestEventsAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		var got, want []string
		srv.OnEvent(func(b []byte) {
			e := eventOf(t, b)
			if srv.ARN(e.Detail.Name) != e.Resources[0] {
				t.Errorf("got %v", e.Resources)
			}
			got = append(got, e.Detail.VersionID)
		})
		for range 100 {
			want = append(want, srv.Put("s", "v"))
		}
		synctest.Wait()
		if !slices.Equal(got, want) {
			t.Errorf("got %d events, want %d in order", len(got), len(want))
		}
	})
}

func TestPostEvents(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	arrived := make(chan struct{}, 10)
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, r.Method+" "+r.Header.Get("Content-Type")+" "+string(b))
		if len(bodies) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		arrived <- struct{}{}
	}))
	defer hs.Close()
	srv := secretstest.New(t, nil)
	srv.PostEvents(hs.URL)
	id := srv.Put("s", "hunter2")
	for range 2 { // the first is refused and sent again
		select {
		case <-arrived:
		case <-time.After(20 * time.Second):
			t.Fatal("no event arrived")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if bodies[0] != bodies[1] || !strings.HasPrefix(bodies[0], "POST application/json {") || !strings.Contains(bodies[0], id) || strings.Contains(bodies[0], "hunter2") {
		t.Errorf("got %q", bodies)
	}
}

func TestEnforceRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(&secretstest.Options{EnforceRates: true, Secrets: secretstest.Secrets{"s": "v"}, TB: t})
		c := srv.Client(once)
		passed := func(do func() error) (ok int) {
			for range 200 {
				switch err := do(); {
				case err == nil:
					ok++
				default:
					wantError(t, err, "ThrottlingException", "Rate exceeded")
				}
			}
			return ok
		}
		list := func() error { _, err := c.ListSecrets(t.Context(), nil); return err }
		policy := func() error { _, err := c.GetResourcePolicy(t.Context(), policyOf("s")); return err }
		for name, check := range map[string]struct {
			do   func() error
			want int
		}{"ListSecrets": {list, 100}, "GetResourcePolicy": {policy, 50}, "GetSecretValue": {func() error { return read(t, c, "s", "") }, 200}} {
			if got := passed(check.do); got != check.want {
				t.Errorf("%s: got %d, want %d", name, got, check.want)
			}
		}
		time.Sleep(500 * time.Millisecond)
		if got := passed(list); got != 50 {
			t.Errorf("half a second later: got %d, want 50", got)
		}
		other := srv.Client(once, in("eu-west-1"))
		if _, err := other.ListSecrets(t.Context(), nil); err != nil {
			t.Errorf("another region: %v", err)
		}
	})
}
