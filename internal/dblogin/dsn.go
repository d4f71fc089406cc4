package dblogin

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

// DSN returns the login as a data source name for the database/sql driver of the
// given name. For an unknown name it uses the form that fits the login's engine.
// The login must have a host, a user name and a password. DSN adds params, which
// prevail over the parameters for l.TLS.
//
// The result contains the password. An error does not.
func DSN(l Login, driverName string, params url.Values) (string, error) {
	f, err := formFor(driverName, l.Engine)
	if err != nil {
		return "", err
	}
	if err := l.check(); err != nil {
		return "", err
	}
	return f.build(l, merge(f.tls[l.TLS], params))
}

// A MissingError reports that a login lacks a field that a data source name needs.
type MissingError struct{ Field string }

func (e *MissingError) Error() string { return "the login has no " + e.Field }

// check finds fields that no data source name can hold.
func (l Login) check() error {
	fields := []struct{ name, value string }{
		{"host", l.Host}, {"username", l.Username}, {"password", l.Password}, {"dbname", l.DBName},
	}
	for _, field := range fields {
		switch {
		case field.value == "" && field.name != "dbname":
			return &MissingError{field.name}
		case strings.ContainsRune(field.value, 0) || !utf8.ValidString(field.value):
			return fmt.Errorf("the login's %s has a NUL byte or is not UTF-8", field.name)
		}
	}
	return nil
}

// PostgresURL returns the login as a connection URL for PostgreSQL. The
// database is postgres where the login names none.
func PostgresURL(l Login, params url.Values) string {
	u := url.URL{
		Scheme: "postgres",
		User:   url.UserPassword(l.Username, l.Password),
		Host:   address(l.Host, l.Port),
		Path:   "/" + cmp.Or(l.DBName, "postgres"),
	}
	q := merge(postgresForm.tls[l.TLS], params)
	if isSocket(l.Host) {
		u.Host = ""
		q.Set("host", l.Host)
		if l.Port != 0 {
			q.Set("port", strconv.Itoa(l.Port))
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// MySQL returns the login as a data source name for go-sql-driver/mysql. The
// error names a field that the driver would read as something else.
func MySQL(l Login, params url.Values) (string, error) {
	return mysqlDSN(l, merge(mysqlForm.tls[l.TLS], params))
}

// Address returns host and port as they are written in messages.
func (l Login) Address() string {
	if isSocket(l.Host) || l.Port == 0 {
		return l.Host
	}
	return net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
}

// A form is how one family of drivers writes a data source name.
type form struct {
	build func(l Login, params url.Values) (string, error)
	tls   map[TLS]map[string]string // parameters
	try   string                    // a data source name of this form
}

var (
	postgresForm = &form{postgresDSN, map[TLS]map[string]string{
		TLSOff:    {"sslmode": "disable"},
		TLSVerify: {"sslmode": "verify-full"},
	}, "host='localhost' user='nobody' password='none' dbname='none'"}
	mysqlForm = &form{mysqlDSN, map[TLS]map[string]string{
		TLSOff:    {"tls": "false"},
		TLSVerify: {"tls": "true"},
	}, "nobody:none@tcp(localhost:3306)/none"}
	sqlserverForm = &form{sqlserverDSN, map[TLS]map[string]string{
		TLSOff:    {"encrypt": "disable"},
		TLSVerify: {"encrypt": "true", "TrustServerCertificate": "false"},
	}, "sqlserver://nobody:none@localhost?database=none"}
	oracleForm = &form{oracleDSN, map[TLS]map[string]string{
		TLSOff:    {"SSL": "false"},
		TLSVerify: {"SSL": "true", "SSL VERIFY": "true"},
	}, "oracle://nobody:none@localhost:1521/none"}
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

// Harmless returns a data source name in each of the forms, for drivers that require
// a valid one although nothing connects.
func Harmless() []string {
	return []string{postgresForm.try, mysqlForm.try, sqlserverForm.try, oracleForm.try}
}

// formFor finds the form by the driver's name, or else by the engine. It returns an
// error if the two contradict each other.
func formFor(driverName, engine string) (*form, error) {
	byDriver, byEngine := formOfDriver[driverName], formOfEngine(engine)
	switch {
	case byDriver != nil && byEngine != nil && byDriver != byEngine:
		return nil, fmt.Errorf("driver %q does not go with the secret's engine %q", driverName, engine)
	case byDriver == nil && byEngine == nil:
		return nil, fmt.Errorf("driver %q is not known, and neither is the secret's engine %q: set the engine, or use the driver's own connector", driverName, engine)
	}
	return cmp.Or(byDriver, byEngine), nil
}

// formOfEngine reads engine names as Amazon RDS has them.
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
func merge(ours map[string]string, theirs url.Values) url.Values {
	all := make(url.Values, len(ours)+len(theirs))
	for name, values := range theirs {
		all[name] = slices.Clone(values)
	}
	for name, value := range ours {
		same := func(their string) bool { return strings.EqualFold(name, their) }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(theirs)), same) {
			all.Set(name, value)
		}
	}
	return all
}

// postgresDSN writes keywords and values, which unlike a URL hold any host.
func postgresDSN(l Login, params url.Values) (string, error) {
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
	add("password", l.Password)
	add("dbname", l.DBName)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name == "" || strings.ContainsAny(name, "='\\ \t\r\n\v\f\x00") {
			return "", fmt.Errorf("%q cannot be the name of a PostgreSQL parameter", name)
		}
		add(name, params.Get(name))
	}
	return strings.TrimSuffix(b.String(), " "), nil
}

func escapeKeyword(value string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)
}

// mysqlDSN writes user:password@tcp(host:port)/dbname?params. The driver
// searches for the last slash, the last @ before it and the first colon, so a
// password needs no escapes, and a user name with a colon would be read as
// another user with another password.
func mysqlDSN(l Login, params url.Values) (string, error) {
	if strings.Contains(l.Username, ":") {
		return "", errors.New(`the field "username" has a colon, which a data source name of the MySQL driver cannot hold: use the driver's own Config`)
	}
	network := "tcp"
	switch {
	case isSocket(l.Host):
		network = "unix(" + l.Host + ")"
	case strings.ContainsAny(l.Host, "/()@"):
		return "", errors.New(`the field "host" is not the name or address of a host`)
	case l.Host != "":
		network = "tcp(" + net.JoinHostPort(l.Host, strconv.Itoa(cmp.Or(l.Port, 3306))) + ")"
	}
	dsn := l.Username + ":" + l.Password + "@" + network + "/" + url.PathEscape(l.DBName)
	separator := "?"
	for _, name := range slices.Sorted(maps.Keys(params)) {
		for _, value := range params[name] {
			dsn += separator + escapeParam(name) + "=" + escapeParam(value)
			separator = "&"
		}
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
func sqlserverDSN(l Login, params url.Values) (string, error) {
	host, instance, _ := strings.Cut(l.Host, `\`)
	u := url.URL{Scheme: "sqlserver", User: url.UserPassword(l.Username, l.Password), Host: host}
	switch {
	case l.Port != 0:
		u.Host = net.JoinHostPort(host, strconv.Itoa(l.Port))
	case strings.Contains(host, ":"):
		u.Host = net.JoinHostPort(host, "") // without the colon the driver would keep the brackets
	}
	if instance != "" {
		u.Path = "/" + instance
	}
	if l.DBName != "" {
		params = merge(map[string]string{"database": l.DBName}, params)
	}
	u.RawQuery = params.Encode()
	return u.String(), nil
}

// oracleDSN writes a URL; the secret's dbname is the service name.
func oracleDSN(l Login, params url.Values) (string, error) {
	u := url.URL{
		Scheme:   "oracle",
		User:     url.UserPassword(l.Username, l.Password),
		Host:     address(l.Host, cmp.Or(l.Port, 1521)),
		Path:     "/" + l.DBName,
		RawQuery: params.Encode(),
	}
	return u.String(), nil
}

// address writes host and port as a URL has them.
func address(host string, port int) string {
	switch {
	case port != 0:
		return net.JoinHostPort(host, strconv.Itoa(port))
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}

func isSocket(host string) bool { return strings.HasPrefix(host, "/") }
