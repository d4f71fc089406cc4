package secretsdebug_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A page is the decoded JSON of a page.
type page struct {
	Totals struct {
		Secrets, Critical, Warning, Failing, Stale, Rotating int
		Reads, Calls                                         uint64
		CostDollars, UncachedCostDollars                     float64
		Operations                                           map[string]struct{ Calls, Failed uint64 }
	}
	Secrets []struct {
		Name, Severity, Version, LastFailureClass string
		Cached                                    bool
		Why                                       []struct{ Text string }
		Events                                    []struct {
			Kind, Text string
			Times      int
		}
	}
	Events []struct{ Kind, Text string }
}

// look asks a page for JSON.
func look(t *testing.T, h http.Handler, query string) page {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/"+query, nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var p page
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v:\n%s", err, w.Body)
	}
	return p
}

// open returns a client on a server, whose page has a log.
func open(t *testing.T, srv *secretstest.Server, log *secretsdebug.Log) (*secrets.Client, http.Handler) {
	t.Helper()
	o := &secrets.Options{Logger: slog.New(slog.DiscardHandler)}
	if log != nil {
		o.OnEvent = log.OnEvent
	}
	client, err := secrets.New(srv.Client(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, secretsdebug.Handler(client, log)
}

// TestLogIsBounded floods a log with events of many secrets, and of one.
func TestLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "hunter2"})
		log := &secretsdebug.Log{Size: 1000}
		client, h := open(t, srv, log)
		s, err := client.Get(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the client's own event is in the log
		for i := range 200 {
			log.OnEvent(secrets.Event{Kind: secrets.EventAdopted, Time: time.Now(), Secret: "s", ARN: s.ARN(), Version: fmt.Sprint(i)})
		}
		events := look(t, h, "?secret=s").Secrets[0].Events
		if len(events) != 50 || !strings.Contains(events[0].Text, "version 199 ") {
			t.Errorf("%d events of one secret are kept, want the last 50", len(events))
		}
		long := errors.New(strings.Repeat("x", 10_000))
		before := heap()
		for i := range 20_000 {
			log.OnEvent(secrets.Event{Kind: secrets.EventDropped, Time: time.Now(), Secret: fmt.Sprint("many/", i), Err: long})
		}
		if grown := int64(heap()) - int64(before); grown > 4<<20 {
			t.Errorf("20,000 events have grown the log by %d bytes", grown)
		}
		p := look(t, h, "")
		if n := len(p.Secrets); n < 900 || n > 1001 {
			t.Errorf("a log of 1,000 events knows of %d secrets", n)
		}
		if events := look(t, h, "?secret=s").Secrets[0].Events; len(events) > 16 {
			t.Errorf("the oldest timeline is kept: %d events", len(events))
		}
		runtime.KeepAlive(log)
	})
}

// TestLostForADay shows a secret that is gone, and for how long.
func TestLostForADay(t *testing.T) {
	var log secretsdebug.Log
	_, h := open(t, secretstest.New(t, nil), &log)
	log.OnEvent(secrets.Event{Kind: secrets.EventDropped, Time: time.Now().Add(-23 * time.Hour), Secret: "a", Class: secrets.ClassDenied, Err: errors.New("no")})
	log.OnEvent(secrets.Event{Kind: secrets.EventDropped, Time: time.Now().Add(-25 * time.Hour), Secret: "b"})
	p := look(t, h, "")
	if len(p.Secrets) != 1 || p.Secrets[0].Name != "a" || p.Secrets[0].Severity != "critical" || p.Secrets[0].Cached || p.Totals.Secrets != 0 ||
		p.Secrets[0].Why[0].Text != "left the cache, the service refused it: denied: no" {
		t.Errorf("of two that are gone, one for more than a day: %+v", p)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestRepeatedFailuresAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "hunter2"})
		var log secretsdebug.Log
		client, h := open(t, srv, &log)
		s, err := client.Get(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the client's own event is in the log
		event := secrets.Event{Kind: secrets.EventFailed, Time: time.Now().Add(time.Second), Secret: "s", ARN: s.ARN()}
		for i := range 100 {
			event.Attempt, event.Class = i+1, secrets.ClassNetwork
			if i >= 60 {
				event.Class = secrets.ClassThrottled
			}
			log.OnEvent(event)
		}
		events := look(t, h, "?secret=s").Secrets[0].Events
		if len(events) < 2 || events[0].Times != 40 || events[1].Times != 60 || !strings.Contains(events[1].Text, "network, 60 times in a row") {
			t.Errorf("the timeline is %+v, want 60 and 40 failures as two events", events)
		}
	})
}

func TestLogIsSafe(t *testing.T) {
	srv := secretstest.New(t, nil)
	log := &secretsdebug.Log{Size: 100}
	_, h := open(t, srv, log)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 500 {
				log.OnEvent(secrets.Event{Kind: secrets.EventKind(n%18 + 1), Time: time.Now(), Secret: fmt.Sprint(i, n%50), Operation: fmt.Sprint(n)})
			}
		})
		wg.Go(func() {
			for range 20 {
				look(t, h, "")
				look(t, h, "?secret="+url.QueryEscape(fmt.Sprint(i, 7)))
			}
		})
	}
	wg.Wait()
}
