package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const id = "prod/key"

func value(key string) string { return `{"key":"` + key + `"}` }

// An environment is an execution environment of AWS Lambda after its init phase.
type environment struct {
	*testing.T
	srv *secretstest.Server
	f   *function
}

// start runs a test with an environment, in a bubble. There the clock moves when
// nothing runs, which is what a frozen environment sees of time.
func start(t *testing.T, test func(*environment)) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{id: value("first")})
		f, err := newFunction(t.Context(), srv.Client(), id, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer f.client.Close()
		test(&environment{t, srv, f})
	})
}

// freeze is the time between two invocations, in which nothing may be asked.
func (e *environment) freeze(d time.Duration) {
	e.Helper()
	before := e.srv.Count()
	time.Sleep(d)
	if n := e.srv.Count() - before; n != 0 {
		e.Errorf("%d calls while the environment was frozen", n)
	}
}

// invoke invokes the function as AWS Lambda does, and returns the status.
func (e *environment) invoke(key string) (int, error) {
	e.Helper()
	payload, err := json.Marshal(events.APIGatewayV2HTTPRequest{Headers: map[string]string{"x-api-key": key}})
	if err != nil {
		e.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(e.Context(), 3*time.Second)
	defer cancel()
	answer, err := lambda.NewHandler(e.f.handle).Invoke(ctx, payload)
	if err != nil {
		return 0, err
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		e.Fatal(err)
	}
	return response.StatusCode, nil
}

// want checks which of some keys the function takes.
func (e *environment) want(status int, keys ...string) {
	e.Helper()
	for _, key := range keys {
		if got, err := e.invoke(key); got != status || err != nil {
			e.Errorf("key %s: got status %d, error %v, want %d", key, got, err, status)
		}
	}
}

// An invocation makes no call while the value is young enough, and one when the
// environment was frozen for longer than that.
func TestCalls(t *testing.T) {
	start(t, func(e *environment) {
		for range 4 {
			e.want(http.StatusNoContent, "first")
			e.freeze(time.Minute)
		}
		if n := e.srv.Count(); n != 1 {
			t.Errorf("%d calls in four minutes, want that of the init phase", n)
		}
		e.freeze(10 * time.Minute)
		e.want(http.StatusNoContent, "first", "first")
		if all := e.srv.Calls(); len(all) != 2 || all[1].Op != "DescribeSecret" {
			t.Errorf("the calls are %v, want a DescribeSecret for the invocations after the freeze", all)
		}
	})
}

// The first invocation after a freeze has the version that became current in it.
func TestNewVersionInAFreeze(t *testing.T) {
	start(t, func(e *environment) {
		e.freeze(time.Hour)
		e.srv.Put(id, value("second"))
		e.srv.Put(id, value("third"))
		e.want(http.StatusNoContent, "third")
		e.want(http.StatusNoContent, "second") // AWSPREVIOUS
		e.want(http.StatusUnauthorized, "first", "", "wrong")
	})
}

// In a rotation that goes on between invocations the old and the new key are right,
// whichever the caller has by now.
func TestRotationBetweenInvocations(t *testing.T) {
	start(t, func(e *environment) {
		e.freeze(time.Hour)
		pending := e.srv.PutPending(id, value("second"))
		e.want(http.StatusNoContent, "first", "second")
		e.freeze(time.Hour)
		e.srv.MoveStage(id, secrets.Current, pending)
		e.want(http.StatusNoContent, "second", "first")
	})
}

// A wrong key does not have the service asked each time: whoever sends many costs
// little.
func TestWrongKeys(t *testing.T) {
	start(t, func(e *environment) {
		for range 100 {
			e.want(http.StatusUnauthorized, "wrong")
		}
		if n := e.srv.Count(); n > 5 {
			t.Errorf("%d calls for a hundred wrong keys", n)
		}
	})
}

// While Secrets Manager cannot be reached the old value serves, for 36 hours, and an
// invocation takes no longer than StaleWait. Then, and when the secret is deleted,
// invocations fail.
func TestFailures(t *testing.T) {
	start(t, func(e *environment) {
		end := e.srv.RegionOutage(secretstest.DefaultRegion)
		e.freeze(10 * time.Hour)
		began := time.Now()
		e.want(http.StatusNoContent, "first")
		if took := time.Since(began); took > secrets.DefaultStaleWait {
			t.Errorf("an invocation took %v in an outage", took)
		}
		synctest.Wait()
		time.Sleep(30 * time.Hour)
		if status, err := e.invoke("first"); err == nil {
			t.Errorf("got status %d by a value of 40 hours ago, want an error", status)
		}
		end()
		e.freeze(time.Minute)
		e.want(http.StatusNoContent, "first")

		e.srv.Delete(id)
		time.Sleep(time.Hour)
		if status, err := e.invoke("first"); err == nil {
			t.Errorf("got status %d by a secret that is deleted, want an error", status)
		}
	})
}

// What makes a function useless fails its init phase, in time and by the secret's
// name, and not its invocations.
func TestInitFails(t *testing.T) {
	for name, tt := range map[string]struct {
		id    string
		fault secretstest.Fault
		want  string
	}{
		"no name":   {"", secretstest.Fault{}, envSecret},
		"missing":   {"prod/missing", secretstest.Fault{}, "prod/missing"},
		"not a key": {"prod/empty", secretstest.Fault{}, "prod/empty"},
		"denied":    {id, secretstest.Fault{Code: "AccessDeniedException", Times: secretstest.Always}, id},
		"slow":      {id, secretstest.Fault{Latency: time.Minute, Times: secretstest.Always}, id},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.New(t, secretstest.Secrets{id: value("hunter2"), "prod/empty": `{"kee":"hunter2"}`})
				if tt.fault.Times != 0 {
					srv.Fail(tt.fault)
				}
				ctx, cancel := context.WithTimeout(t.Context(), initTimeout)
				defer cancel()
				began := time.Now()
				_, err := newFunction(ctx, srv.Client(), tt.id, slog.New(slog.NewJSONHandler(io.Discard, nil)))
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("got error %v, want one that names %s and holds no value", err, tt.want)
				}
				if took := time.Since(began); took > initTimeout+2*time.Second {
					t.Errorf("the init phase took %v", took)
				}
				if _, denied := errors.AsType[*types.ResourceNotFoundException](err); denied != (name == "missing") {
					t.Errorf("got error %v, want the SDK's type of a missing secret: %t", err, name == "missing")
				}
			})
		})
	}
}
