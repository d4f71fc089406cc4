package rotate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// Error numbers of MySQL and MariaDB.
const (
	mustSetPassword = 1820 // the password has expired: nothing may be done but set it
	syntaxError     = 1064
)

// expired reports whether err says that the session may do nothing but set the
// user's password.
func (mysql) expired(err error) bool { return dblogin.MySQLNumber(err) == mustSetPassword }

// setExpired sets the password of the user that ses is logged in as. That user
// may do nothing else, so the kind of server is found out by a probe: to a
// statement of MariaDB's dialect, MySQL answers with a syntax error, and
// MariaDB with the error that the password must be set first. So no server gets
// a password in a statement that it does not understand.
func (m mysql) setExpired(ctx context.Context, ses *session, password string) error {
	_, err := ses.conn.ExecContext(ctx, "ALTER USER CURRENT_USER() IDENTIFIED VIA mysql_native_password USING 'invalid'")
	switch {
	case m.expired(err):
		return exec(ctx, ses, "SET PASSWORD", "SET PASSWORD = '"+nativeHash(password)+"'")
	case dblogin.MySQLNumber(err) != syntaxError:
		return fmt.Errorf("the password has expired, and the server does not reveal whether it is MySQL or MariaDB: %w", err)
	case strings.Contains(password, `\`):
		return errors.New("the password has expired, and the server does not reveal how it interprets a backslash: the new password must not contain one")
	}
	return exec(ctx, ses, "ALTER USER", "ALTER USER USER() "+mysqlServer{}.identified(password))
}
