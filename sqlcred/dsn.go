package sqlcred

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// DSN returns the login as a data source name for the database/sql driver of
// the given name: "pgx" or "postgres" (lib/pq), "mysql" (go-sql-driver),
// "sqlserver" (go-mssqldb) or "oracle" (go-ora). For other names the form is
// that of the driver above that goes with the login's Engine.
//
// The login must have a host, a user name and a password; without a port the
// driver's default applies. params are added, and prevail over those that TLS
// stands for. With [TLSVerify] the certificate must be signed by an authority
// the driver trusts: name the bundle of Amazon RDS in params (sslrootcert for
// PostgreSQL, certificate for SQL Server), or for MySQL the configuration
// registered with the driver (tls). With [TLSDefault] the driver's own default
// applies.
//
// The result contains the password. An error does not.
func (l Login) DSN(driverName string, params map[string]string) (string, error) {
	values := make(url.Values, len(params))
	for name, value := range params {
		values.Set(name, value)
	}
	dsn, err := dblogin.DSN(l.plain(), driverName, values)
	if err != nil {
		return "", fmt.Errorf("sqlcred: data source name: %w%s", err, remedy(err))
	}
	return dsn, nil
}

// remedy says where what a login lacks may come from.
func remedy(err error) string {
	var missing *dblogin.MissingError
	switch {
	case !errors.As(err, &missing):
		return ""
	case missing.Field == "host":
		return ": set Options.Host, or give the secret a field for it"
	}
	return fmt.Sprintf(": give the secret a field %q, or name the one that it has in Options.Keys", missing.Field)
}

// plain returns the login in the form that internal/dblogin takes.
func (l Login) plain() dblogin.Login {
	return dblogin.Login{
		Engine:   l.Engine,
		Host:     l.Host,
		Port:     l.Port,
		Username: l.Username,
		Password: l.Password(),
		DBName:   l.DBName,
		TLS:      dblogin.TLS(l.TLS),
	}
}
