package pgxcred

import (
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A secret without a user name is no login: pgx would take the operating system's
// user. The error says what is missing, and no connection is made.
func TestNoUserName(t *testing.T) {
	client, err := secrets.New(secretstest.New(t, secretstest.Secrets{"prod/db": `{"password":"hunter2"}`}).Client(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := New(client, "prod/db", nil)
	defer c.Close()
	_, err = c.sql.Connect(t.Context())
	if err == nil || !strings.Contains(err.Error(), "has no user name") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Connect = %v, want the missing field", err)
	}
}
