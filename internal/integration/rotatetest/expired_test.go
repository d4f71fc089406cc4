package rotatetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// TestExpiredPassword rotates accounts whose password has expired: they log in,
// and may do nothing but set it (error 1820).
func TestExpiredPassword(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "mysql")
	for _, strat := range []strategy{single, two} {
		t.Run(strat.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, db, strat)
			db.exec(t, fmt.Sprintf("ALTER USER `%s`@`%%` PASSWORD EXPIRE", w.user))
			if err := db.try(t.Context(), w.user, w.currentPassword()); err == nil || rotate.IsRejected(err) {
				t.Fatalf("got %v, want a login that may do nothing", err)
			}
			w.run()
			w.checkRotated(w.srv.VersionID(secretID, "AWSCURRENT"))
			db.checkLog(t, []string{w.currentPassword()})
		})
	}
}

func (w *world) currentPassword() string {
	_, password := w.credentials("AWSCURRENT")
	return password
}

// TestExpiredOriginal says what to do where there is no such way.
func TestExpiredOriginal(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "mysql")
	w := newWorld(t, db, alternating)
	db.exec(t, fmt.Sprintf("ALTER USER `%s`@`%%` PASSWORD EXPIRE", w.user))
	_, err := w.handler(w.api, rotate.Driver(db.driver, nil)).Run(t.Context(), secretID)
	if err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("got %v, want it to say that the password has expired", err)
	}
}
