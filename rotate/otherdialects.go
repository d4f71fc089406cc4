package rotate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// SQLServer returns a Rotator for logins of Microsoft SQL Server. It also
// rotates users of a contained database. Users change their own password and
// must give the old one. New passwords must be printable ASCII. They are sent
// in plain text; the server omits such statements from its traces. The driver
// go-mssqldb is registered as "sqlserver".
//
// The statements are tested on scripted connections, not on a server.
func SQLServer(open OpenFunc, opts *SQLOptions) *SQL { return newSQL(sqlServer{}, open, opts) }

// Oracle returns a Rotator for users of Oracle Database. Users change their own
// password and must give the old one. New passwords must be printable ASCII
// without a double quote, and have at most 30 characters, which is the default
// length. They are sent in plain text; the server omits them from its audit
// trail. The driver go-ora is registered as "oracle".
//
// A profile with PASSWORD_ROLLOVER_TIME (19.12 and later) keeps the old
// password valid for that time, so that there is no rotation window.
//
// The statements are tested on scripted connections, not on a server.
func Oracle(open OpenFunc, opts *SQLOptions) *SQL { return newSQL(oracle{}, open, opts) }

// Redshift returns a Rotator for users of Amazon Redshift. Users change their
// own password. New passwords must be printable ASCII and satisfy Redshift's
// own rules; those of the zero [Password] do. They are sent in plain text, as
// by AWS's own rotation function. The drivers are those for PostgreSQL.
//
// The statements are tested on scripted connections, not on a server.
func Redshift(open OpenFunc, opts *SQLOptions) *SQL { return newSQL(redshift{}, open, opts) }

// ownOnly is the part of a dialect whose users change their own password, and
// have one.
type ownOnly struct{}

func (ownOnly) alternates() bool      { return false }
func (ownOnly) twoPasswords() bool    { return false }
func (ownOnly) nameLength(string) int { return 0 }
func (ownOnly) maxName(string) int    { return 0 }

var errOwnOnly = errors.New("this kind of server supports only rotation of a single user with a single password")

func (ownOnly) setBoth(context.Context, *session, *session, change, string, func() (bool, error)) error {
	return errOwnOnly
}

func (ownOnly) setOther(context.Context, *session, *session, string, change) error {
	return errOwnOnly
}

type sqlServer struct{ ownOnly }

func (sqlServer) name() string       { return "SQL Server" }
func (sqlServer) port() int          { return 1433 }
func (sqlServer) passwordLimit() int { return 128 }
func (sqlServer) testQuery() string  { return "SELECT 1" }
func (sqlServer) engines() []string {
	return []string{"sqlserver", "sqlserver-ee", "sqlserver-se", "sqlserver-ex", "sqlserver-web"}
}

func (sqlServer) dsn(l Login, params url.Values) (string, error) {
	return dblogin.DSN(l.plain(), "sqlserver", params)
}

// setOwn asks whether the session belongs to a login or to a user of a
// contained database, because the statements differ.
func (sqlServer) setOwn(ctx context.Context, ses *session, c change) error {
	var contained int
	const query = "SELECT COUNT(*) FROM sys.database_principals WHERE name = USER_NAME() AND authentication_type = 2"
	if err := ses.conn.QueryRowContext(ctx, query).Scan(&contained); err != nil {
		return fmt.Errorf("find the user: %w", err)
	}
	what := "ALTER LOGIN"
	if contained > 0 {
		what = "ALTER USER"
	}
	quote := func(s string) string { return "N'" + strings.ReplaceAll(s, "'", "''") + "'" }
	user := "[" + strings.ReplaceAll(c.user, "]", "]]") + "]"
	return exec(ctx, ses, what, what+" "+user+" WITH PASSWORD = "+quote(c.password)+" OLD_PASSWORD = "+quote(c.old))
}

type oracle struct{ ownOnly }

func (oracle) name() string       { return "Oracle" }
func (oracle) port() int          { return 1521 }
func (oracle) passwordLimit() int { return 30 }
func (oracle) testQuery() string  { return "SELECT 1 FROM DUAL" }
func (oracle) engines() []string {
	return []string{"oracle", "oracle-ee", "oracle-ee-cdb", "oracle-se2", "oracle-se2-cdb"}
}

func (oracle) dsn(l Login, params url.Values) (string, error) {
	return dblogin.DSN(l.plain(), "oracle", params)
}

// setOwn asks for the user's name as the server has it: names are folded to
// upper case unless they were quoted when the user was made.
func (oracle) setOwn(ctx context.Context, ses *session, c change) error {
	var user string
	if err := ses.conn.QueryRowContext(ctx, "SELECT USER FROM DUAL").Scan(&user); err != nil {
		return fmt.Errorf("SELECT USER: %w", err)
	}
	for _, s := range []string{user, c.password, c.old} {
		if strings.Contains(s, `"`) {
			return errors.New("Oracle supports no user name or password with a double quote")
		}
	}
	return exec(ctx, ses, "ALTER USER", `ALTER USER "`+user+`" IDENTIFIED BY "`+c.password+`" REPLACE "`+c.old+`"`)
}

type redshift struct{ ownOnly }

func (redshift) name() string       { return "Redshift" }
func (redshift) port() int          { return 5439 }
func (redshift) passwordLimit() int { return 64 }
func (redshift) testQuery() string  { return "SELECT 1" }
func (redshift) engines() []string  { return []string{"redshift"} }

func (redshift) dsn(l Login, params url.Values) (string, error) { return l.PostgresURL(params), nil }

func (redshift) setOwn(ctx context.Context, ses *session, c change) error {
	if strings.ContainsAny(c.password, `'"/\@`) {
		return errors.New(`a password for Redshift must not have one of '"/\@ in it`)
	}
	return exec(ctx, ses, "ALTER USER", "ALTER USER "+quoteIdent(c.user)+" PASSWORD '"+c.password+"'")
}
