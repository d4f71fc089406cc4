package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/otlptranslator"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/otelsecrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
)

// A telemetry holds the metrics of the service and the events for the debug
// page.
type telemetry struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	secrets  *otelsecrets.Telemetry
	events   secretsdebug.Log
	stop     func() error
}

// newTelemetry makes a registry with the metrics of the process, of requests
// and, through OpenTelemetry's exporter, of the secrets.
func newTelemetry() (*telemetry, error) {
	t := &telemetry{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "service_requests_total", Help: "Requests that were answered, by route and status.",
		}, []string{"route", "status"}),
		stop: func() error { return nil },
	}
	t.registry.MustRegister(t.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(t.registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo(),
		exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
	if err != nil {
		return nil, err
	}
	t.secrets, err = otelsecrets.New(&otelsecrets.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	return t, err
}

// onEvent is the client's OnEvent: it must not block.
func (t *telemetry) onEvent(e secrets.Event) {
	t.secrets.OnEvent(e)
	t.events.OnEvent(e)
}

// observe adds the state of the client's cache to the metrics, until close.
func (t *telemetry) observe(client *secrets.Client) error {
	stop, err := t.secrets.Observe(client)
	if err == nil {
		t.stop = stop
	}
	return err
}

func (t *telemetry) close() error { return t.stop() }
