package sqlcredtest_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A role that may not log in for a while: every five seconds one login finds
// out, the error quotes the server, and the repair is found within ten seconds.
func TestRoleMayNotLogIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, backends[0], nil)
	c := r.connector(&sqlcred.Options{Logger: slog.New(slog.DiscardHandler)})
	defer c.Close()
	try := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		conn, err := c.Connect(ctx)
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	r.exec("ALTER ROLE %s NOLOGIN", r.user)
	var err error
	for end := time.Now().Add(7 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		err = try()
	}
	if !errors.As(err, new(*secrets.RejectedError)) {
		t.Fatalf("got %v, want a RejectedError", err)
	}
	for _, want := range []string{"is not permitted to log in", "28000", r.user, r.s.Addr()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	r.exec("ALTER ROLE %s LOGIN", r.user)
	start := time.Now()
	for err = try(); err != nil && time.Since(start) < time.Minute; err = try() {
		time.Sleep(50 * time.Millisecond)
	}
	if took := time.Since(start); err != nil || took > 10*time.Second {
		t.Errorf("found after %v, error %v, want 10s at most", took, err)
	} else {
		t.Logf("found after %v", took)
	}
}
