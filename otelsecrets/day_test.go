package otelsecrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/otelsecrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A tally counts events, by kind, operation and class.
type tally struct {
	mu sync.Mutex
	n  map[string]uint64
}

func (c *tally) onEvent(e secrets.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[e.Kind.String()]++
	switch {
	case e.Kind == secrets.EventCall:
		c.n["call "+e.Operation]++
		if e.Class != "" {
			c.n["call failed"]++
			c.n["call failed "+string(e.Class)]++
		}
	case e.Kind == secrets.EventAdopted && e.From != "":
		c.n["replaced"]++
	case e.Kind == secrets.EventRefused && e.Attempt == 1:
		c.n["refused at first"]++
	}
}

func (c *tally) of(what string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[what]
}

// A day is a service's day, and everything that reports on it.
type day struct {
	*rig
	events tally
	page   http.Handler

	mu    sync.Mutex // guards what follows
	reads uint64     // reads that were made
	tries uint64     // those of them that were a Try
}

func newDay(t *testing.T, have secretstest.Secrets) *day {
	d := &day{rig: &rig{t: t, srv: secretstest.New(t, have), reader: metric.NewManualReader(), spans: tracetest.NewSpanRecorder()}}
	d.events.n = make(map[string]uint64)
	d.traces = trace.NewTracerProvider(trace.WithSpanProcessor(d.spans))
	telemetry, err := otelsecrets.New(&otelsecrets.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(d.reader)), TracerProvider: d.traces})
	if err != nil {
		t.Fatal(err)
	}
	var log secretsdebug.Log
	// Without the SDK's retries every call arrives exactly once.
	api := d.srv.Client(func(o *secretsmanager.Options) { o.RetryMaxAttempts = 1 })
	d.client, err = secrets.New(api, &secrets.Options{Size: 6, Logger: slog.New(slog.DiscardHandler), OnEvent: func(e secrets.Event) {
		d.events.onEvent(e)
		telemetry.OnEvent(e)
		log.OnEvent(e)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d.stop, err = telemetry.Observe(d.client); err != nil {
		t.Fatal(err)
	}
	d.page = secretsdebug.Handler(d.client, &log)
	return d
}

// read makes a read and counts it.
func (d *day) read(fn func() error, try bool) {
	fn()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	if try {
		d.tries++
	}
}

// errWrong is the database's error for a wrong password.
var errWrong = errors.New("password authentication failed")

// use reads all secrets, each at its own pace, until ctx ends.
func (d *day) use(ctx context.Context, accepts func(password string) bool) {
	limit := secrets.Bind[int](d.client, "limit")
	login := secrets.Bind[string](d.client, "db")
	readers := []func() error{
		func() error { _, err := d.client.Get(ctx, "key"); return err },
		func() error { _, err := limit.Get(ctx); return err },
		func() error { _, err := d.client.Get(ctx, "missing"); return err },
		func() error { _, err := d.client.Get(ctx, "old"); return err },
	}
	paces := []time.Duration{17 * time.Second, 53 * time.Second, 4 * time.Minute, 71 * time.Second}
	var wg sync.WaitGroup
	for i, fn := range readers {
		wg.Go(func() {
			for ctx.Err() == nil {
				d.read(fn, false)
				sleep(ctx, paces[i])
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			d.connect(ctx, login, accepts)
			sleep(ctx, 29*time.Second)
		}
	})
	wg.Wait()
}

// connect logs in to the database.
func (d *day) connect(ctx context.Context, login *secrets.Ref[string], accepts func(string) bool) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	d.read(func() error {
		_, err := secrets.Try(ctx, login, func(_ context.Context, password string) (int, error) {
			if !accepts(password) {
				return 0, secrets.Rejected(errWrong)
			}
			return 1, nil
		})
		return err
	}, true)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A pageJSON is the JSON of the debug page.
type pageJSON struct {
	Totals struct {
		Secrets, Failing, Stale, Rotating int
		Reads, Calls                      uint64
		CostDollars                       float64
		Stats                             secrets.Stats
		Operations                        map[string]struct{ Calls, Failed uint64 }
	}
}

func (d *day) readPage() (p pageJSON) {
	d.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	d.page.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || strings.Contains(w.Body.String(), "hunter2") {
		d.t.Fatalf("the page: %v\n%s", err, w.Body)
	}
	return p
}

// agree compares all reports on the day so far.
func (d *day) agree(when string) {
	t := d.t
	t.Helper()
	synctest.Wait()
	st, page := d.client.Stats(), d.readPage()
	metrics, _ := d.metrics()
	same := func(what string, figures ...uint64) {
		t.Helper()
		for _, f := range figures[1:] {
			if f != figures[0] {
				t.Errorf("%s: %s: %v differ", when, what, figures)
				return
			}
		}
	}
	metric := func(key string) uint64 { return uint64(metrics[key]) }
	var failed, unsent uint64
	for op, counted := range map[string]uint64{"GetSecretValue": st.GetSecretValue, "DescribeSecret": st.DescribeSecret, "BatchGetSecretValue": st.BatchGetSecretValue} {
		arrived := uint64(d.srv.Count(secretstest.Call{Op: op}))
		answered := uint64(d.srv.Count(secretstest.Call{Op: op, Outcome: secretstest.OutcomeOK}))
		failed += arrived - answered
		unsent += counted - arrived
		same(op+": Stats, events, metric, spans, page", counted, d.events.of("call "+op), metric("secrets.cache.calls "+op),
			uint64(len(d.named("Secrets Manager."+op))), page.Totals.Operations[op].Calls)
		same(op+" that did not fail: ledger, page", answered, counted-page.Totals.Operations[op].Failed)
	}
	// A call whose context ends at the moment that it begins is not sent.
	if unsent > st.CanceledErrors {
		t.Errorf("%s: %d calls did not arrive, %d were canceled", when, unsent, st.CanceledErrors)
	}
	same("calls failed: ledger, Stats, events", failed+unsent, st.Errors, d.events.of("call failed"))
	classes := map[secrets.FailureClass]uint64{
		secrets.ClassNetwork: st.NetworkErrors, secrets.ClassThrottled: st.Throttles, secrets.ClassDenied: st.DeniedErrors, secrets.ClassServer: st.ServerErrors,
		secrets.ClassMissing: st.MissingErrors, secrets.ClassCredentials: st.CredentialErrors, secrets.ClassCanceled: st.CanceledErrors, secrets.ClassOther: st.OtherErrors,
	}
	var sum, recorded uint64
	for class, n := range classes {
		sum += n
		same(string(class)+": Stats, events, metric", n, d.events.of("call failed "+string(class)), metric("secrets.cache.call.errors "+string(class)))
	}
	for key, v := range metrics {
		if strings.HasPrefix(key, "rpc.client.call.duration") {
			recorded += uint64(v)
		}
	}
	same("calls failed: Stats, the sum of its classes", st.Errors, sum)
	same("calls: Stats, histogram, page", st.Calls(), recorded, page.Totals.Calls)
	reads := st.Hits + st.Misses + st.Stale + st.Negative
	if made, tries := d.made(); reads < made || reads > made+2*tries { // a Try may read several versions
		t.Errorf("%s: %d reads and %d Tries were made, Stats say %d reads", when, made-tries, tries, reads)
	}
	same("reads: Stats, metric, page", reads,
		metric("secrets.cache.reads hit")+metric("secrets.cache.reads miss")+metric("secrets.cache.reads stale")+metric("secrets.cache.reads negative"), page.Totals.Reads)
	same("new versions: Stats, events, metric", st.NewVersions, d.events.of("replaced"), metric("secrets.cache.versions adopted"))
	same("refused: Stats, events, metric", st.DecodeErrors, d.events.of("refused at first"), metric("secrets.cache.versions refused"))
	same("rejected: Stats, events, metric", st.Rejections, d.events.of("rejected"), metric("secrets.cache.versions rejected"))
	same("evicted: Stats, events, metric", st.Evictions, d.events.of("evicted"), metric("secrets.cache.removals evicted"))
	same("dropped: Stats, events, metric", st.Denials, d.events.of("dropped"), metric("secrets.cache.removals denied"))
	same("refusals: Stats, metric", st.Refused, metric("secrets.cache.refusals"))
	same("pins: Stats, events, metric", st.Pinned, d.events.of("pinned")-d.events.of("unpinned"), metric("secrets.cache.pins"))
	same("rotating: Stats, metric, page", st.Rotating, metric("secrets.cache.secret.rotating"), uint64(page.Totals.Rotating))
	same("stale: Stats, metric, page", st.StaleNow, metric("secrets.cache.secret.stale"), uint64(page.Totals.Stale))
	var failing uint64
	for key, v := range metrics {
		if strings.HasPrefix(key, "secrets.cache.secret.failing") {
			failing += uint64(v)
		}
	}
	same("failing: Stats, metric, page", st.Failing, failing, uint64(page.Totals.Failing))
	same("secrets: Stats, metric, page", st.Secrets, metric("secrets.cache.secret.count"), uint64(page.Totals.Secrets))
	same("events dropped", st.EventsDropped, 0, metric("secrets.cache.events.dropped"))
	page.Totals.Stats.OldestConfirmation = st.OldestConfirmation
	if page.Totals.Stats != st {
		t.Errorf("%s: the page's Stats are\n%+v, not\n%+v", when, page.Totals.Stats, st)
	}
	if age, want := metrics["secrets.cache.confirmation.age"], time.Since(st.OldestConfirmation).Seconds(); st.Secrets > 0 && !st.OldestConfirmation.IsZero() && age != want {
		t.Errorf("%s: the oldest confirmation is %v s old, Stats say %v", when, age, want)
	}
}

func (d *day) made() (reads, tries uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reads, d.tries
}

// TestDay runs a client through a day with faults and rotations. Once an hour
// it compares the calls that the service received, Stats, the events, the
// collected metrics, and the debug page.
func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, secretstest.Secrets{"db": "pw-1", "key": "hunter2", "limit": "7", "old": "hunter2", "more/0": "x", "more/1": "x", "more/2": "x", "more/3": "x"})
		var mu sync.Mutex
		password := "pw-1"
		accepts := func(p string) bool {
			mu.Lock()
			defer mu.Unlock()
			return p == password
		}
		change := func(p string) {
			mu.Lock()
			defer mu.Unlock()
			password = p
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.use(ctx, accepts)
		}()
		var end func()
		hours := map[int]func(){
			1: func() { d.srv.Put("key", "hunter2 again") },
			2: func() { // a rotation that is stuck for three hours
				d.srv.PutPending("db", "pw-2")
				change("pw-2")
			},
			5:  func() { d.srv.MoveStage("db", secrets.Current, d.srv.VersionID("db", secrets.Pending)) },
			7:  func() { d.srv.Fail(secretstest.Outage()) },
			9:  func() { d.srv.ClearFaults() },
			10: func() { end = d.srv.ThrottleStorm() },
			11: func() { end() },
			12: func() { d.srv.Put("limit", "hunter2") }, // is no number
			14: func() { d.srv.Put("limit", "8") },
			15: func() { d.srv.Delete("old") },
			16: func() { end = d.srv.KMSRevoked("key") },
			17: func() { end() },
			18: func() {
				d.srv.Fail(secretstest.Fault{Op: "DescribeSecret", Probability: 0.3, Status: 503, Times: secretstest.Always})
			},
			20: func() { d.srv.ClearFaults() },
			21: func() { d.client.Prefetch(ctx, "more/0", "more/1", "more/2", "more/3") },
			22: func() { // the password is changed and nobody told Secrets Manager
				change("nobody knows")
			},
			23: func() { change("pw-2") },
		}
		for hour := range 25 {
			if act := hours[hour]; act != nil {
				act()
			}
			time.Sleep(20 * time.Minute)
			d.agree(fmt.Sprintf("at %d:20", hour))
			time.Sleep(40 * time.Minute)
		}
		cancel()
		<-done
		d.client.Close()
		d.agree("after Close")
		for kind := secrets.EventAdopted; kind <= secrets.EventWait; kind++ {
			t.Logf("%6d %v", d.events.of(kind.String()), kind)
		}
		for _, kind := range []secrets.EventKind{secrets.EventAdopted, secrets.EventRefused, secrets.EventFailed, secrets.EventStale, secrets.EventRecovered, secrets.EventDropped,
			secrets.EventEvicted, secrets.EventRejected, secrets.EventPinned, secrets.EventUnpinned, secrets.EventRotating, secrets.EventRotated, secrets.EventRotationStuck, secrets.EventCall, secrets.EventWait} {
			if d.events.of(kind.String()) == 0 {
				t.Errorf("the day had no event %q", kind)
			}
		}
	})
}
