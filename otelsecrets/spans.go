package otelsecrets

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-74dc7b3e/secrets"
)

// recentCalls is how many calls are remembered for the reads that waited for
// them. The events of those reads follow soon after the call.
const recentCalls = 1024

// A callSpan is the span of a call, by the call's number.
type callSpan struct {
	call uint64
	span trace.SpanContext
}

// call makes the span of a call, and records how long it took.
func (t *Telemetry) call(e secrets.Event) {
	attrs := []attribute.KeyValue{method(e.Operation)}
	if e.Class != "" {
		attrs = append(attrs, errorType(e.Class))
	}
	ctx, span := t.tracer.Start(e.Context(), "Secrets Manager."+e.Operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(e.Time), trace.WithAttributes(t.with(attrs...)...), trace.WithAttributes(semconv.RPCSystemNameKey.String(string(systemName))))
	if span.IsRecording() {
		span.SetAttributes(secretAttributes(e)...)
		fail(span, e)
	}
	t.duration.Record(ctx, e.Duration.Seconds(), systemName, t.with(attrs...)...)
	span.End(trace.WithTimestamp(e.Time.Add(e.Duration)))
	t.remember(e.Call, span.SpanContext())
}

// wait makes the span of a read that waited, linked to the call that served it.
// Outside of a trace it would be of no use.
func (t *Telemetry) wait(e secrets.Event) {
	if !trace.SpanContextFromContext(e.Context()).IsValid() {
		return
	}
	opts := []trace.SpanStartOption{trace.WithTimestamp(e.Time), trace.WithAttributes(t.common...)}
	if served := t.recall(e.Call); served.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: served}))
	}
	_, span := t.tracer.Start(e.Context(), "secrets wait", opts...)
	if span.IsRecording() {
		span.SetAttributes(secretAttributes(e)...)
		if e.Class != "" {
			span.SetAttributes(errorType(e.Class))
		}
		fail(span, e)
	}
	span.End(trace.WithTimestamp(e.Time.Add(e.Duration)))
}

// fail sets the status of the span of a failed call or read.
func fail(span trace.Span, e secrets.Event) {
	switch {
	case e.Err != nil:
		span.SetStatus(codes.Error, e.Err.Error())
	case e.Class != "":
		span.SetStatus(codes.Error, string(e.Class))
	}
}

// secretAttributes say which secrets an event is about.
func secretAttributes(e secrets.Event) []attribute.KeyValue {
	ids := e.Secrets
	if ids == nil && e.Secret != "" {
		ids = []string{e.Secret}
	}
	arn := e.ARN
	if arn == "" && len(ids) == 1 && strings.HasPrefix(ids[0], "arn:") {
		arn = ids[0]
	}
	var attrs []attribute.KeyValue
	if arn != "" {
		attrs = append(attrs, semconv.AWSSecretsmanagerSecretARN(arn))
	}
	if len(ids) > 0 {
		attrs = append(attrs, attribute.StringSlice("secrets.secret.ids", ids))
	}
	return attrs
}

func (t *Telemetry) remember(call uint64, span trace.SpanContext) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent[call%recentCalls] = callSpan{call, span}
}

// recall returns the span of a call, or none if it is not remembered.
func (t *Telemetry) recall(call uint64) trace.SpanContext {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.recent[call%recentCalls]; call != 0 && c.call == call {
		return c.span
	}
	return trace.SpanContext{}
}
