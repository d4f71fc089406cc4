package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// stateError is an error of pgx or lib/pq.
type stateError string

func (e stateError) Error() string    { return "state " + string(e) }
func (e stateError) SQLState() string { return string(e) }

// MySQLError looks like the one of go-sql-driver/mysql.
type MySQLError struct {
	Number   uint16
	SQLState [5]byte
	Message  string
}

func (e *MySQLError) Error() string { return fmt.Sprint(e.Number) }

func TestIsRejected(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("password authentication failed"), false},
		{stateError("28P01"), true},
		{stateError("28000"), true},
		{stateError("53300"), false},
		{stateError("42501"), false},
		{stateError("3D000"), false},
		{fmt.Errorf("connect: %w", stateError("28P01")), true},
		{errors.Join(dial, stateError("28P01")), true},
		{errors.Join(stateError("28P01"), dial), true},
		{errors.Join(stateError("57P03"), stateError("28P01")), true}, // several hosts, one of which refused
		{dial, false},
		{context.DeadlineExceeded, false},
		{fmt.Errorf("%w: %w", context.Canceled, &MySQLError{Number: 1045}), false},
		{&MySQLError{Number: 1045}, true},
		{fmt.Errorf("open: %w", errors.Join(errors.New("x"), &MySQLError{Number: 1045})), true},
		{(*MySQLError)(nil), false},
		{&MySQLError{Number: 1044}, false},
		{&MySQLError{Number: 1862}, false},
		{&MySQLError{Number: 3118}, false},
		{&MySQLError{Number: 3955}, false},
		{&MySQLError{Number: 4150}, false},
		{&MySQLError{Number: 4151}, false},
	} {
		if got := rotate.IsRejected(tt.err); got != tt.want {
			t.Errorf("%#v: got %t, want %t", tt.err, got, tt.want)
		}
	}
}
