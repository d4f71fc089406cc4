package sqlcred_test

import (
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// What drivers make of these is tested with the drivers, in a module of its own.
func TestDSN(t *testing.T) {
	const password = `p'a\s s@w:o/r?d&=%#"é`
	login := func(l sqlcred.Login) sqlcred.Login {
		l.Username = "app"
		return l.WithPassword(password)
	}
	for _, test := range []struct {
		name, driver string
		login        sqlcred.Login
		params       map[string]string
		want         string
	}{
		{
			"postgres", "pgx", sqlcred.Login{Engine: "postgres", Host: "db", Port: 5433, DBName: "shop"}, nil,
			`host='db' port='5433' user='app' password='p\'a\\s s@w:o/r?d&=%#"é' dbname='shop'`,
		},
		{
			"postgres, little known", "postgres", sqlcred.Login{Host: "db"}, nil,
			`host='db' user='app' password='p\'a\\s s@w:o/r?d&=%#"é'`,
		},
		{
			"postgres, verified", "pgx/v5", sqlcred.Login{Host: "db", TLS: sqlcred.TLSVerify}, map[string]string{"sslrootcert": "/etc/rds.pem"},
			`host='db' user='app' password='p\'a\\s s@w:o/r?d&=%#"é' sslmode='verify-full' sslrootcert='/etc/rds.pem'`,
		},
		{
			"postgres, off", "pgx", sqlcred.Login{Host: "db", TLS: sqlcred.TLSOff}, nil,
			`host='db' user='app' password='p\'a\\s s@w:o/r?d&=%#"é' sslmode='disable'`,
		},
		{
			"postgres, the caller knows better", "pgx", sqlcred.Login{Host: "db", TLS: sqlcred.TLSVerify}, map[string]string{"sslmode": "require"},
			`host='db' user='app' password='p\'a\\s s@w:o/r?d&=%#"é' sslmode='require'`,
		},
		{
			"redshift by engine", "otel-pgx", sqlcred.Login{Engine: "redshift", Host: "db"}, nil,
			`host='db' user='app' password='p\'a\\s s@w:o/r?d&=%#"é'`,
		},
		{
			"mysql", "mysql", sqlcred.Login{Engine: "aurora-mysql", Host: "db", Port: 3307, DBName: "a/b"}, nil,
			"app:" + password + "@tcp(db:3307)/a%2Fb",
		},
		{
			"mysql, default port, params", "mysql", sqlcred.Login{Engine: "mariadb", Host: "::1", TLS: sqlcred.TLSVerify},
			map[string]string{"charset": "utf8mb4,utf8", "loc": "Europe/Berlin"},
			"app:" + password + "@tcp([::1]:3306)/?charset=utf8mb4,utf8&loc=Europe%2FBerlin&tls=true",
		},
		{
			"mysql, socket", "mysql", sqlcred.Login{Host: "/run/mysqld.sock", DBName: "shop", TLS: sqlcred.TLSOff}, nil,
			"app:" + password + "@unix(/run/mysqld.sock)/shop?tls=false",
		},
		{
			"sqlserver", "sqlserver", sqlcred.Login{Engine: "sqlserver-ex", Host: "db", Port: 1433, DBName: "shop", TLS: sqlcred.TLSVerify}, nil,
			"sqlserver://app:p%27a%5Cs%20s%40w%3Ao%2Fr%3Fd&=%25%23%22%C3%A9@db:1433?TrustServerCertificate=false&database=shop&encrypt=true",
		},
		{
			"sqlserver, instance", "mssql", sqlcred.Login{Host: `db\inst`, TLS: sqlcred.TLSOff}, map[string]string{"Encrypt": "strict"},
			"sqlserver://app:p%27a%5Cs%20s%40w%3Ao%2Fr%3Fd&=%25%23%22%C3%A9@db/inst?Encrypt=strict",
		},
		{
			// Without the last colon the driver takes the brackets for a part of the host.
			"sqlserver, IPv6", "sqlserver", sqlcred.Login{Host: "::1"}, nil,
			"sqlserver://app:p%27a%5Cs%20s%40w%3Ao%2Fr%3Fd&=%25%23%22%C3%A9@[::1]:",
		},
		{
			"oracle", "oracle", sqlcred.Login{Engine: "custom-oracle-ee", Host: "db", DBName: "ORCL", TLS: sqlcred.TLSVerify}, nil,
			"oracle://app:p%27a%5Cs%20s%40w%3Ao%2Fr%3Fd&=%25%23%22%C3%A9@db:1521/ORCL?SSL=true&SSL+VERIFY=true",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := login(test.login).DSN(test.driver, test.params)
			if err != nil || got != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestDSNErrors(t *testing.T) {
	const canary = "hunter2canary"
	full := sqlcred.Login{Engine: "postgres", Host: "db", Username: "app"}.WithPassword(canary)
	with := func(change func(*sqlcred.Login)) sqlcred.Login {
		l := full
		change(&l)
		return l
	}
	for _, test := range []struct {
		name, driver string
		login        sqlcred.Login
		params       map[string]string
		want         string
	}{
		{"no host", "pgx", with(func(l *sqlcred.Login) { l.Host = "" }), nil, "no host"},
		{"no user", "pgx", with(func(l *sqlcred.Login) { l.Username = "" }), nil, "no username"},
		{"no password", "pgx", full.WithPassword(""), nil, "no password"},
		{"at odds", "mysql", full, nil, `driver "mysql" does not go with the secret's engine "postgres"`},
		{"both unknown", "other", with(func(l *sqlcred.Login) { l.Engine = "mongo" }), nil, `driver "other" is not known`},
		{"NUL", "pgx", full.WithPassword(canary + "\x00"), nil, "password has a NUL byte"},
		{"not UTF-8", "pgx", full.WithPassword(canary + "\xff"), nil, "is not UTF-8"},
		{"colon in MySQL user", "mysql", with(func(l *sqlcred.Login) { l.Engine, l.Username = "", "a:b" }), nil, `"username" has a colon`},
		{"host of MySQL", "mysql", with(func(l *sqlcred.Login) { l.Engine, l.Host = "", "db)/x?" }), nil, `"host" is not`},
		{"parameter name", "pgx", full, map[string]string{"a b": "c"}, `"a b"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.login.DSN(test.driver, test.params)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %q, %v, want an error with %q", got, err, test.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}
