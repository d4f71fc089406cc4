package rotate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func TestSplitNames(t *testing.T) {
	for list, want := range map[string][]string{
		`public`:                        {"public"},
		`"$user", public`:               {"$user", "public"},
		`""`:                            {""},
		`"a ""b"", c", d,"e"`:           {`a "b", c`, "d", "e"},
		`"Schema App 2", "it's", "a\b"`: {"Schema App 2", "it's", `a\b`},
	} {
		if got := rotate.SplitNames(list); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", list, got, want)
		}
	}
}

func TestQuotePostgres(t *testing.T) {
	for s, want := range map[string]string{"": "''", "a'b": "'a''b'", `a\'b`: ` E'a\\''b'`} {
		if got := rotate.QuoteLiteral(s); got != want {
			t.Errorf("%s: got %s, want %s", s, got, want)
		}
	}
	for s, want := range map[string]string{"work_mem": "work_mem", "TimeZone": `"TimeZone"`, "my.Setting": `"my"."Setting"`, `x";--`: `"x"";--"`} {
		if got := rotate.QuoteSetting(s); got != want {
			t.Errorf("%s: got %s, want %s", s, got, want)
		}
	}
}

// TestCloneIsNotCompleted has a master that may not give the clone the
// original's attributes: the step fails, and no password is set.
func TestCloneIsNotCompleted(t *testing.T) {
	user := with(t, secret, "masterarn", "m")
	srv := secretstest.New(t, secretstest.Secrets{"s": user, "m": with(t, secret, "username", "root", "password", "r")})
	db := newPostgresDB(map[string][]string{"app": {"cur"}, "root": {"r"}})
	db.answers["SELECT 1 FROM pg_catalog.pg_roles"] = "1"
	db.answers["SELECT COALESCE(d.datname"] = "app|log_statement=all" // of either role
	db.answers["SELECT rolsuper"] = "true|false|false|false|false|5|infinity"
	clone := with(t, user, "username", "app_clone", "password", "new")
	opts := &rotate.SQLOptions{Alternating: true, SetRole: true}
	if err := step(t, srv, rotate.SetSecret, clone, rotate.Postgres(db.open, opts)); err != nil {
		t.Fatal(err)
	}
	want := []string{`root: ALTER ROLE "app_clone" SET role TO "app"`, `root: ALTER ROLE "app_clone" PASSWORD '...'`}
	if got := hideHashes(statements(db.take())); !slices.Equal(got[3:], want) {
		t.Errorf("got %q, want %q: the two are alike but for that", got[3:], want)
	}
	db.failing = "ALTER"
	db.execErr = errors.Join(stateError("42501"), errors.New("permission denied"))
	err := step(t, srv, rotate.SetSecret, clone, rotate.Postgres(db.open, opts))
	if err == nil || !strings.Contains(err.Error(), "ALTER") || errors.Is(err, rotate.ErrRefused) {
		t.Errorf("got %v, want the statement that failed", err)
	}
	if got := db.take(); strings.Contains(strings.Join(got, "\n"), "PASSWORD") || strings.HasSuffix(got[len(got)-1], "COMMIT") {
		t.Errorf("got %q, want no password set and nothing committed", got)
	}
}
