package rotate

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// mysql is the dialect of MySQL and MariaDB.
type mysql struct{}

func (mysql) name() string { return "MySQL" }
func (mysql) engines() []string {
	return []string{"mysql", "mariadb", "aurora-mysql", "aurora"}
}
func (mysql) port() int               { return 3306 }
func (mysql) nameLength(s string) int { return utf8.RuneCountInString(s) }
func (mysql) passwordLimit() int      { return 0 }
func (mysql) testQuery() string       { return "SELECT 1" }
func (mysql) alternates() bool        { return true }
func (mysql) twoPasswords() bool      { return true }

func (mysql) dsn(l Login, params url.Values) (string, error) { return dblogin.MySQL(l.plain(), params) }

func (mysql) maxName(engine string) int {
	if engine == "mariadb" {
		return 80
	}
	return 32
}

func (m mysql) setOwn(ctx context.Context, ses *session, c change) error {
	srv, err := m.server(ctx, ses)
	if m.expired(err) {
		return m.setExpired(ctx, ses, c.password)
	}
	if err != nil {
		return err
	}
	if !srv.mariaDB {
		return exec(ctx, ses, "ALTER USER", "ALTER USER "+srv.account.String()+" "+srv.identified(c.password))
	}
	// Unlike ALTER USER, SET PASSWORD needs no privilege.
	if err := m.checkPlugins(ctx, ses); err != nil {
		return err
	}
	return exec(ctx, ses, "SET PASSWORD", "SET PASSWORD = '"+nativeHash(c.password)+"'")
}

// setBoth has one statement at its end after which both passwords log in, and
// keep logs in before and after each. Two deliveries must not do it at the
// same time: the second would retain the password that the first has just set.
func (m mysql) setBoth(ctx context.Context, ses, admin *session, c change, keep string, works func() (bool, error)) error {
	srv, err := m.server(ctx, ses)
	if m.expired(err) {
		// To keep two passwords takes more than may be done now: the old one is
		// set once more, and has not expired then.
		if err = m.setExpired(ctx, ses, keep); err == nil {
			srv, err = m.server(ctx, ses)
		}
	}
	if err != nil {
		return err
	}
	if err := m.lock(ctx, ses, srv.account); err != nil {
		return err
	}
	if ok, err := works(); ok || err != nil {
		return err
	}
	alter := "ALTER USER " + srv.account.String() + " "
	if srv.mariaDB {
		if err := m.checkPlugins(ctx, ses); err != nil {
			return err
		}
		return exec(ctx, admin, "ALTER USER", alter+srv.identified(c.password)+
			" OR mysql_native_password USING '"+nativeHash(keep)+"'")
	}
	if err := checkPassword(keep); err != nil {
		return fmt.Errorf("the password to keep: %w", err)
	}
	if srv, err = m.modes(ctx, admin, srv); err != nil { // quote for the session that gets the text
		return err
	}
	// MySQL retains the primary password. After an abandoned rotation the password
	// to keep may be the secondary one.
	if err := exec(ctx, admin, "ALTER USER", alter+srv.identified(keep)); err != nil {
		return err
	}
	return exec(ctx, admin, "ALTER USER", alter+srv.identified(c.password)+" RETAIN CURRENT PASSWORD")
}

// setOther sets the password last, so that a user who logs in has all rights.
func (m mysql) setOther(ctx context.Context, ses, master *session, like string, c change) error {
	own, err := m.server(ctx, ses)
	if m.expired(err) {
		return fmt.Errorf("the password of the current user has expired, so its rights cannot be read: set the same password again by hand: %w", err)
	}
	if err != nil {
		return err
	}
	srv, err := m.modes(ctx, master, own)
	if err != nil {
		return err
	}
	nobody, err := Password{}.Generate()
	if err != nil {
		return err
	}
	other := account{c.user, own.account.host}
	if err := exec(ctx, master, "CREATE USER", "CREATE USER IF NOT EXISTS "+other.String()+" "+srv.identified(nobody)); err != nil {
		return err
	}
	// With RevokeLost the original has the correct rights and gets no others.
	if isClone := strings.HasPrefix(c.user, like); isClone || !c.opts.RevokeLost {
		if err := m.copyUser(ctx, ses, master, other, c.opts.RevokeLost); err != nil {
			return err
		}
	}
	return exec(ctx, master, "ALTER USER", "ALTER USER "+other.String()+" "+srv.identified(c.password))
}

// copyUser gives other the grants, the default role and the TLS requirement of
// the account that ses is logged in as. With revoke it also revokes what that
// account does not have.
func (m mysql) copyUser(ctx context.Context, ses, master *session, other account, revoke bool) error {
	grants, err := m.grants(ctx, ses, "CURRENT_USER()")
	if err != nil {
		return err
	}
	var definition string
	if err := ses.conn.QueryRowContext(ctx, "SHOW CREATE USER CURRENT_USER()").Scan(&definition); err != nil {
		return fmt.Errorf("SHOW CREATE USER: %w", err)
	}
	for _, g := range grants {
		g, err := grantTo(g, other)
		if err != nil {
			return err
		}
		verb, _, _ := strings.Cut(g, " ")
		if err := exec(ctx, master, verb, g); err != nil {
			return err
		}
	}
	if revoke {
		if err := m.revokeFrom(ctx, master, other, grants); err != nil {
			return err
		}
	}
	for _, clause := range userClauses(definition) {
		if err := exec(ctx, master, "ALTER USER", "ALTER USER "+other.String()+" "+clause); err != nil {
			return err
		}
	}
	return nil
}

// exec runs a statement. The error calls it what, because its text may contain
// a password.
func exec(ctx context.Context, ses *session, what, statement string) error {
	if _, err := ses.conn.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// A mysqlServer holds the facts about a server on which statements depend.
type mysqlServer struct {
	mariaDB     bool
	noBackslash bool    // sql_mode has NO_BACKSLASH_ESCAPES
	account     account // the one logged in as
}

// An account is a user name with the host part that goes with it.
type account struct{ user, host string }

func (a account) String() string { return quoteTick(a.user) + "@" + quoteTick(a.host) }

func quoteTick(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// server asks for the kind of server, and which account ses is logged in as.
func (m mysql) server(ctx context.Context, ses *session) (mysqlServer, error) {
	var name string
	if err := ses.conn.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&name); err != nil {
		return mysqlServer{}, fmt.Errorf("SELECT CURRENT_USER(): %w", err)
	}
	at := strings.LastIndexByte(name, '@') // a user name may have one, a host cannot
	if at <= 0 {
		return mysqlServer{}, errors.New("SELECT CURRENT_USER(): not an account, or the anonymous one")
	}
	return m.modes(ctx, ses, mysqlServer{account: account{name[:at], name[at+1:]}})
}

// modes returns srv with the SQL modes of the session ses.
func (mysql) modes(ctx context.Context, ses *session, srv mysqlServer) (mysqlServer, error) {
	var version, mode string
	if err := ses.conn.QueryRowContext(ctx, "SELECT VERSION(), @@SESSION.sql_mode").Scan(&version, &mode); err != nil {
		return srv, fmt.Errorf("SELECT VERSION(): %w", err)
	}
	srv.mariaDB = strings.Contains(strings.ToLower(version), "mariadb")
	srv.noBackslash = strings.Contains(mode, "NO_BACKSLASH_ESCAPES")
	return srv, nil
}

// identified returns the clause that sets a password. It contains the hash for
// MariaDB, and the text for MySQL, which masks it in its logs.
func (srv mysqlServer) identified(password string) string {
	if srv.mariaDB {
		return "IDENTIFIED VIA mysql_native_password USING '" + nativeHash(password) + "'"
	}
	if !srv.noBackslash {
		password = strings.ReplaceAll(password, `\`, `\\`)
	}
	return "IDENTIFIED BY '" + strings.ReplaceAll(password, "'", "''") + "'"
}

// nativeHash returns the hash of mysql_native_password.
func nativeHash(password string) string {
	once := sha1.Sum([]byte(password))
	return fmt.Sprintf("*%X", sha1.Sum(once[:]))
}

// checkPlugins returns an error if MariaDB checks the account's password with a
// plugin other than mysql_native_password, because the hash computed here would
// not match.
func (mysql) checkPlugins(ctx context.Context, ses *session) error {
	var definition string
	if err := ses.conn.QueryRowContext(ctx, "SHOW CREATE USER CURRENT_USER()").Scan(&definition); err != nil {
		return fmt.Errorf("SHOW CREATE USER: %w", err)
	}
	for _, p := range authPlugins(definition) {
		if !strings.EqualFold(p, "mysql_native_password") {
			return fmt.Errorf("the account uses the authentication plugin %q; only mysql_native_password can be set by hash", p)
		}
	}
	return nil
}

// lock takes a lock that ends with the session.
func (mysql) lock(ctx context.Context, ses *session, a account) error {
	name := fmt.Sprintf("rotate.%x", sha256.Sum256([]byte(a.String())))[:60]
	var got *int
	if err := ses.conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 10)", name).Scan(&got); err != nil {
		return fmt.Errorf("GET_LOCK: %w", err)
	}
	if got == nil || *got != 1 {
		return errors.New("GET_LOCK: another rotation holds the user's lock")
	}
	return nil
}

// grants returns the lines of SHOW GRANTS for an account.
func (mysql) grants(ctx context.Context, ses *session, of string) ([]string, error) {
	rows, err := ses.conn.QueryContext(ctx, "SHOW GRANTS FOR "+of)
	if err != nil {
		return nil, fmt.Errorf("SHOW GRANTS: %w", err)
	}
	defer rows.Close()
	var grants []string
	for rows.Next() {
		var g string
		if err := rows.Scan(&g); err != nil {
			return nil, fmt.Errorf("SHOW GRANTS: %w", err)
		}
		grants = append(grants, g)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("SHOW GRANTS: %w", err)
	}
	return grants, nil
}
