package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// alone returns a fake with the service's secrets, and the environment of a service
// that finds nothing but that.
func alone(t *testing.T) (*secretstest.Server, []string) {
	srv := secretstest.New(t, secretstest.Secrets{"db": `{"username":"service","password":"hunter2"}`, "key": "hunter2"})
	return srv, []string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + srv.URL(), "AWS_REGION=" + secretstest.DefaultRegion,
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=example",
		envDBSecret + "=db", envAPIKeySecret + "=key",
		envDatabaseURL + "=postgres://127.0.0.1:1/shop?sslmode=disable", envRatesURL + "=http://127.0.0.1:1",
	}
}

// slow makes Secrets Manager answer too late for START_TIMEOUT.
var slow = secretstest.Fault{Latency: time.Minute, Times: secretstest.Always}

// A service that waits for its secrets is alive and not ready. When START_TIMEOUT
// is over it ends with an error that names each of them.
func TestStartWithoutSecrets(t *testing.T) {
	srv, env := alone(t)
	srv.Fail(slow)
	r := launch(t, append(env, envStartTimeout+"=2s")...)
	r.want("admin", pathLive, http.StatusOK, "")
	r.want("admin", pathReady, http.StatusServiceUnavailable, "starting")
	<-r.done
	for _, want := range []string{"cannot start", `"db"`, `"key"`} {
		if r.err == nil || !strings.Contains(r.err.Error(), want) {
			t.Errorf("got error %v, want %s in it", r.err, want)
		}
	}
	if strings.Contains(r.log.String(), `"listener":"public"`) {
		t.Error("it served users before it had its secrets")
	}
}

// A database that refuses connections fails the start, too.
func TestStartWithoutDatabase(t *testing.T) {
	_, env := alone(t)
	r := launch(t, append(env, envStartTimeout+"=2s")...)
	<-r.done
	if r.err == nil || !strings.Contains(r.err.Error(), "the database: ") {
		t.Errorf("got error %v, want one of the database", r.err)
	}
	if strings.Contains(r.log.String(), "hunter2") {
		t.Error("the log holds the password")
	}
}

// An emulator beyond loopback is asked over plain http only if that is allowed.
func TestAllowHTTP(t *testing.T) {
	for _, allow := range []string{"false", "true"} {
		_, env := alone(t)
		env = append(env, "AWS_ENDPOINT_URL_SECRETS_MANAGER=http://emulator.invalid:4566", envSecretsAllowHTTP+"="+allow, envStartTimeout+"=1s")
		r := launch(t, env...)
		<-r.done
		refused := r.err != nil && strings.Contains(r.err.Error(), "plain http")
		if r.err == nil || refused != (allow == "false") {
			t.Errorf("%s=%s: got error %v", envSecretsAllowHTTP, allow, r.err)
		}
	}
}

// An address that is taken fails the start, and leaves no listener behind.
func TestAddressInUse(t *testing.T) {
	srv, env := alone(t)
	srv.Fail(slow)
	first := launch(t, append(env, envStartTimeout+"=5s")...)
	taken := strings.TrimPrefix(first.url("admin", ""), "http://")
	second := launch(t, append(env, envAdminAddr+"="+taken)...)
	<-second.done
	if second.err == nil || !strings.Contains(second.err.Error(), "address already in use") {
		t.Errorf("got error %v, want the address in use", second.err)
	}
}

// Whoever deploys the service hears of all that is missing or wrong at once, and
// not what was wrong: it might be a password.
func TestSettings(t *testing.T) {
	vars := map[string]string{
		envDatabaseURL: "postgres://app:hunter2@db:port/shop", envRatesURL: "rates.internal", envDrainDelay: "5",
		envSecretsTTL: "-1s", envSecretsAllowHTTP: "yes please",
	}
	err := run(t.Context(), func(name string) string { return vars[name] }, io.Discard)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{envDBSecret, envAPIKeySecret, envDatabaseURL, envRatesURL, envDrainDelay, envSecretsTTL, envSecretsAllowHTTP} {
		if !strings.Contains(err.Error(), want+" is n") {
			t.Errorf("the error does not name %s:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds a password:\n%v", err)
	}

	vars[envDatabaseURL] = "host=db password=hunter2 sslmode=verify-full sslrootcert=/missing.pem"
	_, err = readSettings(func(name string) string { return vars[name] })
	if text := err.Error(); !strings.Contains(text, "/missing.pem") || strings.Contains(text, "hunter2") {
		t.Errorf("got error %q, want one that names the file", text)
	}

	vars = map[string]string{envDBSecret: "db", envAPIKeySecret: "key", envDatabaseURL: "host=db", envRatesURL: "https://rates.internal"}
	s, err := readSettings(func(name string) string { return vars[name] })
	if err != nil {
		t.Fatal(err)
	}
	if s.publicAddr != defaultPublicAddr || s.debugAddr != defaultDebugAddr || s.drainDelay != defaultDrainDelay || s.ttl != 0 || s.allowHTTP {
		t.Errorf("got %q, %q, %v, %v, %t, want the defaults", s.publicAddr, s.debugAddr, s.drainDelay, s.ttl, s.allowHTTP)
	}
}
