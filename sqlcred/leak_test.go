package sqlcred_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

const canary = "canary-hunter2"

// outputs prints v in every way there is.
func outputs(v any) map[string]string {
	out := make(map[string]string)
	for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
		for _, flag := range []string{"", "+", "#", "+#", "-20", "020.3", " "} {
			format := "%" + flag + string(verb)
			out[format] = fmt.Sprintf(format, v)
		}
	}
	out["Println"] = fmt.Sprintln(v)
	out["Errorf"] = fmt.Errorf("wrapped: %w, %v", errors.New("x"), v).Error()
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		log := slog.New(handler(&b))
		log.Info("message", "key", v)
		log.WithGroup("g").With("key", v).Info("message")
		log.Info("message", slog.Group("g", "key", []any{v}))
		out[name] = b.String()
	}
	if text, err := json.Marshal(v); err == nil {
		out["json"] = string(text)
	} else {
		out["json"] = err.Error()
	}
	func() {
		defer func() { out["panic"] = fmt.Sprint(recover()) }()
		panic(v)
	}()
	return out
}

func noCanary(t *testing.T, what string, v any) {
	t.Helper()
	for how, text := range outputs(v) {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) || strings.Contains(text, fmt.Sprintf("%X", canary)) {
			t.Errorf("%s by %s: %s", what, how, text)
		}
	}
}

// carrying values of a type within others, exported and not.
func carried[T any](v T) map[string]any {
	type inner struct{ v T }
	return map[string]any{
		"value":               v,
		"pointer":             &v,
		"slice":               []T{v},
		"array":               [1]T{v},
		"map":                 map[string]T{"key": v},
		"pointers in slice":   []*T{&v},
		"exported field":      struct{ V T }{v},
		"unexported field":    inner{v},
		"pointer to such":     &inner{v},
		"field within":        struct{ i inner }{inner{v}},
		"pointer within":      struct{ p *T }{&v},
		"pointer to a struct": struct{ p *inner }{&inner{v}},
		"interface":           struct{ a any }{v},
		"channel of":          struct{ f func() T }{func() T { return v }},
	}
}

// The canary is where it should be, and the outputs would show it: so they do
// for a type that does not take care.
func TestCanaryIsSeen(t *testing.T) {
	seen := false
	for _, text := range outputs(struct{ password string }{canary}) {
		seen = seen || strings.Contains(text, canary)
	}
	if !seen {
		t.Error("outputs show nothing")
	}
}

func TestNothingShowsThePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", canary))
		srv.PutPending(secretName, secretOf("app", canary+"-2"))
		l := decode(t, secretOf("app", canary))
		if l.Password() != canary {
			t.Fatalf("password: got %q", l.Password())
		}
		for how, v := range carried(l) {
			noCanary(t, "Login, "+how, v)
		}
		noCanary(t, "Login with a password", sqlcred.Login{}.WithPassword(canary))
		noCanary(t, "Keys", sqlcred.Keys{})

		server := newFakeDB("app", canary)
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{RetireAfterRotation: true, MaxWait: time.Second})
		conn := connect(t.Context(), t, c)
		for how, v := range carried(c) {
			noCanary(t, "Connector, "+how, v)
		}
		for how, v := range carried(conn) {
			noCanary(t, "connection, "+how, v)
		}
		db := openDB(t, c)
		noCanary(t, "sql.DB", db)

		ref := secrets.Bind[sqlcred.Login](client, secretName)
		if got, err := ref.Get(t.Context()); err != nil || got.Password() != canary {
			t.Fatalf("Ref of a Login: got %v, %v", got, err)
		}
		for how, v := range carried(ref) {
			noCanary(t, "Ref of a Login, "+how, v)
		}
		server.setPassword("app", "another")
		_, err := c.Connect(t.Context())
		for how, v := range carried(err) {
			noCanary(t, "error of a refusal, "+how, v)
		}
		server.setFail(&MySQLError{4150})
		_, err = c.Connect(t.Context())
		for how, v := range carried(err) {
			noCanary(t, "error of an account, "+how, v)
		}
	})
}

// Errors of everything that can go wrong with a secret and its opening.
func TestNoErrorShowsThePassword(t *testing.T) {
	unopened := func(sqlcred.Login) (driver.Connector, error) {
		return nil, errors.New("a secret that is no login was opened")
	}
	for _, test := range []struct {
		name, secret string
		open         func(sqlcred.Login) (driver.Connector, error)
	}{
		{"no JSON", canary, unopened},
		{"broken JSON", `{"password":"` + canary, unopened},
		{"password a list", `{"password":["` + canary + `"]}`, unopened},
		{"bad port", `{"password":"` + canary + `","port":"` + canary + `"}`, unopened},
		{"open fails", secretOf("app", canary), func(l sqlcred.Login) (driver.Connector, error) {
			dsn, err := l.DSN("pgx", nil)
			return nil, fmt.Errorf("can't parse %q: %w", dsn, errors.Join(err, errors.New("reason")))
		}},
		{"no DSN", secretOf("app", canary+"\x00"), func(l sqlcred.Login) (driver.Connector, error) {
			_, err := l.DSN("pgx", nil)
			return nil, err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, client := newClient(t, test.secret)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := sqlcred.New(client, secretName, test.open, nil).Connect(ctx)
				if err == nil {
					t.Fatal("got no error")
				}
				for how, v := range carried(err) {
					noCanary(t, how, v)
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					noCanary(t, "unwrapped", e)
				}
			})
		})
	}
}
