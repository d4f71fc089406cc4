package sqlcred_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
	"github.com/seed-74dc7b3e/secrets/sqlcred/sqlcredtest"
)

type public string

func (p public) Error() string       { return string(p) }
func (p public) PublicError() string { return string(p) }

// A new version that Validate refuses is not used: the one before goes on, and the
// log says why.
func TestValidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"prod/db": `{"host":"h","username":"app","password":"old"}`})
		client, err := secrets.New(srv.Client(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		database := sqlcredtest.NewServer(map[string]string{"app": "old"})
		c := sqlcred.New(client, "prod/db", database.Open, &sqlcred.Options{Validate: func(l sqlcred.Login) error {
			if l.Username == "" {
				return public("it names no user")
			}
			return nil
		}})
		defer c.Close()
		for _, value := range []string{"", `{"host":"h","password":"new"}`} {
			if value != "" {
				srv.Put("prod/db", value)
				if err := client.Refresh(t.Context(), "prod/db"); err != nil {
					t.Fatal(err)
				}
			}
			conn, err := c.Connect(t.Context())
			if err != nil {
				t.Fatalf("with %d bytes put: %v", len(value), err)
			}
			conn.Close()
		}
		first := sqlcred.New(client, "prod/db", database.Open, &sqlcred.Options{Validate: func(sqlcred.Login) error { return public("it names no user") }})
		defer first.Close()
		var undecodable *secrets.DecodeError
		if _, err := first.Connect(t.Context()); !errors.As(err, &undecodable) || !strings.Contains(err.Error(), "it names no user") {
			t.Errorf("where no version is fit: %v, want a DecodeError with the reason", err)
		}
	})
}

// A misspelled field of a login is named, whatever reads the login.
func TestDecodeLoginSaysWhat(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": `{"host":"h","username":"app","pasword":"hunter2"}`})
	client, err := secrets.New(srv.Client(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, typed := secrets.Get[sqlcred.Login](t.Context(), client, "prod/db")
	_, bound := secrets.BindFunc(client, "prod/db", sqlcred.DecodeLogin).Get(t.Context())
	for how, err := range map[string]error{"Get[Login]": typed, "DecodeLogin": bound} {
		if err == nil || !strings.Contains(err.Error(), `the field "password" is missing or empty`) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want the field's name", how, err)
		}
	}
}
