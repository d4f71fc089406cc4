package otelsecrets_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/otelsecrets"
)

// BenchmarkOnEvent measures the event of a call with the SDK's providers, and
// an event of another kind.
func BenchmarkOnEvent(b *testing.B) {
	telemetry, err := otelsecrets.New(&otelsecrets.Options{
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())),
		TracerProvider: trace.NewTracerProvider(),
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range []secrets.Event{
		{Kind: secrets.EventCall, Time: time.Now(), Operation: "DescribeSecret", Secret: "s", ARN: "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-AbCdEf", Secrets: []string{"s"}},
		{Kind: secrets.EventAdopted, Time: time.Now(), Secret: "s"},
	} {
		b.Run(e.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				telemetry.OnEvent(e)
			}
		})
	}
}
