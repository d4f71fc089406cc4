package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/examples/service/local/world"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// shared is the world of all tests, who use it one after the other. It is started
// when it is first needed.
var shared = sync.OnceValues(func() (*world.World, error) { return world.Start(context.Background(), "") })

func TestMain(m *testing.M) {
	code := m.Run()
	if w, err := shared(); err == nil {
		if err := w.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// newWorld returns the world, and the environment of a service in it whose
// connections last for a moment, so that somebody logs in at any time.
func newWorld(t *testing.T) (w *world.World, env []string) {
	t.Helper()
	w, err := shared()
	if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skipf("LEFT OUT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range w.Env() {
		env = append(env, strings.NewReplacer("lifetime=1s", "lifetime=100ms", "period=500ms", "period=50ms").Replace(e))
	}
	return w, append(env, envSecretsTTL+"=300ms")
}

// A load is requests without end. It counts those that fail.
type load struct {
	over         atomic.Bool
	users        sync.WaitGroup
	good, failed atomic.Int64
	first        atomic.Value // the first failure
}

// request has a few users ask for a path again and again, until stop.
func (l *load) request(url, contains string) {
	for range 4 {
		l.users.Go(func() {
			for !l.over.Load() {
				if status, body := get(url); status == http.StatusOK && strings.Contains(body, contains) {
					l.good.Add(1)
				} else {
					l.failed.Add(1)
					l.first.CompareAndSwap(nil, url+": "+body)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}

// stop ends the load. No request may have failed.
func (l *load) stop(t *testing.T) {
	t.Helper()
	l.over.Store(true)
	l.users.Wait()
	t.Logf("%d requests", l.good.Load())
	if n := l.failed.Load(); n > 0 || l.good.Load() < 100 {
		t.Errorf("%d requests failed of %d, the first: %v", n, n+l.good.Load(), l.first.Load())
	}
}

// values collects the values of all versions of the world's secrets that have a
// label now, passwords by themselves: what no log may hold.
func values(t *testing.T, w *world.World, into map[string]bool) {
	t.Helper()
	for _, id := range []string{world.DBSecret, world.APIKeySecret} {
		for _, labels := range w.Fake.Stages(id) {
			out, err := w.Fake.Client().GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: &labels[0]})
			if err != nil {
				t.Fatal(err)
			}
			value := aws.ToString(out.SecretString)
			if _, password, found := strings.Cut(value, `"password":"`); found {
				value, _, _ = strings.Cut(password, `"`)
			}
			into[value] = true
		}
	}
}

// Two rotations of the password, one of the API key, and an outage of Secrets
// Manager under load cost no request. The probes say what the README says they do,
// the metrics are there, and the log holds no value.
func TestService(t *testing.T) {
	w, env := newWorld(t)
	secret := make(map[string]bool)
	values(t, w, secret)
	r := launch(t, env...)
	r.logged("ready", nil)
	r.want("admin", pathReady, http.StatusOK, "")

	var l load
	l.request(r.url("public", "/items/1"), "lamp")
	l.request(r.url("public", "/rates/EUR"), "0.91")
	rotatePassword := func() error {
		return w.RotatePassword(t.Context(), func() error {
			r.eventuallyHas("admin", pathMetrics, "secrets_cache_pins 1") // AWSPENDING logs in
			return nil
		})
	}
	rotateKey := func() error { return w.RotateKey(t.Context()) }
	for i, event := range []func() error{rotatePassword, rotateKey, rotatePassword} {
		if err := event(); err != nil {
			t.Fatalf("rotation %d: %v", i, err)
		}
		values(t, w, secret)
		time.Sleep(150 * time.Millisecond)
	}
	end := w.Outage()
	time.Sleep(700 * time.Millisecond) // more than two TTLs
	r.want("admin", pathReady, http.StatusOK, "")
	r.want("admin", pathMetrics, http.StatusOK, `secrets_cache_secret_failing{error_type="network"} 2`)
	end()
	l.stop(t)

	r.want("admin", pathLive, http.StatusOK, "")
	for _, metric := range []string{
		`service_requests_total{route="GET /items/{id}",status="200"}`, "secrets_cache_reads_total", "secrets_cache_secret_count 2",
		"rpc_client_call_duration_seconds_bucket", "go_goroutines", "process_start_time_seconds",
	} {
		r.want("admin", pathMetrics, http.StatusOK, metric)
	}
	r.want("debug", pathDebug, http.StatusOK, world.DBSecret)
	for _, listener := range []string{"public", "admin"} {
		r.want(listener, pathDebug, http.StatusNotFound, "")
	}
	for _, path := range []string{pathLive, pathReady, pathMetrics} {
		r.want("public", path, http.StatusNotFound, "")
	}
	r.want("public", "/items/3", http.StatusNotFound, "no such item")
	r.want("public", "/items/x", http.StatusBadRequest, "not a number")
	r.want("public", "/rates/XXX", http.StatusNotFound, "no such currency")

	if err := r.end(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	if len(secret) < 4 {
		t.Errorf("saw %d values, want those of three rotations and the first ones", len(secret))
	}
	for value := range secret {
		if strings.Contains(r.log.String(), value) {
			t.Error("the log holds a value of a secret")
		}
	}
	if t.Failed() {
		t.Logf("the log:\n%s", r.log)
	}
}

// A service that is told to end is not ready any more, serves what it has begun
// to, also where that needs another version of a secret, and leaves no session at the database.
func TestShutdownWithRequestsUnderWay(t *testing.T) {
	w, env := newWorld(t)
	r := launch(t, append(env, envDrainDelay+"=600ms")...)
	r.logged("ready", nil)
	r.want("public", "/items/2", http.StatusOK, "chair")
	slow, ready := r.url("public", "/rates/GBP"), r.url("admin", pathReady)

	const delay = time.Second
	w.Rates.SetDelay(delay)
	t.Cleanup(func() { w.Rates.SetDelay(0) })
	var users sync.WaitGroup
	for range 5 {
		users.Go(func() {
			if status, body := get(slow); status != http.StatusOK || !strings.Contains(body, "0.78") {
				t.Errorf("a request that was under way: got %d, %q", status, body)
			}
		})
	}
	time.Sleep(delay / 10)
	if err := w.RotateKey(t.Context()); err != nil { // their key is rejected when the end has begun
		t.Fatal(err)
	}
	r.stop()
	for status := http.StatusOK; status != http.StatusServiceUnavailable; time.Sleep(time.Millisecond) {
		if status, _ = get(ready); status == 0 {
			t.Fatal("the probe is gone before it said that the service is not ready")
		}
	}
	r.want("public", "/items/2", http.StatusOK, "chair") // the load balancer has not seen it yet
	if err := r.end(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	users.Wait()
	r.logged("shut down in order", nil)
	if n, _, err := w.Sessions(t.Context()); err != nil || n != 0 {
		t.Errorf("%d sessions are left at the database, error %v", n, err)
	}
	if _, body := get(slow); !strings.Contains(body, "refused") {
		t.Errorf("after the end: got %q, want the connection refused", body)
	}
}

// slowItems makes a query of items take twenty seconds.
var slowItems = []string{
	"ALTER TABLE items RENAME TO kept",
	"CREATE VIEW items AS SELECT id, name || pg_sleep(20) AS name FROM kept",
	"GRANT SELECT ON items TO service",
}

// Requests that take longer than SHUTDOWN_TIMEOUT are cut off, their queries with
// them, and the service ends all the same.
func TestShutdownCutsOff(t *testing.T) {
	w, env := newWorld(t)
	r := launch(t, append(env, envShutdownTimeout+"=200ms")...)
	r.logged("ready", nil)
	if err := w.Exec(t.Context(), slowItems...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Exec(context.Background(), "DROP VIEW items", "ALTER TABLE kept RENAME TO items"); err != nil {
			t.Error(err)
		}
	})
	cut := make(chan int)
	go func() {
		status, _ := get(r.url("public", "/items/1"))
		cut <- status
	}()
	for active := 0; active == 0; time.Sleep(5 * time.Millisecond) {
		var err error
		if _, active, err = w.Sessions(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if err := r.end(); err == nil {
		t.Error("the service ended without an error, want one that says that requests were cut off")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
	if status := <-cut; status != 0 {
		t.Errorf("the request that was cut off got status %d", status)
	}
	if !strings.Contains(r.log.String(), "requests are cut off") {
		t.Errorf("the log does not say so:\n%s", r.log)
	}
}

// A secret that the service lost makes it not ready, and the probe itself finds
// out when it is back: no request would.
func TestReadyAgain(t *testing.T) {
	w, env := newWorld(t)
	r := launch(t, env...)
	r.logged("ready", nil)
	r.want("public", "/rates/EUR", http.StatusOK, "0.91")

	w.Fake.ScheduleDeletion(world.APIKeySecret)
	r.eventually("public", "/rates/EUR", http.StatusInternalServerError) // it is read, and so checked
	if body := r.eventually("admin", pathReady, http.StatusServiceUnavailable); !strings.Contains(body, world.APIKeySecret) || strings.Contains(body, world.DBSecret) {
		t.Errorf("the probe answers %q, want it to name the secret that is gone", body)
	}
	r.want("admin", pathLive, http.StatusOK, "")
	w.Fake.Restore(world.APIKeySecret)
	r.eventually("admin", pathReady, http.StatusOK)
	r.want("public", "/rates/EUR", http.StatusOK, "0.91")
}
