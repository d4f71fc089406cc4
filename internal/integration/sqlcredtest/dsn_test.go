package sqlcredtest_test

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/lib/pq"
	"github.com/microsoft/go-mssqldb/msdsn"
	"github.com/sijms/go-ora/v2/configurations"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// parsed is what a driver reads in a DSN.
type parsed struct {
	host, user, password, dbname string
	port                         int
	tls                          string // "", "off", "verify", "insecure"
}

// parsers read DSNs with the drivers' own code.
var parsers = []struct {
	driver      string
	defaultPort int
	parse       func(dsn string) (parsed, error)
}{
	{"pgx", 5432, parsePgx},
	{"postgres", 5432, parsePq},
	{"mysql", 3306, parseMySQL},
	{"sqlserver", 1433, parseSQLServer},
	{"oracle", 1521, parseOracle},
}

func parsePgx(dsn string) (parsed, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return parsed{}, err
	}
	tls := "off"
	switch {
	case len(c.Fallbacks) > 0:
		tls = "" // tries one thing and then the other
	case c.TLSConfig != nil && c.TLSConfig.InsecureSkipVerify:
		tls = "insecure"
	case c.TLSConfig != nil && c.TLSConfig.ServerName == c.Host:
		tls = "verify"
	}
	return parsed{c.Host, c.User, c.Password, c.Database, int(c.Port), tls}, nil
}

func parsePq(dsn string) (parsed, error) {
	c, err := pq.NewConfig(dsn)
	if err != nil {
		return parsed{}, err
	}
	tls := map[pq.SSLMode]string{"disable": "off", "verify-full": "verify", "require": "insecure"}[c.SSLMode]
	if !strings.Contains(dsn, "sslmode=") {
		tls = ""
	}
	return parsed{c.Host, c.User, c.Password, c.Database, int(c.Port), tls}, nil
}

func parseMySQL(dsn string) (parsed, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return parsed{}, err
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return parsed{}, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return parsed{}, err
	}
	tls := map[string]string{"": "", "false": "off", "true": "verify", "skip-verify": "insecure"}[c.TLSConfig]
	return parsed{host, c.User, c.Passwd, c.DBName, n, tls}, nil
}

func parseSQLServer(dsn string) (parsed, error) {
	c, err := msdsn.Parse(dsn)
	if err != nil {
		return parsed{}, err
	}
	tls := ""
	switch {
	case c.Encryption == msdsn.EncryptionDisabled:
		tls = "off"
	case c.Encryption == msdsn.EncryptionRequired && c.TLSConfig != nil && !c.TLSConfig.InsecureSkipVerify:
		tls = "verify"
	case c.Encryption == msdsn.EncryptionRequired:
		tls = "insecure"
	}
	return parsed{c.Host, c.User, c.Password, c.Database, cmp.Or(int(c.Port), 1433), tls}, nil
}

func parseOracle(dsn string) (parsed, error) {
	c, err := configurations.ParseConfig(dsn)
	if err != nil {
		return parsed{}, err
	}
	tls := ""
	switch {
	case c.SSL && c.SSLVerify:
		tls = "verify"
	case c.SSL:
		tls = "insecure"
	case strings.Contains(dsn, "SSL="):
		tls = "off"
	}
	return parsed{c.Servers[0].Addr, c.UserID, c.DatabaseInfo.Password, c.ServiceName, c.Servers[0].Port, tls}, nil
}

// check builds a DSN, lets the driver read it and compares.
func check(t *testing.T, i int, l sqlcred.Login, params map[string]string) {
	t.Helper()
	p := parsers[i]
	dsn, err := l.DSN(p.driver, params)
	if err != nil {
		t.Errorf("%s: %v", p.driver, err)
		return
	}
	got, err := p.parse(dsn)
	if err != nil {
		t.Errorf("%s: the driver does not read %q: %v", p.driver, dsn, err)
		return
	}
	want := parsed{l.Host, l.Username, l.Password(), l.DBName, cmp.Or(l.Port, p.defaultPort), got.tls}
	if tls := map[sqlcred.TLS]string{sqlcred.TLSOff: "off", sqlcred.TLSVerify: "verify"}[l.TLS]; tls != "" && params == nil {
		want.tls = tls
	}
	if got != want {
		t.Errorf("%s: %q\ngot  %+v\nwant %+v", p.driver, dsn, got, want)
	}
}

func TestDriversReadDSN(t *testing.T) {
	var passwords []string
	for c := ' '; c < 0x7f; c++ { // each at the beginning, the end, in the middle, and alone
		passwords = append(passwords, string(c), "a"+string(c), string(c)+"a", "a"+string(c)+"b", "a"+string(c)+string(c)+"b")
	}
	passwords = append(passwords,
		"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "~}|{`_^]\\[@?>=<;:/.-,+*)('&%$#\"!",
		`\`, `\\`, `'`, `''`, `\'`, `'\`, "a\tb\nc\rd", "%41%", "@tcp(evil:1)/db?x=y", "' host='evil", "p@evil:1/x?y=z#",
		"pässwörd", "密码", "🔑", "\u202e", strings.Repeat("x'\\@:/?%", 16))
	for i := range parsers {
		t.Run(parsers[i].driver, func(t *testing.T) {
			for _, password := range passwords {
				for _, host := range []string{"db.example", "10.1.2.3", "::1"} {
					l := sqlcred.Login{Host: host, Port: 4711, Username: "app", DBName: "shop"}
					check(t, i, l.WithPassword(password), nil)
				}
			}
			for _, tls := range []sqlcred.TLS{sqlcred.TLSDefault, sqlcred.TLSOff, sqlcred.TLSVerify} {
				for _, port := range []int{0, 1, 65535} {
					l := sqlcred.Login{Host: "db.example", Port: port, Username: "app", DBName: "shop", TLS: tls}
					check(t, i, l.WithPassword("password"), nil)
				}
			}
		})
	}
}

func TestDriversReadUserAndDatabase(t *testing.T) {
	for i, p := range parsers {
		t.Run(p.driver, func(t *testing.T) {
			for _, name := range []string{"a", "a b", "a@b", "a'b", `a\b`, "a?b", "a&b=c", "a#b", "a%41b", "ä", "a+b"} {
				l := sqlcred.Login{Host: "db", Port: 1, Username: name, DBName: name}.WithPassword("password")
				check(t, i, l, nil)
			}
		})
	}
}

// Parameters of the caller reach the driver, and prevail.
func TestDriversReadParams(t *testing.T) {
	l := sqlcred.Login{Host: "db", Port: 1, Username: "app", DBName: "shop", TLS: sqlcred.TLSVerify}.WithPassword("password")
	build := func(driver string, params map[string]string) string {
		t.Helper()
		dsn, err := l.DSN(driver, params)
		if err != nil {
			t.Fatal(err)
		}
		return dsn
	}
	const value = `a b&c=d%41'"\/?#ä`

	pg, err := pgx.ParseConfig(build("pgx", map[string]string{"application_name": value, "sslmode": "require"}))
	if err != nil || pg.RuntimeParams["application_name"] != value || !pg.TLSConfig.InsecureSkipVerify {
		t.Errorf("pgx: got %+v, %v", pg, err)
	}
	lib, err := pq.NewConfig(build("postgres", map[string]string{"application_name": value, "sslmode": "require"}))
	if err != nil || lib.ApplicationName != value || lib.SSLMode != "require" {
		t.Errorf("pq: got %+v, %v", lib.ApplicationName, err)
	}
	my, err := mysql.ParseDSN(build("mysql", map[string]string{"time_zone": value, "charset": "utf8mb4,utf8", "loc": "Europe/Berlin", "tls": "skip-verify"}))
	if err != nil || my.Params["time_zone"] != value || my.Loc.String() != "Europe/Berlin" || my.TLSConfig != "skip-verify" ||
		!strings.Contains(my.FormatDSN(), "charset=utf8mb4,utf8") {
		t.Errorf("mysql: got %+v, %v", my, err)
	}
	ms, err := msdsn.Parse(build("sqlserver", map[string]string{"app name": value, "ENCRYPT": "disable"}))
	if err != nil || ms.AppName != value || ms.Encryption != msdsn.EncryptionDisabled {
		t.Errorf("sqlserver: got %+v, %v", ms.AppName, err)
	}
	ora, err := configurations.ParseConfig(build("oracle", map[string]string{"Program": value, "ssl verify": "false"}))
	if err != nil || ora.SSLVerify || !ora.SSL {
		t.Errorf("oracle: got SSL %v, verify %v, %v", ora.SSL, ora.SSLVerify, err)
	}
}

func TestSQLServerInstance(t *testing.T) {
	l := sqlcred.Login{Host: `db.example\SQLEXPRESS`, Username: "app"}.WithPassword("password")
	dsn, err := l.DSN("sqlserver", nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := msdsn.Parse(dsn)
	if err != nil || c.Host != "db.example" || c.Instance != "SQLEXPRESS" {
		t.Errorf("got host %q, instance %q, %v", c.Host, c.Instance, err)
	}
}

// Any password either gives a DSN that the driver reads as it was, or an error.
func FuzzDriversReadDSN(f *testing.F) {
	f.Add("p@ss'w\\ord/?:", "app", "shop")
	f.Add("", "a:b", "")
	f.Add("x\x00", "\xff", "/")
	f.Fuzz(func(t *testing.T, password, user, dbname string) {
		for i, p := range parsers {
			l := sqlcred.Login{Host: "db.example", Port: 4711, Username: user, DBName: dbname}.WithPassword(password)
			valid := password != "" && user != "" && utf8.ValidString(password+" "+user+" "+dbname) && !strings.Contains(password+user+dbname, "\x00")
			if p.driver == "mysql" && strings.Contains(user, ":") {
				valid = false
			}
			if dsn, err := l.DSN(p.driver, nil); valid != (err == nil) {
				t.Errorf("%s: got %q, %v, want an error: %v", p.driver, dsn, err, !valid)
				continue
			} else if !valid {
				if password != "" && len(password) > 3 && strings.Contains(fmt.Sprint(err), password) {
					t.Errorf("%s: the error holds the password: %v", p.driver, err)
				}
				continue
			}
			switch {
			case dbname == "" && (p.driver == "pgx" || p.driver == "postgres"): // the drivers put the user's name
			case p.driver == "oracle" && (dbname == "" || strings.Trim(dbname, "/") != dbname): // the driver wants one, and trims slashes
			default:
				check(t, i, l, nil)
			}
		}
	})
}
