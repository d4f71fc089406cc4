package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// All are rejected: one error before the deadline is long past, one login for
// each version, and the service is asked and not the resource.
func TestTryAllRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRotRotation(t, false)
		d.create()
		d.db.set(rotLogin{"app", "nobody knows"})
		_, ref := rotBind(t, d.srv)
		start := time.Now()
		var err error
		calls := rotCalls(d.srv, func() { _, err = secrets.Try(rotWithin(30*time.Second), ref, d.db.login) })
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("Try took %v, want the 30s of its context", took)
		}
		var rejected *secrets.RejectedError
		if !errors.As(err, &rejected) {
			t.Fatalf("Try = %v, want a RejectedError", err)
		}
		if !errors.Is(err, errRotAuth) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is not the rejection and the deadline", err)
		}
		want := []secrets.Attempt{
			{VersionID: d.srv.VersionID(rotName, secrets.Current), Stage: secrets.Current},
			{VersionID: d.srv.VersionID(rotName, secrets.Pending), Stage: secrets.Pending},
			{VersionID: d.srv.VersionID(rotName, secrets.Previous), Stage: secrets.Previous},
		}
		if rejected.SecretID != rotName || !slices.Equal(rejected.Attempts, want) {
			t.Errorf("Attempts = %v of %q, want %v", rejected.Attempts, rejected.SecretID, want)
		}
		for _, a := range want {
			if !strings.Contains(err.Error(), a.VersionID) || !strings.Contains(err.Error(), a.Stage) {
				t.Errorf("message %q does not name %v", err, a)
			}
		}
		if got := d.db.rejectedBy(); len(got) != 3 || got["pw0"] != 1 || got["pw1"] != 1 || got["pw2"] != 1 {
			t.Errorf("rejected logins: %v, want each version once", got)
		}
		if calls < 10 || calls > 25 {
			t.Errorf("%d calls of the service in 30s, want 10 to 25", calls)
		}
	})
}

// A RejectedError never shows what a use returned, which may quote the
// password.
func TestRejectedErrorRedaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRotRotation(t, false)
		d.db.set(rotLogin{"app", "nobody knows"})
		_, ref := rotBind(t, d.srv)
		_, err := secrets.Try(rotWithin(time.Second), ref, d.db.login)
		var rejected *secrets.RejectedError
		if !errors.As(err, &rejected) || !errors.Is(err, errRotAuth) {
			t.Fatalf("Try = %v, want a RejectedError of errRotAuth", err)
		}
		type holder struct {
			e   *secrets.RejectedError
			err error
		}
		js, _ := json.Marshal(rejected)
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "err", err)
		shown := []string{string(js), logged.String(), fmt.Errorf("wrapped: %w", err).Error()}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
			shown = append(shown, fmt.Sprintf(verb, err), fmt.Sprintf(verb, *rejected), fmt.Sprintf(verb, holder{rejected, err}), fmt.Sprintf(verb, []any{rejected}))
		}
		for _, s := range shown {
			if strings.Contains(s, "pw1") || strings.Contains(s, "pw0") || strings.Contains(s, "707731") {
				t.Errorf("shown: %s", s)
			}
		}
	})
}

func TestRejectedIf(t *testing.T) {
	asked := false
	is := func(err error) bool { asked = true; return errors.Is(err, errRotAuth) }
	if err := secrets.RejectedIf(nil, is); err != nil || asked {
		t.Errorf("RejectedIf(nil) = %v, asked %v", err, asked)
	}
	if err := secrets.Rejected(nil); err != nil {
		t.Errorf("Rejected(nil) = %v", err)
	}
	if err := secrets.RejectedIf(errRotNetwork, is); err != errRotNetwork {
		t.Errorf("RejectedIf of another error = %v", err)
	}
	if err := secrets.RejectedIf(errRotAuth, is); err == errRotAuth || !errors.Is(err, errRotAuth) {
		t.Errorf("RejectedIf of a rejection = %v", err)
	}
}
