package sqlcred

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// A login is one login under way.
type login struct {
	c       *Connector
	version *version
	made    *made
	scrub   func(error) error
	current string // the version that was current when it began
}

// connect lets the driver connect. It returns a [*gate.RefusedError] if the
// server refused the version. It panics if the driver does.
func (l *login) connect(ctx context.Context) (driver.Conn, error) {
	defer func() {
		if v := recover(); v != nil {
			panic(l.shownPanic(v))
		}
	}()
	l.current = l.c.currentVersion()
	conn, err := l.made.connector.Connect(l.made.hold.context(ctx))
	if err == nil {
		return conn, nil
	}
	said := l.shown(err)
	if account := accountError(err, said, l.version.login.Username); account != nil {
		return nil, account
	}
	if l.c.options.isRefused(err) {
		l.c.wrong.Add(1)
		return nil, &gate.RefusedError{Err: said, Transient: dblogin.PassedOn(err)}
	}
	return nil, said
}

// shown returns a driver's error in the form that Connect may return: without
// passwords, and never driver.ErrBadConn, which would make database/sql connect
// again.
func (l *login) shown(err error) error {
	return dblogin.Without(l.scrub(err), driver.ErrBadConn)
}

// shownPanic returns the value of a driver's panic, or an error in its place if
// the value shows a password.
func (l *login) shownPanic(v any) any {
	printed := fmt.Errorf("%v %+v %#v", v, v, v)
	if scrubbed := l.scrub(printed); scrubbed != printed {
		return fmt.Errorf("sqlcred: panic of the driver: %w", scrubbed)
	}
	return v
}

// alive reports whether conn is usable although its driver was told to stop.
func alive(ctx context.Context, conn driver.Conn) bool {
	if v, ok := conn.(driver.Validator); ok && !v.IsValid() {
		return false
	}
	if p, ok := conn.(driver.Pinger); ok {
		return p.Ping(ctx) == nil
	}
	return true
}
