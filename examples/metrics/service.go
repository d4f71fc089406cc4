package main

import (
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/otelsecrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
)

// A service is a program that reads secrets and can be monitored.
type service struct {
	client *secrets.Client
	login  *secrets.Ref[login]
	limit  *secrets.Ref[int]

	registry *prometheus.Registry
	admin    *http.ServeMux // /metrics, /readyz, /debug/secrets
	close    func()
}

type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// newService makes a service that reads secrets through api. Prometheus can
// scrape its metrics: the metric reader is the exporter, which is a collector
// of the registry.
func newService(api secrets.API, o secrets.Options) (*service, error) {
	s := &service{registry: prometheus.NewRegistry(), admin: http.NewServeMux()}
	reader, err := exporter.New(exporter.WithRegisterer(s.registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo(),
		exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
	if err != nil {
		return nil, err
	}
	telemetry, err := otelsecrets.New(&otelsecrets.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	if err != nil {
		return nil, err
	}
	var log secretsdebug.Log
	o.OnEvent = func(e secrets.Event) {
		telemetry.OnEvent(e)
		log.OnEvent(e)
	}
	if s.client, err = secrets.New(api, &o); err != nil {
		return nil, err
	}
	stop, err := telemetry.Observe(s.client)
	s.close = func() {
		s.client.Close()
		err = errors.Join(err, stop())
	}
	if err != nil {
		s.client.Close()
		return nil, err
	}
	s.login, s.limit = secrets.Bind[login](s.client, "prod/db"), secrets.Bind[int](s.client, "prod/limit")
	s.admin.Handle("/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	s.admin.Handle("/debug/secrets", secretsdebug.Handler(s.client, &log))
	s.admin.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := secrets.Ready(s.login, s.limit); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return s, nil
}
