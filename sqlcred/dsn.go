package sqlcred

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DSN returns the login as a data source name for the database/sql driver of
// the given name: "pgx" or "postgres" (lib/pq), "mysql" (go-sql-driver),
// "sqlserver" (go-mssqldb) or "oracle" (go-ora). For other names the form is
// that of the driver above that goes with the login's Engine.
//
// The login must have a host, a user name and a password; without a port the
// driver's default is left to apply. Params are added, and prevail over those
// that TLS stands for. With [TLSVerify] the certificate must be signed by an
// authority the driver trusts: name the bundle of Amazon RDS in params
// (sslrootcert for PostgreSQL, certificate for SQL Server), or for MySQL the
// configuration registered with the driver (tls).
//
// The result contains the password. An error does not.
func (l Login) DSN(driverName string, params map[string]string) (string, error) {
	f, err := formFor(driverName, l.Engine)
	if err != nil {
		return "", err
	}
	for _, field := range []struct{ name, value string }{
		{"host", l.Host}, {"username", l.Username}, {"password", l.Password()},
	} {
		if field.value == "" {
			return "", fmt.Errorf("sqlcred: the login has no %s", field.name)
		}
	}
	for _, field := range []struct{ name, value string }{
		{"host", l.Host}, {"username", l.Username}, {"password", l.Password()}, {"dbname", l.DBName},
	} {
		if strings.ContainsRune(field.value, 0) || !utf8.ValidString(field.value) {
			return "", fmt.Errorf("sqlcred: the login's %s has a NUL byte or is not UTF-8", field.name)
		}
	}
	return f.build(l, merge(f.tls[l.TLS], params))
}

// A form is how one family of drivers writes a data source name.
type form struct {
	engine string
	build  func(l Login, params map[string]string) (string, error)
	tls    map[TLS]map[string]string // parameters
}

var (
	postgresForm = &form{"postgres", postgresDSN, map[TLS]map[string]string{
		TLSOff:    {"sslmode": "disable"},
		TLSVerify: {"sslmode": "verify-full"},
	}}
	mysqlForm = &form{"mysql", mysqlDSN, map[TLS]map[string]string{
		TLSOff:    {"tls": "false"},
		TLSVerify: {"tls": "true"},
	}}
	sqlserverForm = &form{"sqlserver", sqlserverDSN, map[TLS]map[string]string{
		TLSOff:    {"encrypt": "disable"},
		TLSVerify: {"encrypt": "true", "TrustServerCertificate": "false"},
	}}
	oracleForm = &form{"oracle", oracleDSN, map[TLS]map[string]string{
		TLSOff:    {"SSL": "false"},
		TLSVerify: {"SSL": "true", "SSL VERIFY": "true"},
	}}
)

var formOfDriver = map[string]*form{
	"pgx":       postgresForm,
	"pgx/v5":    postgresForm,
	"postgres":  postgresForm,
	"mysql":     mysqlForm,
	"sqlserver": sqlserverForm,
	"mssql":     sqlserverForm,
	"azuresql":  sqlserverForm,
	"oracle":    oracleForm,
}

// formFor finds the form by the driver's name, else by the engine. It is an
// error if the two are at odds.
func formFor(driverName, engine string) (*form, error) {
	byDriver, byEngine := formOfDriver[driverName], formOfEngine(engine)
	switch {
	case byDriver != nil && byEngine != nil && byDriver != byEngine:
		return nil, fmt.Errorf("sqlcred: driver %q does not go with the secret's engine %q", driverName, engine)
	case byDriver == nil && byEngine == nil:
		return nil, fmt.Errorf("sqlcred: driver %q is not known, and neither is the secret's engine %q: set Options.Engine, or use New", driverName, engine)
	}
	return cmp.Or(byDriver, byEngine), nil
}

func formOfEngine(engine string) *form {
	engine = strings.ToLower(engine)
	engine = strings.TrimPrefix(engine, "custom-")
	engine = strings.TrimPrefix(engine, "aurora-")
	for _, e := range []struct {
		prefix string
		form   *form
	}{
		{"postgres", postgresForm}, {"redshift", postgresForm},
		{"mysql", mysqlForm}, {"mariadb", mysqlForm}, {"aurora", mysqlForm},
		{"sqlserver", sqlserverForm},
		{"oracle", oracleForm},
	} {
		if strings.HasPrefix(engine, e.prefix) {
			return e.form
		}
	}
	return nil
}

// merge adds the caller's parameters to ours. Theirs prevail; drivers differ
// in whether case matters in names.
func merge(ours, theirs map[string]string) map[string]string {
	all := maps.Clone(theirs)
	if all == nil {
		all = make(map[string]string)
	}
	for name, value := range ours {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(theirs)), func(their string) bool { return strings.EqualFold(name, their) }) {
			all[name] = value
		}
	}
	return all
}

// postgresDSN writes keywords and values, which unlike a URL hold any host.
func postgresDSN(l Login, params map[string]string) (string, error) {
	var b strings.Builder
	add := func(name, value string) {
		if value != "" {
			b.WriteString(name + "='" + escapeKeyword(value) + "' ")
		}
	}
	add("host", l.Host)
	if l.Port != 0 {
		add("port", strconv.Itoa(l.Port))
	}
	add("user", l.Username)
	add("password", l.Password())
	add("dbname", l.DBName)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name == "" || strings.ContainsAny(name, "='\\ \t\r\n\v\f\x00") {
			return "", fmt.Errorf("sqlcred: parameter name %q is none that PostgreSQL could have", name)
		}
		add(name, params[name])
	}
	return strings.TrimSuffix(b.String(), " "), nil
}

func escapeKeyword(value string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)
}

// mysqlDSN writes user:password@tcp(host:port)/dbname?params. The driver looks
// for the last slash, the last @ before it and the first colon, so a password
// needs no escapes and a user name can't have any.
func mysqlDSN(l Login, params map[string]string) (string, error) {
	if strings.Contains(l.Username, ":") {
		return "", errors.New("sqlcred: the driver for MySQL takes no user name with a colon in its DSN: use New")
	}
	address := "unix(" + l.Host + ")"
	if !strings.HasPrefix(l.Host, "/") {
		if strings.ContainsAny(l.Host, "/()@") {
			return "", errors.New("sqlcred: the login's host is none")
		}
		address = "tcp(" + hostPort(l.Host, l.Port, 3306) + ")"
	}
	dsn := l.Username + ":" + l.Password() + "@" + address + "/" + url.PathEscape(l.DBName)
	separator := "?"
	for _, name := range slices.Sorted(maps.Keys(params)) {
		dsn += separator + escapeParam(name) + "=" + escapeParam(params[name])
		separator = "&"
	}
	return dsn, nil
}

// escapeParam escapes only what has to be: the MySQL driver takes some values,
// such as a list of charsets, as they are.
func escapeParam(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || strings.IndexByte("%&+/?#=", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// sqlserverDSN writes a URL. A named instance stands after a backslash in the
// host, as SQL Server has it.
func sqlserverDSN(l Login, params map[string]string) (string, error) {
	host, instance, _ := strings.Cut(l.Host, `\`)
	u := url.URL{Scheme: "sqlserver", User: url.UserPassword(l.Username, l.Password()), Host: host}
	if l.Port != 0 {
		u.Host = net.JoinHostPort(host, strconv.Itoa(l.Port))
	} else if strings.Contains(host, ":") {
		u.Host = "[" + host + "]"
	}
	if instance != "" {
		u.Path = "/" + instance
	}
	if l.DBName != "" {
		params = merge(map[string]string{"database": l.DBName}, params)
	}
	u.RawQuery = query(params)
	return u.String(), nil
}

// oracleDSN writes a URL; the secret's dbname is the service name.
func oracleDSN(l Login, params map[string]string) (string, error) {
	u := url.URL{
		Scheme:   "oracle",
		User:     url.UserPassword(l.Username, l.Password()),
		Host:     hostPort(l.Host, l.Port, 1521),
		Path:     "/" + l.DBName,
		RawQuery: query(params),
	}
	return u.String(), nil
}

func hostPort(host string, port, usual int) string {
	return net.JoinHostPort(host, strconv.Itoa(cmp.Or(port, usual)))
}

func query(params map[string]string) string {
	values := make(url.Values, len(params))
	for name, value := range params {
		values.Set(name, value)
	}
	return values.Encode()
}
