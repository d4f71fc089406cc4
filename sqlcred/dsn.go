package sqlcred

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// DSN returns the login as a data source name for a database/sql driver.
//
// driverName is "pgx" or "postgres" (lib/pq), "mysql" (go-sql-driver),
// "sqlserver" (go-mssqldb) or "oracle" (go-ora). For any other name, DSN uses
// the form of the listed driver that fits the login's Engine.
//
// The login must have a host, a user name and a password. Without a port the
// driver's default applies. DSN adds params, which prevail over the parameters
// for TLS. With [TLSVerify], an authority that the driver trusts must have signed
// the certificate. For Amazon RDS, set its bundle in params (sslrootcert for
// PostgreSQL, certificate for SQL Server), or for MySQL the name of the TLS
// configuration registered with the driver (tls). With [TLSDefault] the driver's
// default applies.
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

// remedy says how to supply the field that a login lacks.
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
