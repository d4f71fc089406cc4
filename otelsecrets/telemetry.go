package otelsecrets

import (
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/rpcconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-74dc7b3e/secrets"
)

// ScopeName is the name of the instrumentation scope of all metrics and spans.
const ScopeName = "github.com/seed-74dc7b3e/secrets/otelsecrets"

// systemName is the RPC system of every call.
const systemName rpcconv.SystemNameAttr = "aws-api"

// Options are the options of [New]. A nil *Options and zero fields mean the
// defaults.
type Options struct {
	// MeterProvider makes the meter. The default is the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider makes the tracer. The default is the global one.
	TracerProvider trace.TracerProvider

	// Attributes are added to every metric and span. The default is none.
	Attributes []attribute.KeyValue
}

// A Telemetry exports the telemetry of one client. [Telemetry.OnEvent] exports
// its events, and [Telemetry.Observe] its state. It is safe for concurrent use
// by multiple goroutines. Use it for only one client, because several clients
// number their calls alike.
type Telemetry struct {
	meter    metric.Meter
	tracer   trace.Tracer
	common   []attribute.KeyValue
	duration rpcconv.ClientCallDuration

	mu     sync.Mutex // guards the fields below
	recent [recentCalls]callSpan
}

// New returns a Telemetry. It fails if the meter refuses an instrument.
func New(o *Options) (*Telemetry, error) {
	if o == nil {
		o = &Options{}
	}
	meters, tracers := o.MeterProvider, o.TracerProvider
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	t := &Telemetry{
		meter:  meters.Meter(ScopeName, metric.WithSchemaURL(semconv.SchemaURL)),
		tracer: tracers.Tracer(ScopeName, trace.WithSchemaURL(semconv.SchemaURL)),
		common: o.Attributes,
	}
	var err error
	if t.duration, err = rpcconv.NewClientCallDuration(t.meter); err != nil {
		return nil, err
	}
	return t, nil
}

// OnEvent exports an event. Use it as secrets.Options.OnEvent. It creates the
// spans of calls and of reads that waited, and records how long calls took. It
// ignores other kinds of events. It blocks only as long as the tracer's and the
// meter's processors do.
func (t *Telemetry) OnEvent(e secrets.Event) {
	switch e.Kind {
	case secrets.EventCall:
		t.call(e)
	case secrets.EventWait:
		t.wait(e)
	}
}

// with returns the common attributes and some more.
func (t *Telemetry) with(more ...attribute.KeyValue) []attribute.KeyValue {
	return append(t.common[:len(t.common):len(t.common)], more...)
}

func method(operation string) attribute.KeyValue {
	return semconv.RPCMethod("SecretsManager/" + operation)
}

func errorType(class secrets.FailureClass) attribute.KeyValue {
	return semconv.ErrorTypeKey.String(string(class))
}
