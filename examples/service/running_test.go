package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A running is a service that runs in this process, as main would run it.
type running struct {
	t    *testing.T
	log  *logBuffer
	stop context.CancelFunc
	done chan struct{} // closed when run has returned
	err  error         // what it returned
}

// launch runs the service with the variables of env, given as name=value, on ports
// of its own. It is told to end when the test ends, if not before.
func launch(t *testing.T, env ...string) *running {
	t.Helper()
	vars := map[string]string{envPublicAddr: "127.0.0.1:0", envAdminAddr: "127.0.0.1:0", envDebugAddr: "127.0.0.1:0", envDrainDelay: "1ms"}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if vars[name] = value; strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value) // the SDK asks the process
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, log: new(logBuffer), stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = run(ctx, func(name string) string { return vars[name] }, r.log)
	}()
	t.Cleanup(func() { r.end() })
	return r
}

// end has the service shut down, and returns what run returned.
func (r *running) end() error {
	r.t.Helper()
	r.stop()
	select {
	case <-r.done:
	case <-time.After(30 * time.Second):
		r.t.Fatalf("the service does not end; its log:\n%s", r.log)
	}
	return r.err
}

// url returns an address of a listener, once it serves.
func (r *running) url(listener, path string) string {
	r.t.Helper()
	record := r.logged("serving", map[string]string{"listener": listener})
	return "http://" + record["addr"].(string) + path
}

// logged waits for a record with such a message and such attributes.
func (r *running) logged(msg string, attrs map[string]string) map[string]any {
	r.t.Helper()
	for {
		for _, record := range r.log.records(r.t) {
			same := record["msg"] == msg
			for name, value := range attrs {
				same = same && record[name] == value
			}
			if same {
				return record
			}
		}
		select {
		case <-r.done:
			r.t.Fatalf("no record %q %v in the log of a service that has ended: %v\n%s", msg, attrs, r.err, r.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// get returns the status and the body of an answer, or status 0 and the error.
func get(url string) (int, string) {
	response, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// want checks the answer of a listener.
func (r *running) want(listener, path string, status int, contains string) {
	r.t.Helper()
	if got, body := get(r.url(listener, path)); got != status || !strings.Contains(body, contains) {
		r.t.Errorf("%s%s: got %d, %q; want %d with %q", listener, path, got, body, status, contains)
	}
}

// eventually waits for an answer with a status, and returns it.
func (r *running) eventually(listener, path string, status int) string {
	r.t.Helper()
	return r.until(listener, path, func(got int, _ string) bool { return got == status })
}

// eventuallyHas waits for an answer with a text in it.
func (r *running) eventuallyHas(listener, path, text string) {
	r.t.Helper()
	r.until(listener, path, func(_ int, body string) bool { return strings.Contains(body, text) })
}

func (r *running) until(listener, path string, is func(int, string) bool) string {
	r.t.Helper()
	var status int
	var body string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if status, body = get(r.url(listener, path)); is(status, body) {
			return body
		}
	}
	r.t.Fatalf("%s%s: got %d, %q for ten seconds", listener, path, status, body)
	return ""
}

// A logBuffer is the log of a running service. It is safe for concurrent use by
// multiple goroutines.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// records returns what was logged: each line is a JSON object.
func (b *logBuffer) records(t *testing.T) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.String()) {
		record := make(map[string]any)
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("a line of the log is not a JSON object: %q", line)
		}
		all = append(all, record)
	}
	return all
}
