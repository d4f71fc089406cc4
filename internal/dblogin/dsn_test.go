package dblogin_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// The forms for database/sql are tested where they are public, in sqlcred.

func TestPostgresURL(t *testing.T) {
	for _, test := range []struct {
		name   string
		login  dblogin.Login
		params url.Values
		want   string
	}{
		{"full", dblogin.Login{Host: "db", Port: 5433, DBName: "shop"}, nil, "postgres://app:p%40@db:5433/shop"},
		{"IPv6", dblogin.Login{Host: "::1", Port: 5433}, nil, "postgres://app:p%40@[::1]:5433/postgres"},
		{"IPv6, default port", dblogin.Login{Host: "::1"}, nil, "postgres://app:p%40@[::1]/postgres"},
		{"verified", dblogin.Login{Host: "db", TLS: dblogin.TLSVerify}, url.Values{"sslrootcert": {"/ca"}}, "postgres://app:p%40@db/postgres?sslmode=verify-full&sslrootcert=%2Fca"},
		{"the caller prevails", dblogin.Login{Host: "db", TLS: dblogin.TLSVerify}, url.Values{"SSLMODE": {"require"}}, "postgres://app:p%40@db/postgres?SSLMODE=require"},
		{"socket", dblogin.Login{Host: "/run/pg", Port: 1, TLS: dblogin.TLSOff}, nil, "postgres://app:p%40@/postgres?host=%2Frun%2Fpg&port=1&sslmode=disable"},
	} {
		test.login.Username, test.login.Password = "app", "p@"
		got := dblogin.PostgresURL(test.login, test.params)
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
		if _, err := url.Parse(got); err != nil {
			t.Errorf("%s: it does not parse: %v", test.name, err)
		}
	}
}

func TestMySQL(t *testing.T) {
	l := dblogin.Login{Host: "db", Username: "app", Password: "p:@/", TLS: dblogin.TLSVerify}
	got, err := dblogin.MySQL(l, url.Values{"charset": {"utf8mb4,utf8"}, "tls": {"rds"}})
	if want := "app:p:@/@tcp(db:3306)/?charset=utf8mb4,utf8&tls=rds"; got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	for field, change := range map[string]func(*dblogin.Login){
		"username": func(l *dblogin.Login) { l.Username = "root:x" },
		"host":     func(l *dblogin.Login) { l.Host = "db)/x" },
	} {
		bad := l
		change(&bad)
		if got, err := dblogin.MySQL(bad, nil); got != "" || err == nil || !strings.Contains(err.Error(), `"`+field+`"`) {
			t.Errorf("%s: got %q, %v, want an error that names the field", field, got, err)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, test := range []struct {
		login dblogin.Login
		want  string
	}{
		{dblogin.Login{Host: "db"}, "db"},
		{dblogin.Login{Host: "db", Port: 1}, "db:1"},
		{dblogin.Login{Host: "::1", Port: 1}, "[::1]:1"},
		{dblogin.Login{Host: "/run/pg", Port: 1}, "/run/pg"},
	} {
		if got := test.login.Address(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
