package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// The environment variables that the service reads. The SDK reads others: the
// region, the source of credentials, and AWS_ENDPOINT_URL_SECRETS_MANAGER, the
// address of an emulator. None of these contains a secret.
const (
	envDBSecret     = "DB_SECRET"      // name or ARN of the database secret
	envDatabaseURL  = "DATABASE_URL"   // address of the database, without user and password
	envAPIKeySecret = "API_KEY_SECRET" // name or ARN of the key for the rates API
	envRatesURL     = "RATES_URL"      // address of the rates API

	envPublicAddr = "PUBLIC_ADDR" // for users
	envAdminAddr  = "ADMIN_ADDR"  // for probes and Prometheus
	envDebugAddr  = "DEBUG_ADDR"  // for people; keep it on loopback

	envSecretsTTL       = "SECRETS_TTL"        // how old a secret may be
	envSecretsAllowHTTP = "SECRETS_ALLOW_HTTP" // for emulators beyond loopback

	envStartTimeout    = "START_TIMEOUT"    // for the secrets and the first login
	envDrainDelay      = "DRAIN_DELAY"      // between not ready and not listening
	envShutdownTimeout = "SHUTDOWN_TIMEOUT" // for requests under way
)

// The defaults of the settings that have one.
const (
	defaultPublicAddr = ":8080"
	defaultAdminAddr  = ":9090"
	defaultDebugAddr  = "127.0.0.1:6060"

	defaultStartTimeout    = 30 * time.Second
	defaultDrainDelay      = 5 * time.Second
	defaultShutdownTimeout = 20 * time.Second
)

// A settings holds the settings from the environment. It contains names of
// secrets and no value.
type settings struct {
	dbSecret, apiKeySecret           string
	database                         *pgxpool.Config
	rates                            *url.URL
	publicAddr, adminAddr, debugAddr string
	ttl                              time.Duration // zero: the library's default
	allowHTTP                        bool
	startTimeout                     time.Duration
	drainDelay, shutdownTimeout      time.Duration
}

// readSettings returns the settings, or an error that names every missing or
// invalid variable, so that all can be fixed at once.
func readSettings(getenv func(string) string) (*settings, error) {
	e := environment{getenv: getenv}
	c := &settings{
		dbSecret:        e.required(envDBSecret),
		apiKeySecret:    e.required(envAPIKeySecret),
		database:        e.database(envDatabaseURL),
		rates:           e.url(envRatesURL),
		publicAddr:      e.text(envPublicAddr, defaultPublicAddr),
		adminAddr:       e.text(envAdminAddr, defaultAdminAddr),
		debugAddr:       e.text(envDebugAddr, defaultDebugAddr),
		ttl:             e.duration(envSecretsTTL, 0),
		allowHTTP:       e.bool(envSecretsAllowHTTP),
		startTimeout:    e.duration(envStartTimeout, defaultStartTimeout),
		drainDelay:      e.duration(envDrainDelay, defaultDrainDelay),
		shutdownTimeout: e.duration(envShutdownTimeout, defaultShutdownTimeout),
	}
	return c, errors.Join(e.errs...)
}

// An environment reads variables and collects the errors.
type environment struct {
	getenv func(string) string
	errs   []error
}

func (e *environment) wrong(name, reason string) {
	e.errs = append(e.errs, fmt.Errorf("%s %s", name, reason))
}

func (e *environment) text(name, fallback string) string {
	if v := e.getenv(name); v != "" {
		return v
	}
	return fallback
}

func (e *environment) required(name string) string {
	v := e.getenv(name)
	if v == "" {
		e.wrong(name, "is not set")
	}
	return v
}

// database never quotes a URL that it cannot parse, because it may contain a
// password, although the pool would not use that.
func (e *environment) database(name string) *pgxpool.Config {
	v := e.required(name)
	if v == "" {
		return nil
	}
	c, err := pgxpool.ParseConfig(v)
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		e.wrong(name, "names a file that cannot be read: "+file.Error())
	} else if err != nil {
		e.wrong(name, "is not a connection string of pgx, such as postgres://db.internal:5432/shop?sslmode=verify-full")
	}
	return c
}

func (e *environment) url(name string) *url.URL {
	v := e.required(name)
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		e.wrong(name, "is not a URL with a scheme and a host")
		return nil
	}
	return u
}

func (e *environment) duration(name string, fallback time.Duration) time.Duration {
	v := e.getenv(name)
	if v == "" {
		return fallback
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		e.wrong(name, "is not a duration above zero, such as 30s")
	}
	return d
}

func (e *environment) bool(name string) bool {
	v := e.getenv(name)
	b, err := strconv.ParseBool(v)
	if v != "" && err != nil {
		e.wrong(name, "is neither true nor false")
	}
	return b
}
