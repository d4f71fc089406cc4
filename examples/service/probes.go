package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
)

// The paths of the admin and the debug listener.
const (
	pathLive    = "/livez"
	pathReady   = "/readyz"
	pathMetrics = "/metrics"
	pathDebug   = "/debug/secrets"
)

// probeTimeout bounds the calls that a probe may cause. It is below the timeout
// of the probe itself, see deploy.
const probeTimeout = 2 * time.Second

// admin returns the handler for the kubelet and Prometheus. Only a response of
// /readyz names secrets: those that cannot be read.
func (a *app) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathLive, func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET "+pathReady, a.getReady)
	mux.Handle("GET "+pathMetrics, promhttp.HandlerFor(a.telemetry.registry, promhttp.HandlerOpts{}))
	return mux
}

// debug returns the page for operators. It is served on loopback unless
// DEBUG_ADDR is set, because it names secrets and AWS callers.
func (a *app) debug() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pathDebug, secretsdebug.Handler(a.client, &a.telemetry.events))
	return mux
}

// getReady answers 200 while the service can serve. If Secrets Manager cannot
// be reached, it answers 200 as long as there are cached values. It does not
// check the database: all processes share that, and would leave the load
// balancer together.
func (a *app) getReady(w http.ResponseWriter, r *http.Request) {
	if !a.ready.Load() {
		http.Error(w, "starting or shutting down", http.StatusServiceUnavailable)
		return
	}
	if err := a.usable(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// usable reports whether every secret has a value, from memory. It requests a
// secret without a value, because a service that is not ready gets no requests
// whose reads would notice that the secret is back.
func (a *app) usable(ctx context.Context) error {
	if secrets.Ready(a.secrets...) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return secrets.Load(ctx, a.secrets...)
}
