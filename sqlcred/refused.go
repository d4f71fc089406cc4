package sqlcred

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
)

// An AccountError reports that the server turned a login away because of the
// state of the account and not because of its password: it is blocked after
// too many wrong passwords, or locked, or its password has expired. Another
// version of the secret would not help, so none is tried.
type AccountError struct {
	Username string
	Reason   string // "is locked", "is blocked after too many failed logins", ...
	Number   int    // the server's number for it
	Err      error  // what the driver returned
}

func (e *AccountError) Error() string {
	return fmt.Sprintf("sqlcred: the account of user %q %s: %v", e.Username, e.Reason, e.Err)
}

// Unwrap returns the driver's error.
func (e *AccountError) Unwrap() error { return e.Err }

// IsRefused reports whether err says that a server refused a login because of
// the user name or the password.
//
// It goes by what servers define and never by the text of a message: an error
// with a method SQLState() string, as pgx and lib/pq have, is a refusal if it
// is of class 28; if there is none, an error of the network or of a context
// is no refusal; then the numbers count that the drivers for MySQL and MariaDB
// (1045), SQL Server (18456) and Oracle (1017) report. When a driver tried
// several hosts, a refusal by one of them is a refusal.
func IsRefused(err error) bool {
	state, class28 := false, false
	walk(err, func(err error) {
		if s, ok := err.(interface{ SQLState() string }); ok {
			state = true
			class28 = class28 || strings.HasPrefix(s.SQLState(), "28")
		}
	})
	if state || fromNetwork(err) {
		return class28
	}
	_, ok := numbered(err, func(reason string) bool { return reason == wrongPassword })
	return ok
}

// fromNetwork reports whether err has to do with a connection or a context.
func fromNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// accountError returns err as an error of the account, or nil if it is none.
func accountError(err error, username string) *AccountError {
	key, ok := numbered(err, func(reason string) bool { return reason != wrongPassword })
	if !ok {
		return nil
	}
	return &AccountError{Username: username, Reason: reasons[key], Number: key.number, Err: err}
}

// numberKey is an error number of one kind of server.
type numberKey struct {
	server string
	number int
}

const (
	wrongPassword = "" // the one reason that is not the account's
	blocked       = "is blocked after too many failed logins"
	locked        = "is locked"
	expired       = "has a password that expired"
	mustChange    = "has a password that must be changed"
)

// reasons are the numbers with which servers refuse a login.
var reasons = map[numberKey]string{
	{"mysql", 1045}:      wrongPassword,
	{"mysql", 1862}:      expired, // MySQL and MariaDB
	{"mysql", 3118}:      locked,  // MySQL
	{"mysql", 3955}:      blocked, // MySQL
	{"mysql", 4150}:      blocked, // MariaDB
	{"mysql", 4151}:      locked,  // MariaDB
	{"sqlserver", 18456}: wrongPassword,
	{"sqlserver", 18486}: locked,
	{"sqlserver", 18487}: expired,
	{"sqlserver", 18488}: mustChange,
	{"oracle", 1017}:     wrongPassword,
	{"oracle", 28000}:    locked,
	{"oracle", 28001}:    expired,
}

// numbered looks through err for a number whose reason is wanted.
func numbered(err error, wanted func(reason string) bool) (found numberKey, ok bool) {
	walk(err, func(err error) {
		key, known := number(err)
		if reason, listed := reasons[key]; known && listed && !ok && wanted(reason) {
			found, ok = key, true
		}
	})
	return found, ok
}

// number reads the server's number out of a driver's error, without importing
// the driver: mysql.MySQLError{Number}, mssql.Error{SQLErrorNumber()} and
// network.OracleError{ErrCode} (go-ora).
func number(err error) (key numberKey, ok bool) {
	if e, is := err.(interface{ SQLErrorNumber() int32 }); is {
		return numberKey{"sqlserver", int(e.SQLErrorNumber())}, true
	}
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer {
		v = v.Elem() // of a nil pointer: the zero Value
	}
	if v.Kind() != reflect.Struct {
		return numberKey{}, false
	}
	server, field := "", ""
	switch v.Type().Name() {
	case "MySQLError":
		server, field = "mysql", "Number"
	case "OracleError":
		server, field = "oracle", "ErrCode"
	default:
		return numberKey{}, false
	}
	f := v.FieldByName(field)
	switch {
	case f.CanInt():
		return numberKey{server, int(f.Int())}, true
	case f.CanUint():
		return numberKey{server, int(f.Uint())}, true
	}
	return numberKey{}, false
}

// walk calls visit for err and everything that it wraps.
func walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			walk(err, visit)
		}
	}
}
