package otelsecrets_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// named returns the ended spans of a name.
func (r *rig) named(name string) (spans []sdk.ReadOnlySpan) {
	for _, s := range r.spans.Ended() {
		if s.Name() == name {
			spans = append(spans, s)
		}
	}
	return spans
}

// request reads a secret in a trace of its own, and returns its root.
func (r *rig) request(ctx context.Context, id string) (trace.SpanContext, error) {
	ctx, span := r.traces.Tracer("test").Start(ctx, "request")
	defer span.End()
	_, err := r.client.Get(ctx, id)
	return span.SpanContext(), err
}

func has(s sdk.ReadOnlySpan, want ...attribute.KeyValue) bool {
	for _, kv := range want {
		found := false
		for _, have := range s.Attributes() {
			found = found || have.Key == kv.Key && have.Value.String() == kv.Value.String()
		}
		if !found {
			return false
		}
	}
	return true
}

// TestOneFlight has many requests wait for one call.
func TestOneFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, secretstest.Secrets{"db": "hunter2"})
		r.srv.Fail(secretstest.Fault{Op: "GetSecretValue", Latency: 200 * time.Millisecond})
		roots := make([]trace.SpanContext, 20)
		var wg sync.WaitGroup
		begin := time.Now()
		for i := range roots {
			wg.Go(func() { roots[i], _ = r.request(t.Context(), "db") })
		}
		wg.Wait()
		synctest.Wait()

		calls, waits := r.named("Secrets Manager.GetSecretValue"), r.named("secrets wait")
		if len(calls) != 1 || len(waits) != len(roots) {
			t.Fatalf("%d calls and %d waits, want 1 and %d", len(calls), len(waits), len(roots))
		}
		call := calls[0]
		if call.SpanKind() != trace.SpanKindClient || !call.StartTime().Equal(begin) || call.EndTime().Sub(begin) != 200*time.Millisecond || call.Status().Code != codes.Unset {
			t.Errorf("the call is a %v from %v to %v with status %v", call.SpanKind(), call.StartTime(), call.EndTime(), call.Status())
		}
		if !has(call, attribute.String("rpc.system.name", "aws-api"), attribute.String("rpc.method", "SecretsManager/GetSecretValue"),
			attribute.String("aws.secretsmanager.secret.arn", r.srv.ARN("db")), attribute.StringSlice("secrets.secret.ids", []string{"db"})) {
			t.Errorf("the call's attributes are %v", call.Attributes())
		}
		mine := make(map[trace.TraceID]trace.SpanID)
		for _, root := range roots {
			mine[root.TraceID()] = root.SpanID()
		}
		if id, ok := mine[call.SpanContext().TraceID()]; !ok || call.Parent().SpanID() != id {
			t.Error("the call belongs to no request")
		}
		for _, w := range waits {
			if mine[w.SpanContext().TraceID()] != w.Parent().SpanID() || w.EndTime().Sub(w.StartTime()) != 200*time.Millisecond {
				t.Errorf("a wait is in no request, or takes %v", w.EndTime().Sub(w.StartTime()))
			}
			delete(mine, w.SpanContext().TraceID())
			if links := w.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != call.SpanContext().SpanID() {
				t.Errorf("the links of a wait are %v, want one to the call", links)
			}
		}
		if len(mine) > 0 {
			t.Errorf("%d requests have no wait", len(mine))
		}

		// From memory: no span but the request's own.
		before := len(r.spans.Ended())
		r.request(t.Context(), "db")
		synctest.Wait()
		if n := len(r.spans.Ended()) - before; n != 1 {
			t.Errorf("a hit makes %d spans, want its request's alone", n)
		}
	})
}

func TestFailedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		if _, err := r.request(t.Context(), "missing"); err == nil {
			t.Fatal("no error")
		}
		synctest.Wait()
		for _, name := range []string{"Secrets Manager.GetSecretValue", "secrets wait"} {
			spans := r.named(name)
			if len(spans) != 1 || spans[0].Status().Code != codes.Error || !strings.Contains(spans[0].Status().Description, "ResourceNotFoundException") || !has(spans[0], attribute.String("error.type", "missing")) {
				t.Errorf("%s: %v", name, spans)
			}
		}
	})
}

// TestBackground is a refresh that nobody waits for, and a read outside of any trace.
func TestBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, secretstest.Secrets{"db": "hunter2"})
		for range 40 {
			r.client.Get(t.Context(), "db")
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		if waits := r.named("secrets wait"); len(waits) != 0 {
			t.Errorf("%d waits outside of any trace", len(waits))
		}
		spans := r.named("Secrets Manager.DescribeSecret")
		if len(spans) != 1 || spans[0].Parent().IsValid() || !has(spans[0], attribute.String("aws.secretsmanager.secret.arn", r.srv.ARN("db"))) {
			t.Errorf("the refresh is %v, want one root", spans)
		}
	})
}

// TestBatch is a call for several secrets.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, secretstest.Secrets{"a": "hunter2", "b": "hunter2"})
		ctx, span := r.traces.Tracer("test").Start(t.Context(), "start")
		if err := r.client.Prefetch(ctx, "a", "b"); err != nil {
			t.Fatal(err)
		}
		span.End()
		synctest.Wait()
		spans := r.named("Secrets Manager.BatchGetSecretValue")
		if len(spans) != 1 || spans[0].Parent().SpanID() != span.SpanContext().SpanID() || !has(spans[0], attribute.StringSlice("secrets.secret.ids", []string{"a", "b"})) {
			t.Errorf("the batch is %v", spans)
		}
	})
}
