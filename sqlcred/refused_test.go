package sqlcred_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// The drivers' errors as far as they count here. The real ones are tested on
// real servers, in a module of its own.
type (
	stateError  struct{ state string } // pgx, lib/pq
	MySQLError  struct{ Number uint16 }
	OracleError struct{ ErrCode int }
	mssqlError  struct{ number int32 }
	otherError  struct{ Number int }
)

func (e *stateError) Error() string        { return "state " + e.state }
func (e *stateError) SQLState() string     { return e.state }
func (e *MySQLError) Error() string        { return fmt.Sprint("Error ", e.Number) }
func (e *OracleError) Error() string       { return fmt.Sprint("ORA-", e.ErrCode) }
func (e mssqlError) Error() string         { return "mssql: Login failed" }
func (e mssqlError) SQLErrorNumber() int32 { return e.number }
func (e otherError) Error() string         { return fmt.Sprint("28P01 1045 access denied ", e.Number) }

var dialError = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errors.New("connection refused"))}

func TestIsRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nil", nil, false},
		{"wrong password", &stateError{"28P01"}, true},
		{"NOLOGIN, RDS Proxy", &stateError{"28000"}, true},
		{"class 28 of a server to come", &stateError{"28XYZ"}, true},
		{"wrapped", fmt.Errorf("connect: %w", &stateError{"28P01"}), true},
		{"too many connections", &stateError{"53300"}, false},
		{"no such database", &stateError{"3D000"}, false},
		{"no right to the database", &stateError{"42501"}, false},
		{"no state", &stateError{""}, false},
		{"28 elsewhere in the state", &stateError{"42828"}, false},
		{"unreachable", dialError, false},
		{"deadline", context.DeadlineExceeded, false},
		{"canceled", context.Canceled, false},
		{"eof", io.ErrUnexpectedEOF, false},
		{"bad connection", driver.ErrBadConn, false},
		{"several hosts: down, refused", errors.Join(dialError, &stateError{"28P01"}), true},
		{"several hosts: refused, down", errors.Join(&stateError{"28P01"}, dialError), true},
		{"several hosts: starting up, refused", errors.Join(&stateError{"57P03"}, &stateError{"28P01"}), true},
		{"several hosts: starting up, down", errors.Join(&stateError{"57P03"}, dialError), false},
		{"MySQL", &MySQLError{1045}, true},
		{"MySQL, wrapped", fmt.Errorf("connect: %w", &MySQLError{1045}), true},
		{"MySQL, no right to the database", &MySQLError{1044}, false},
		{"MySQL, a nil pointer", (*MySQLError)(nil), false},
		{"MySQL and a deadline", errors.Join(&MySQLError{1045}, context.DeadlineExceeded), false},
		{"MySQL, blocked", &MySQLError{3955}, false},
		{"MariaDB, blocked", &MySQLError{4150}, false},
		{"MariaDB, locked", &MySQLError{4151}, false},
		{"number of another server", &MySQLError{18456}, false},
		{"SQL Server", mssqlError{18456}, true},
		{"SQL Server, locked", mssqlError{18486}, false},
		{"SQL Server, no such database", mssqlError{4060}, false},
		{"Oracle", &OracleError{1017}, true},
		{"Oracle, locked", &OracleError{28000}, false},
		{"Oracle, listener", &OracleError{12514}, false},
		{"text and number of a stranger", otherError{1045}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := sqlcred.IsRefused(test.err); got != test.want {
				t.Errorf("IsRefused(%v): got %v, want %v", test.err, got, test.want)
			}
		})
	}
}
