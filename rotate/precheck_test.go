package rotate_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// TestChecksBeforePending has secrets that setSecret could not use. A Run must
// end before there is an AWSPENDING version, so that the next one, after the
// repair, can start at once.
func TestChecksBeforePending(t *testing.T) {
	const master = `{"engine":"postgres","host":"db","port":5433,"username":"root","password":"r"}`
	alternating := rotate.SQLOptions{Alternating: true}
	broken := func(rotate.Login) (driver.Connector, error) { return nil, nil }
	for _, tt := range []struct {
		name   string
		fields []string // of the secret
		master string   // empty: there is no such secret
		opts   rotate.SQLOptions
		open   rotate.OpenFunc // nil: the fake's
		want   string
	}{
		{name: "driver that is not registered", open: rotate.Driver("no such driver", nil), want: "not registered"},
		{name: "open that makes nothing", open: broken, want: "neither a connector nor an error"},
		{name: "host", fields: []string{"host", ""}, want: `"host"`},
		{name: "engine", fields: []string{"engine", "oracle"}, want: `"engine"`},
		{name: "user", fields: []string{"username", ""}, want: `"username"`},
		{name: "no masterarn", opts: alternating, want: `"masterarn"`},
		{name: "master that is not there", fields: []string{"masterarn", "m"}, opts: alternating, want: "ResourceNotFoundException"},
		{name: "master for another server", fields: []string{"masterarn", "m"}, master: with(t, master, "host", "other"), opts: alternating, want: "another server"},
		{name: "master without a host", fields: []string{"masterarn", "m"}, master: with(t, master, "host", ""), opts: alternating, want: `"host"`},
		{name: "master of another engine", fields: []string{"masterarn", "m"}, master: with(t, master, "engine", "mysql"), opts: alternating, want: `"engine"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": with(t, secret, tt.fields...)})
			if tt.master != "" {
				srv.Put("m", tt.master)
			}
			db := newPostgresDB(map[string][]string{"app": {"cur"}, "root": {"r"}})
			open := tt.open
			if open == nil {
				open = db.open
			}
			err := rotate.Run(t.Context(), srv.Client(), "s", rotate.Postgres(open, &tt.opts))
			e, ok := errors.AsType[*rotate.Error](err)
			if !ok || e.Step != rotate.CreateSecret || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want createSecret to fail and to name %s", err, tt.want)
			}
			if got := db.take(); len(got) > 0 || srv.VersionID("s", "AWSPENDING") != "" {
				t.Errorf("logged in: %q; labels %v, want no AWSPENDING", got, srv.Stages("s"))
			}
			srv.Put("s", secret)
			again := newRecorder("v2")
			if err := rotate.Run(t.Context(), srv.Client(), "s", again); err != nil {
				t.Errorf("after the repair: %v", err)
			}
		})
	}
}

// TestChecksMasterOfTwoPasswords needs the master's secret too, if one is named.
func TestChecksMasterOfTwoPasswords(t *testing.T) {
	mysql := with(t, secret, "engine", "mysql")
	for _, named := range []bool{false, true} {
		text := mysql
		if named {
			text = with(t, mysql, "masterarn", "m")
		}
		srv := secretstest.New(t, secretstest.Secrets{"s": text})
		db := newMySQLDB("8.0.36", map[string][]string{"app": {"cur"}})
		spy := &putSpy{API: srv.Client()}
		h := rotate.Handler{API: spy, Rotator: rotate.MySQL(db.open, &rotate.SQLOptions{TwoPasswords: true})}
		err := h.Handle(t.Context(), event(srv, rotate.CreateSecret, srv.PutEmptyPending("s")))
		if (err != nil) != named || (spy.last == nil) != named {
			t.Errorf("master named: %t: got %v, stored: %t", named, err, spy.last != nil)
		}
	}
}

// TestChecksCloseTheConnector: a connector that was only made to see that it
// can be is closed.
func TestChecksCloseTheConnector(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": secret})
	db := newPostgresDB(nil)
	made, closed := 0, 0
	open := func(l rotate.Login) (driver.Connector, error) {
		made++
		return closingConnector{fakeConnector{db, l}, &closed}, nil
	}
	r := rotate.Postgres(open, nil)
	if err := (rotate.Handler{API: srv.Client(), Rotator: r}).Handle(t.Context(), event(srv, rotate.CreateSecret, srv.PutEmptyPending("s"))); err != nil {
		t.Fatal(err)
	}
	if made != 1 || closed != 1 || len(db.take()) != 0 {
		t.Errorf("%d connectors were made and %d closed, want 1 and 1, and no login", made, closed)
	}
}

type closingConnector struct {
	fakeConnector
	closed *int
}

func (c closingConnector) Close() error { *c.closed++; return nil }

// TestWithoutEngine: a secret that names no engine is one of the rotator's
// kind, as a secret that RDS manages is.
func TestWithoutEngine(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": `{"username":"app","password":"cur"}`})
	db := newPostgresDB(map[string][]string{"app": {"cur"}})
	complete := func(_ context.Context, _ string, l rotate.Login) (rotate.Login, error) { l.Host = "db"; return l, nil }
	id := srv.PutPending("s", `{"username":"app","password":"new"}`)
	h := rotate.Handler{API: srv.Client(), Rotator: rotate.Postgres(db.open, &rotate.SQLOptions{Complete: complete})}
	if err := h.Handle(t.Context(), event(srv, rotate.SetSecret, id)); err != nil {
		t.Error(err)
	}
	if got := db.take(); len(got) == 0 || got[0] != "login app new db:5432 false" {
		t.Errorf("got %q, want a login at PostgreSQL's port", got)
	}
}
