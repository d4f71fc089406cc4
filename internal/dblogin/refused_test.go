package dblogin_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// The other drivers' errors as far as they count here. The real ones are
// tested on real servers, in a module of its own.
type (
	OracleError struct{ ErrCode int }
	mssqlError  struct{ number int32 }
	otherError  struct{ Number int }
)

func (e *OracleError) Error() string       { return fmt.Sprint("ORA-", e.ErrCode) }
func (e mssqlError) Error() string         { return "mssql: Login failed" }
func (e mssqlError) SQLErrorNumber() int32 { return e.number }
func (e otherError) Error() string         { return fmt.Sprint("28P01 1045 access denied ", e.Number) }

var dialError = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errors.New("connection refused"))}

func state(s string) error    { return &stateError{s, "state " + s} }
func number(n uint16) error   { return &MySQLError{n, "message"} }
func connect(err error) error { return fmt.Errorf("connect: %w", err) }

const (
	blocked    = "is blocked after too many failed logins"
	locked     = "is locked"
	expired    = "has a password that expired"
	mustChange = "has a password that must be changed"
)

// TestRefused also holds the two packages to one judgement.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		err     error
		want    bool
		account string // the account's state
	}{
		{"nil", nil, false, ""},
		{"wrong password", state("28P01"), true, ""},
		{"NOLOGIN, RDS Proxy", state("28000"), true, ""},
		{"class 28 of a server to come", state("28XYZ"), true, ""},
		{"wrapped", connect(state("28P01")), true, ""},
		{"too many connections", state("53300"), false, ""},
		{"no such database", state("3D000"), false, ""},
		{"no right to the database", state("42501"), false, ""},
		{"no state", state(""), false, ""},
		{"28 elsewhere in the state", state("42828"), false, ""},
		{"unreachable", dialError, false, ""},
		{"deadline", context.DeadlineExceeded, false, ""},
		{"canceled", context.Canceled, false, ""},
		{"eof", io.ErrUnexpectedEOF, false, ""},
		{"bad connection", driver.ErrBadConn, false, ""},
		{"several hosts: down, refused", errors.Join(dialError, state("28P01")), true, ""},
		{"several hosts: refused, down", errors.Join(state("28P01"), dialError), true, ""},
		{"several hosts: starting up, refused", errors.Join(state("57P03"), state("28P01")), true, ""},
		{"several hosts: refused, starting up", errors.Join(state("28P01"), state("57P03")), true, ""},
		{"several hosts: starting up, down", errors.Join(state("57P03"), dialError), false, ""},
		{"several hosts, wrapped", connect(errors.Join(connect(state("57P03")), connect(state("28P01")))), true, ""},
		{"MySQL", number(1045), true, ""},
		{"MySQL, wrapped", connect(number(1045)), true, ""},
		{"MySQL, no right to the database", number(1044), false, ""},
		{"MySQL, a nil pointer", (*MySQLError)(nil), false, ""},
		{"MySQL and a deadline", errors.Join(number(1045), context.DeadlineExceeded), false, ""},
		{"MySQL, blocked", number(3955), false, blocked},
		{"MySQL, locked", number(3118), false, locked},
		{"MySQL, expired", number(1862), false, expired},
		{"MariaDB, blocked", number(4150), false, blocked},
		{"MariaDB, locked", number(4151), false, locked},
		{"refused and locked", errors.Join(number(1045), number(4151)), false, locked},
		{"number of another server", number(18456), false, ""},
		{"SQL Server", mssqlError{18456}, true, ""},
		{"SQL Server, locked", mssqlError{18486}, false, locked},
		{"SQL Server, expired", mssqlError{18487}, false, expired},
		{"SQL Server, must change", mssqlError{18488}, false, mustChange},
		{"SQL Server, no such database", mssqlError{4060}, false, ""},
		{"Oracle", &OracleError{1017}, true, ""},
		{"Oracle, locked", &OracleError{28000}, false, locked},
		{"Oracle, expired", &OracleError{28001}, false, expired},
		{"Oracle, listener", &OracleError{12514}, false, ""},
		{"text and number of a stranger", otherError{1045}, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, refused := range map[string]func(error) bool{
				"Refused": dblogin.Refused, "sqlcred.IsRefused": sqlcred.IsRefused, "rotate.IsRejected": rotate.IsRejected,
			} {
				if got := refused(test.err); got != test.want {
					t.Errorf("%s(%v): got %v, want %v", name, test.err, got, test.want)
				}
			}
			if got, ok := dblogin.Account(test.err); got.Reason != test.account || ok != (test.account != "") {
				t.Errorf("account: got %v, %v, want %q", got, ok, test.account)
			}
		})
	}
}
