package dblogin

import (
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
)

// Refused reports whether err says that a server refused a login because of
// the user name or the password, so that another password may help.
//
// Refused relies on the codes that servers define. It uses the text of a message
// only if a server defines nothing else:
//
//   - An error about the state of the account, see [Account], is not a refusal.
//   - If errors have an SQLSTATE (a method SQLState() string, as with pgx and
//     lib/pq), one of class 28 is a refusal. A driver that tried several hosts
//     returns the errors of all of them. A refusal by one host counts,
//     regardless of the others: they share the account, so the password is the
//     likely cause. Another version does no harm, and the same version would
//     cost another wrong login.
//   - PgBouncer uses the SQLSTATE 08P01 for all its errors, so their text
//     decides: see [fromBouncer].
//   - Without any SQLSTATE, an error of the network or of a context is not a
//     refusal.
//   - Otherwise these error numbers are refusals: 1045 of MySQL and MariaDB,
//     18456 of SQL Server, 1017 of Oracle.
func Refused(err error) bool {
	if _, ok := Account(err); ok {
		return false
	}
	state, class28 := false, false
	Walk(err, func(err error) {
		if s, ok := err.(interface{ SQLState() string }); ok {
			state = true
			class28 = class28 || strings.HasPrefix(s.SQLState(), "28") || s.SQLState() == "08P01" && fromBouncer(message(err))
		}
	})
	if state || fromNetwork(err) {
		return class28
	}
	_, ok := numbered(err, func(reason string) bool { return reason == wrongPassword })
	return ok
}

// fromBouncer reports whether a message with SQLSTATE 08P01 is a refusal of the
// user or the password, by PgBouncer or by the server behind it. PgBouncer's other
// errors, and real protocol violations, have other texts.
func fromBouncer(message string) bool {
	switch message {
	case "password authentication failed", "SASL authentication failed", "no such user":
		return true
	}
	return strings.HasPrefix(message, passedOn)
}

// passedOn is the beginning of a message with the server's own refusal. PgBouncer
// does not pass on the server's code.
const passedOn = `password authentication failed for user "`

// PassedOn reports whether err is a refusal of PgBouncer's own login at the server
// behind it. That login may have used the password of another client. PgBouncer
// repeats the answer to all clients within its server_login_retry.
func PassedOn(err error) bool {
	found := false
	Walk(err, func(err error) {
		s, ok := err.(interface{ SQLState() string })
		found = found || ok && s.SQLState() == "08P01" && strings.HasPrefix(message(err), passedOn)
	})
	return found
}

// message returns the field Message of an error of pgx or lib/pq, or "".
func message(err error) string {
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer {
		v = v.Elem() // of a nil pointer: the zero Value
	}
	if v.Kind() != reflect.Struct {
		return ""
	}
	f, ok := v.Type().FieldByName("Message")
	if !ok || len(f.Index) > 1 || f.Type.Kind() != reflect.String {
		return "" // not of the error itself
	}
	return v.Field(f.Index[0]).String()
}

// fromNetwork reports whether err is an error of a connection or a context.
func fromNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// A State says why a server refuses an account regardless of the password.
type State struct {
	Reason string // "is locked", "is blocked after too many failed logins", ...
	Number int    // the server's error number
}

// Account reports whether err says that a server refused a login because of the
// state of the account, and returns that state.
func Account(err error) (State, bool) {
	key, ok := numbered(err, func(reason string) bool { return reason != wrongPassword })
	return State{reasons[key], key.number}, ok
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

// numbered searches err's tree for a number whose reason is wanted.
func numbered(err error, wanted func(reason string) bool) (found numberKey, ok bool) {
	Walk(err, func(err error) {
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
	switch e := err.(type) {
	case *rebuilt:
		return e.key, e.key != numberKey{}
	case *rebuiltState:
		return e.key, e.key != numberKey{}
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

// Walk calls visit for err and everything that it wraps.
func Walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	for _, wrapped := range unwrap(err) {
		Walk(wrapped, visit)
	}
}

// unwrap returns what err wraps directly.
func unwrap(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return nil
}
