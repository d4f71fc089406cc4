package rotate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// TestExpiredStatements has servers that answer only that the password has
// expired, and so do not reveal what they are.
func TestExpiredStatements(t *testing.T) {
	const probe = "app: ALTER USER CURRENT_USER() IDENTIFIED VIA mysql_native_password USING 'invalid'"
	for _, tt := range []struct {
		name     string
		number   uint16 // of the answer to what only MariaDB understands
		password string
		want     []string
		err      string
	}{
		{"MariaDB", 1820, "new", []string{probe, "app: SET PASSWORD = '...'"}, ""},
		{"MySQL", 1064, "n'w", []string{probe, "app: ALTER USER USER() IDENTIFIED BY 'n''w'"}, ""},
		{"MySQL, backslash", 1064, `n\w`, []string{probe}, "backslash"},
		{"something else", 1105, "new", []string{probe}, "MySQL or MariaDB"},
	} {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"engine":"mysql","host":"db","username":"app","password":"cur"}`})
		db := newMySQLDB("", map[string][]string{"app": {"cur"}})
		db.queryErr = &MySQLError{Number: 1820}
		db.failing, db.execErr = "ALTER USER CURRENT_USER()", &MySQLError{Number: tt.number}
		pending := with(t, `{"engine":"mysql","host":"db","username":"app","password":"x"}`, "password", tt.password)
		err := step(t, srv, rotate.SetSecret, pending, rotate.MySQL(db.open, nil))
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.err)
		}
		got := slices.DeleteFunc(hideHashes(db.take()), func(s string) bool { return strings.HasPrefix(s, "login") })
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
