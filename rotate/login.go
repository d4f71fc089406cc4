package rotate

import (
	"fmt"
	"net/url"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// A Login is the content of a database secret: one user of one database. It
// prints without the password, which Password returns.
type Login struct {
	Engine    string // "postgres", "mysql", "mariadb", "aurora-postgresql", ...
	Host      string
	Port      int
	Username  string
	Database  string // the field dbname
	MasterARN string // the secret of the master user

	// NoTLS is true only if the secret has "ssl": false. A secret without the
	// field gets TLS, with the certificate and the host name verified, because a
	// rotation sends the new password, for MySQL in plain text, and logs in as a
	// master user. (Package sqlcred then leaves TLS to the driver, because a
	// service has already configured its driver.)
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

// Format writes host, port and database, for every verb.
func (l Login) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "login at %s", l.address())
	if l.Database != "" {
		fmt.Fprintf(f, "/%s", l.Database)
	}
}

// PostgresURL returns a connection URL for PostgreSQL, with the password. It is
// for the drivers pgx and lib/pq. It has sslmode=verify-full, or
// sslmode=disable if l.NoTLS is set. params are added, and may replace that.
func (l Login) PostgresURL(params url.Values) string {
	return dblogin.PostgresURL(l.plain(), params)
}

// MySQLDSN returns a data source name for MySQL and MariaDB, with the password.
// It is for the driver github.com/go-sql-driver/mysql. It has tls=true, or
// tls=false if l.NoTLS is set. params are added, and may replace that.
//
// A data source name cannot represent a user name with a colon, or a host name
// with a slash, a parenthesis or an at sign: the driver would log in as another
// user, or at another host. For such a login the result has no user, password
// or host, and the driver refuses it with an error that names the field.
// [Driver] returns that error itself.
func (l Login) MySQLDSN(params url.Values) string {
	dsn, err := dblogin.MySQL(l.plain(), params)
	if err != nil {
		// The driver has no TLS configuration of this name and returns an error that
		// contains it.
		return "/?tls=" + url.QueryEscape("rotate: "+err.Error())
	}
	return dsn
}

func (l Login) address() string { return l.plain().Address() }

// plain returns the login in the form that internal/dblogin takes.
func (l Login) plain() dblogin.Login {
	tls := dblogin.TLSVerify
	if l.NoTLS {
		tls = dblogin.TLSOff
	}
	return dblogin.Login{
		Engine:   l.Engine,
		Host:     l.Host,
		Port:     l.Port,
		Username: l.Username,
		Password: l.Password(),
		DBName:   l.Database,
		TLS:      tls,
	}
}

// parseLogin parses a database secret. Absent fields stay zero. Without a field
// ssl the connection uses TLS with verification; see [dblogin.TLS].
func parseLogin(v Value) (Login, error) {
	text, err := v.Text()
	if err != nil {
		return Login{}, err
	}
	read, err := dblogin.Decode(text, dblogin.Keys{})
	if err != nil {
		return Login{}, err
	}
	return Login{
		Engine:    read.Engine,
		Host:      read.Host,
		Port:      read.Port,
		Username:  read.Username,
		Database:  read.DBName,
		MasterARN: read.MasterARN,
		NoTLS:     read.TLS.Or(dblogin.TLSVerify) == dblogin.TLSOff,
	}.WithPassword(read.Password), nil
}
