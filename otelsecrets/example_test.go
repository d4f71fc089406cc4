package otelsecrets_test

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/otelsecrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A metric reader collects the metrics of a client. A service uses an exporter
// instead, such as the Prometheus exporter, and sets the global providers.
func Example() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "x"}})
	defer srv.Close()
	reader := metric.NewManualReader()

	telemetry, err := otelsecrets.New(&otelsecrets.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	if err != nil {
		log.Fatal(err)
	}
	client, err := secrets.New(srv.Client(), &secrets.Options{OnEvent: telemetry.OnEvent})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	stop, err := telemetry.Observe(client)
	if err != nil {
		log.Fatal(err)
	}
	defer stop()

	ctx := context.Background()
	for range 3 {
		if _, err := client.Get(ctx, "prod/db"); err != nil {
			log.Fatal(err)
		}
	}
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		log.Fatal(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if m.Name == "secrets.cache.reads" {
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				result, _ := p.Attributes.Value("secrets.cache.result")
				fmt.Println(result.AsString(), p.Value)
			}
		}
	}
	// Unordered output:
	// hit 2
	// miss 1
	// stale 0
	// negative 0
}
