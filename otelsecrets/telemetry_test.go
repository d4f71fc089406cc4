package otelsecrets_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/otelsecrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A rig is a client of a fake service, with telemetry that a test can read.
type rig struct {
	t      *testing.T
	srv    *secretstest.Server
	client *secrets.Client
	reader *metric.ManualReader
	spans  *tracetest.SpanRecorder
	traces *trace.TracerProvider
	stop   func() error
}

func newRig(t *testing.T, have secretstest.Secrets, attrs ...attribute.KeyValue) *rig {
	t.Helper()
	r := &rig{t: t, srv: secretstest.New(t, have), reader: metric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	r.traces = trace.NewTracerProvider(trace.WithSpanProcessor(r.spans))
	telemetry, err := otelsecrets.New(&otelsecrets.Options{
		MeterProvider: metric.NewMeterProvider(metric.WithReader(r.reader)), TracerProvider: r.traces, Attributes: attrs,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.client, err = secrets.New(r.srv.Client(), &secrets.Options{OnEvent: telemetry.OnEvent, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.client.Close() })
	if r.stop, err = telemetry.Observe(r.client); err != nil {
		t.Fatal(err)
	}
	return r
}

// metrics returns what the reader collects: values by the name and one attribute,
// "secrets.cache.reads hit", and the units by the name. A histogram's value is its
// count.
func (r *rig) metrics() (values map[string]float64, units map[string]string) {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		r.t.Fatal(err)
	}
	values, units = make(map[string]float64), make(map[string]string)
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != otelsecrets.ScopeName {
			r.t.Errorf("scope %q", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			units[m.Name] = m.Unit
			if m.Description == "" {
				r.t.Errorf("%s has no description", m.Name)
			}
			add(values, m)
		}
	}
	return values, units
}

func add(values map[string]float64, m metricdata.Metrics) {
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			values[keyOf(m.Name, p.Attributes)] += float64(p.Value)
		}
	case metricdata.Gauge[float64]:
		for _, p := range d.DataPoints {
			values[keyOf(m.Name, p.Attributes)] += p.Value
		}
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			values[keyOf(m.Name, p.Attributes)] += float64(p.Count)
		}
	}
}

// keyOf names a series: the metric, and the values of its attributes but for the
// RPC system.
func keyOf(name string, set attribute.Set) string {
	for _, kv := range set.ToSlice() {
		if kv.Key != "rpc.system.name" {
			name += " " + strings.TrimPrefix(kv.Value.String(), "SecretsManager/")
		}
	}
	return name
}

func (r *rig) want(want map[string]float64) {
	r.t.Helper()
	got, _ := r.metrics()
	for key, v := range want {
		if got[key] != v {
			r.t.Errorf("%s = %v, want %v; all: %v", key, got[key], v, got)
		}
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, secretstest.Secrets{"db": "hunter2", "n": "1"})
		ctx := t.Context()
		n := secrets.Bind[int](r.client, "n")
		for range 3 {
			r.client.Get(ctx, "db")
			n.Get(ctx)
		}
		r.client.Get(ctx, "missing")
		r.client.Get(ctx, "missing")
		synctest.Wait()
		r.want(map[string]float64{
			"secrets.cache.reads hit": 4, "secrets.cache.reads miss": 3, "secrets.cache.reads negative": 1, "secrets.cache.reads stale": 0,
			"secrets.cache.calls GetSecretValue": 3, "secrets.cache.calls DescribeSecret": 0, "secrets.cache.call.errors missing": 1, "secrets.cache.call.errors network": 0,
			"rpc.client.call.duration GetSecretValue": 2, "rpc.client.call.duration missing GetSecretValue": 1,
			"secrets.cache.secret.count": 2, "secrets.cache.refusals": 0, "secrets.cache.confirmation.age": 0,
		})

		r.srv.Put("n", "hunter2") // does not decode
		r.srv.RotationStuckAfterSet("db")
		r.client.Refresh(ctx, "n")
		n.Get(ctx)
		r.client.Refresh(ctx, "db")
		synctest.Wait()
		r.want(map[string]float64{
			"secrets.cache.versions adopted": 1, "secrets.cache.versions refused": 1, "secrets.cache.refusals": 1,
			"secrets.cache.secret.rotating": 1, "secrets.cache.rotation.age": 0, "secrets.cache.refreshes": 2,
		})
		for range 60 {
			time.Sleep(10 * time.Second)
			r.client.Get(ctx, "db")
		}
		got, _ := r.metrics()
		if age := got["secrets.cache.rotation.age"]; age < 590 || age > 610 {
			t.Errorf("the rotation is %v s old, want about 600", age)
		}

		r.srv.Fail(secretstest.Outage())
		for range 60 {
			time.Sleep(10 * time.Second)
			r.client.Get(ctx, "db")
		}
		synctest.Wait()
		got, _ = r.metrics()
		if got["secrets.cache.secret.failing network"] != 1 || got["secrets.cache.secret.failing denied"] != 0 || got["secrets.cache.secret.stale"] != 1 || got["secrets.cache.reads stale"] < 20 ||
			got["secrets.cache.confirmation.age"] < 590 || got["secrets.cache.call.errors network"] < 5 {
			t.Errorf("in an outage: %v", got)
		}
		for key := range got {
			if strings.Contains(key, "db") || strings.Contains(key, "arn:") || strings.Contains(key, "hunter2") {
				t.Errorf("a metric names a secret: %s", key)
			}
		}
	})
}

// TestTable compares the table of the package documentation with what is collected.
func TestTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, secretstest.Secrets{"db": "hunter2"})
		r.client.Get(t.Context(), "db")
		synctest.Wait()
		_, units := r.metrics()
		doc, err := os.ReadFile("doc.go")
		if err != nil {
			t.Fatal(err)
		}
		listed := make(map[string]string)
		for _, m := range regexp.MustCompile(`(?m)^//\t([a-z.]+) +(s|\{[a-z]+\})( .*)?$`).FindAllStringSubmatch(string(doc), -1) {
			listed[m[1]] = m[2]
		}
		if !maps.Equal(listed, units) || len(units) < 15 {
			t.Errorf("documented are %v,\ncollected are %v", listed, units)
		}
	})
}

func TestAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, secretstest.Secrets{"db": "hunter2"}, attribute.String("client", "main"))
		r.client.Get(t.Context(), "db")
		synctest.Wait()
		values, _ := r.metrics()
		for key := range values {
			if !slices.Contains(strings.Fields(key), "main") {
				t.Errorf("%s lacks the common attribute", key)
			}
		}
		for _, s := range r.spans.Ended() {
			if !slices.Contains(s.Attributes(), attribute.String("client", "main")) {
				t.Errorf("%s lacks the common attribute: %v", s.Name(), s.Attributes())
			}
		}
	})
}

func TestStop(t *testing.T) {
	r := newRig(t, secretstest.Secrets{"db": "hunter2"})
	if values, _ := r.metrics(); len(values) == 0 {
		t.Error("nothing is collected")
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if values, _ := r.metrics(); len(values) > 0 {
		t.Errorf("after stop %v is collected", values)
	}
}

// TestDefaults uses the global providers, which do nothing unless they are set.
func TestDefaults(t *testing.T) {
	telemetry, err := otelsecrets.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := secretstest.New(t, secretstest.Secrets{"db": "hunter2"})
	client, err := secrets.New(srv.Client(), &secrets.Options{OnEvent: telemetry.OnEvent})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if stop, err := telemetry.Observe(client); err != nil || stop() != nil {
		t.Error(err)
	}
	telemetry.OnEvent(secrets.Event{Kind: secrets.EventCall, Err: errors.New("no"), Class: secrets.ClassNetwork})
	if _, err := client.Get(t.Context(), "db"); err != nil {
		t.Error(err)
	}
}
