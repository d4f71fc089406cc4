package rotate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// A Login is what a database secret says about one user of one database. It
// prints without the password; Password gives it.
type Login struct {
	Engine    string // "postgres", "mysql", "mariadb", "aurora-postgresql", ...
	Host      string
	Port      int
	Username  string
	Database  string // the field dbname
	MasterARN string // the secret of the master user

	// NoTLS is true only where the secret says "ssl": false.
	NoTLS bool

	password Value
}

// Password returns the password.
func (l Login) Password() string {
	s, _ := l.password.Text()
	return s
}

// WithPassword returns a copy of l with another password.
func (l Login) WithPassword(password string) Login {
	l.password = Text(password)
	return l
}

// Format writes host, port and database, whatever the verb.
func (l Login) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "login at %s", l.address())
	if l.Database != "" {
		fmt.Fprintf(f, "/%s", l.Database)
	}
}

// PostgresURL returns a connection URL for PostgreSQL, with the password. The
// drivers pgx and lib/pq understand it. TLS is sslmode=verify-full, or
// disable if l.NoTLS is set. params are added, and may replace that.
func (l Login) PostgresURL(params url.Values) string {
	q := url.Values{"sslmode": {"verify-full"}}
	if l.NoTLS {
		q.Set("sslmode", "disable")
	}
	for k, v := range params {
		q[k] = v
	}
	u := url.URL{
		Scheme: "postgres",
		User:   url.UserPassword(l.Username, l.Password()),
		Host:   l.address(),
		Path:   "/" + cmp.Or(l.Database, "postgres"),
	}
	if strings.HasPrefix(l.Host, "/") { // the directory of a Unix socket
		u.Host = ""
		q.Set("host", l.Host)
		if l.Port != 0 {
			q.Set("port", strconv.Itoa(l.Port))
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// MySQLDSN returns a data source name for MySQL and MariaDB, with the
// password. The driver github.com/go-sql-driver/mysql understands it. TLS is
// tls=true, or false if l.NoTLS is set. params are added, and may replace
// that. The driver cannot parse a user name with a colon.
func (l Login) MySQLDSN(params url.Values) string {
	q := url.Values{"tls": {strconv.FormatBool(!l.NoTLS)}}
	for k, v := range params {
		q[k] = v
	}
	network := "tcp"
	if strings.HasPrefix(l.Host, "/") {
		network = "unix"
	}
	return fmt.Sprintf("%s:%s@%s(%s)/%s?%s", l.Username, l.Password(), network, l.address(), url.PathEscape(l.Database), q.Encode())
}

func (l Login) address() string {
	if strings.HasPrefix(l.Host, "/") || l.Port == 0 {
		return l.Host
	}
	return net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
}

// parseLogin reads a database secret. What is absent is left zero.
func parseLogin(v Value) (Login, error) {
	text, err := v.Text()
	if err != nil {
		return Login{}, err
	}
	o, err := parseObject(text)
	if err != nil {
		return Login{}, err
	}
	var l Login
	var password string
	for _, f := range []struct {
		name string
		to   *string
	}{
		{"engine", &l.Engine},
		{"host", &l.Host},
		{"username", &l.Username},
		{"password", &password},
		{"dbname", &l.Database},
		{"masterarn", &l.MasterARN},
	} {
		if *f.to, _, err = o.string(f.name); err != nil {
			return Login{}, err
		}
	}
	if l.Port, err = portOf(o); err != nil {
		return Login{}, err
	}
	if l.NoTLS, err = noTLS(o); err != nil {
		return Login{}, err
	}
	l.password = Text(password)
	return l, nil
}

// portOf reads the port, a number or a string of digits.
func portOf(o object) (int, error) {
	raw, ok := o.raw("port")
	if !ok || raw == "null" || raw == `""` {
		return 0, nil
	}
	var n json.Number // takes a string of digits too
	if json.NewDecoder(strings.NewReader(raw)).Decode(&n) == nil {
		if p, err := strconv.ParseUint(n.String(), 10, 16); err == nil && p != 0 {
			return int(p), nil
		}
	}
	return 0, fmt.Errorf("the field %q is not a port", "port")
}

// noTLS reads the field ssl, a bool or the text of one.
func noTLS(o object) (bool, error) {
	raw, ok := o.raw("ssl")
	if !ok {
		return false, nil
	}
	switch strings.ToLower(strings.Trim(raw, `"`)) {
	case "null", "true", "":
		return false, nil
	case "false":
		return true, nil
	}
	return false, fmt.Errorf("the field %q is neither true nor false", "ssl")
}
