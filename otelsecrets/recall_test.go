package otelsecrets

import (
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// TestRecall asks for the spans of calls that are remembered no longer, or never were.
func TestRecall(t *testing.T) {
	var telemetry Telemetry
	span := func(call uint64) trace.SpanContext {
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{byte(call), byte(call >> 8), 1}})
	}
	const calls = 3000
	for call := range uint64(calls) {
		telemetry.remember(call+1, span(call+1))
	}
	for call, want := range map[uint64]bool{0: false, 1: false, calls - recentCalls: false, calls - recentCalls + 1: true, calls: true, calls + 1: false} {
		if got := telemetry.recall(call); got.IsValid() != want || want && !got.Equal(span(call)) {
			t.Errorf("recall(%d) = %v, want one: %v", call, got, want)
		}
	}
}
