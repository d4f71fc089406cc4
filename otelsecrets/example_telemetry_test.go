package otelsecrets_test

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/otelsecrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A program with two clients distinguishes their metrics and spans by an
// attribute. Without its own providers it uses the global ones.
func ExampleNew() {
	telemetry, err := otelsecrets.New(&otelsecrets.Options{
		Attributes: []attribute.KeyValue{attribute.String("client", "partners")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(telemetry != nil)
	// Output: true
}

// The call for a secret is a span in the trace of the read that caused it.
func ExampleTelemetry_OnEvent() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
	telemetry, err := otelsecrets.New(&otelsecrets.Options{TracerProvider: provider})
	if err != nil {
		log.Fatal(err)
	}
	client, err := secrets.New(srv.Client(), &secrets.Options{OnEvent: telemetry.OnEvent})
	if err != nil {
		log.Fatal(err)
	}

	ctx, request := provider.Tracer("shop").Start(context.Background(), "GET /orders")
	if _, err := client.Get(ctx, "prod/db"); err != nil {
		log.Fatal(err)
	}
	client.Close() // waits until all events are told
	for _, s := range spans.Ended() {
		fmt.Println(s.Name(), s.Parent().SpanID() == request.SpanContext().SpanID())
	}
	// Unordered output:
	// Secrets Manager.GetSecretValue true
	// secrets wait true
}

// Collections read the state of the client, until stop.
func ExampleTelemetry_Observe() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	reader := metric.NewManualReader()
	telemetry, err := otelsecrets.New(&otelsecrets.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	if err != nil {
		log.Fatal(err)
	}
	client, err := secrets.New(srv.Client(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	stop, err := telemetry.Observe(client)
	if err != nil {
		log.Fatal(err)
	}

	collect := func() int {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &all); err != nil {
			log.Fatal(err)
		}
		return len(all.ScopeMetrics)
	}
	fmt.Println(collect())
	fmt.Println(stop())
	fmt.Println(collect())
	// Output:
	// 1
	// <nil>
	// 0
}
