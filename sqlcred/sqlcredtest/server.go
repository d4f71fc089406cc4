// Package sqlcredtest is a database for tests of programs that use sqlcred. It is
// in memory, with users and passwords, and no SQL. Together with package
// secretstest it lets a test rotate a password, take the database down, or lock
// everybody out, without a server, a socket or a driver, also inside
// testing/synctest.
//
//	server := sqlcredtest.NewServer(map[string]string{"app": "one"})
//	c := sqlcred.New(client, "prod/db", server.Open, nil)
//	db := sql.OpenDB(c)
//
// What it cannot tell is whether the program's SQL is right, and how a real
// driver reports its errors: its refusals are errors with an SQLSTATE of class
// 28, as those of PostgreSQL.
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

// Answer answers a query or a statement: with the names of columns and rows of
// as many values, or with an error. No columns mean that there are no rows.
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

// NewServer returns a server with the given users and their passwords. It takes
// no time for a login, and answers every query with no rows.
func NewServer(passwords map[string]string) *Server {
	return &Server{
		passwords: maps.Clone(passwords),
		answer: func(context.Context, string, []driver.NamedValue) ([]string, [][]driver.Value, error) {
			return nil, nil, nil
		},
	}
}

// Open returns a connector with the user and the password of l, for
// [sqlcred.New]. It never fails.
func (s *Server) Open(l sqlcred.Login) (driver.Connector, error) { return &connector{s, l}, nil }

// SetPassword sets a user's password and adds the user if there is none of the
// name. Connections that are open stay so.
func (s *Server) SetPassword(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.passwords == nil {
		s.passwords = make(map[string]string)
	}
	s.passwords[user] = password
}

// RemoveUser removes a user: all logins with the name are refused.
func (s *Server) RemoveUser(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.passwords, user)
}

// SetAnswer sets what answers queries from now on.
func (s *Server) SetAnswer(a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = a
}

// SetLatency sets how long a login takes from now on: half of it before the
// password is sent, and half before the verdict is there. A login whose context
// ends is given up.
func (s *Server) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// SetDown takes the server down, or brings it back. While it is down a login
// fails as where nobody listens, and so does what open connections are used for.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// SetFailure makes every login with the right password fail with err, until it
// is nil.
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
// the user or the password.
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

// A RefusedError is what a login with an unknown user or a wrong password ends
// with. [sqlcred.IsRefused] recognizes it.
type RefusedError struct{ Username string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("password authentication failed for user %q (SQLSTATE 28P01)", e.Username)
}

// SQLState returns 28P01.
func (e *RefusedError) SQLState() string { return "28P01" }

// errDown is what a driver returns where nobody listens.
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

// pass lets half of a login pass.
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

// check is the verdict on a login.
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

// noDSN is a driver that opens nothing by itself.
type noDSN struct{}

func (noDSN) Open(string) (driver.Conn, error) {
	return nil, errors.New("sqlcredtest: open a connection with database/sql.OpenDB")
}
