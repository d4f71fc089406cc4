// Package sqlcredtest provides a fake database for tests of package sqlcred.
// It is for the tests of programs that use sqlcred. The database lives in memory
// and has users and passwords, but no SQL. Together with package secretstest, a
// test can rotate a password, take the database down, or lock all users out. It
// needs no server, no socket and no driver, and works inside testing/synctest.
//
//	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
//	c := sqlcred.New(client, "prod/db", server.Open, nil)
//	db := sql.OpenDB(c)
//
// The package cannot test the program's SQL or the errors of a real driver. It
// reports refusals as errors with an SQLSTATE of class 28, like PostgreSQL.
package sqlcredtest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/seed-74dc7b3e/secrets/gate"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// Answer answers a query or a statement. It returns the column names and the
// rows, each with one value per column, or an error. Without columns there are no
// rows.
type Answer func(ctx context.Context, query string, args []driver.NamedValue) (columns []string, rows [][]driver.Value, err error)

// A Server is a database server that checks passwords and answers queries. It
// is safe for concurrent use by multiple goroutines.
type Server struct {
	mu        sync.Mutex // guards the fields below
	passwords map[string]string
	answer    Answer
	latency   time.Duration
	down      bool
	fail      error
	logins    int
	wrong     int
	open      int
}

// NewServer returns a server with the given users and their passwords. At first,
// a login takes no time, and every query returns no rows.
func NewServer(passwords map[string]string) *Server {
	return &Server{
		passwords: maps.Clone(passwords),
		answer: func(context.Context, string, []driver.NamedValue) ([]string, [][]driver.Value, error) {
			return nil, nil, nil
		},
	}
}

// Open returns a connector with the user name and password of l. Pass it to
// [sqlcred.New]. It never fails.
func (s *Server) Open(l sqlcred.Login) (driver.Connector, error) { return &connector{s, l}, nil }

// SetPassword sets a user's password. It adds the user if necessary. Open
// connections stay open.
func (s *Server) SetPassword(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.passwords == nil {
		s.passwords = make(map[string]string)
	}
	s.passwords[user] = password
}

// RemoveUser removes a user. The server then refuses all logins with that name.
func (s *Server) RemoveUser(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.passwords, user)
}

// SetAnswer sets the function that answers queries from now on.
func (s *Server) SetAnswer(a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = a
}

// SetLatency sets how long a login takes from now on. Half of the time passes
// before the password is sent, and half before the verdict arrives. A login ends
// when its context ends.
func (s *Server) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// SetDown takes the server down or brings it back. While the server is down,
// logins fail as if nothing listened at the address. Queries on open connections
// fail in the same way.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// SetFailure makes every login with the right password fail with err. A nil err
// ends this.
func (s *Server) SetFailure(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Logins returns how many logins the server has accepted so far.
func (s *Server) Logins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

// WrongLogins returns how many logins the server has refused so far because of
// the user name or the password.
func (s *Server) WrongLogins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrong
}

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// A RefusedError is the error of a login with an unknown user or a wrong
// password. [sqlcred.IsRefused] recognizes it.
type RefusedError struct{ Username string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("password authentication failed for user %q (SQLSTATE 28P01)", e.Username)
}

// SQLState returns 28P01.
func (e *RefusedError) SQLState() string { return "28P01" }

// errDown is the error of a driver if nothing listens at the address.
var errDown = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

type connector struct {
	server *Server
	login  sqlcred.Login
}

func (c *connector) Driver() driver.Driver { return noDSN{} }

// HoldsPassword tells package sqlcred that Connect calls [gate.Hold].
func (c *connector) HoldsPassword() bool { return true }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	s := c.server
	if err := s.pass(ctx); err != nil {
		return nil, err
	}
	if err := gate.Hold(ctx); err != nil {
		return nil, err
	}
	verdict := s.check(c.login)
	err := s.pass(ctx)
	switch {
	case err != nil && verdict == nil:
		s.close()
	case err == nil:
		err = verdict
	}
	if err != nil {
		return nil, err
	}
	return &conn{server: s}, nil
}

// pass waits for half the time of a login.
func (s *Server) pass(ctx context.Context) error {
	s.mu.Lock()
	half, down := s.latency/2, s.down
	s.mu.Unlock()
	if down {
		return errDown
	}
	if half <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(half)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// check returns the verdict on a login.
func (s *Server) check(l sqlcred.Login) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if password, ok := s.passwords[l.Username]; !ok || password != l.Password() {
		s.wrong++
		return &RefusedError{l.Username}
	}
	if s.fail != nil {
		return s.fail
	}
	s.logins++
	s.open++
	return nil
}

func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

// noDSN is a driver whose Open always fails.
type noDSN struct{}

func (noDSN) Open(string) (driver.Conn, error) {
	return nil, errors.New("sqlcredtest: open a connection with database/sql.OpenDB")
}
