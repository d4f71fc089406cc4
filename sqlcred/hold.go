package sqlcred

import (
	"context"
	"database/sql/driver"
	"net"
	"reflect"
	"strings"

	"github.com/seed-74dc7b3e/secrets/gate"
)

// A holding says how a driver is made to wait before it sends a password.
type holding uint8

const (
	holdBefore holding = iota // before it connects
	holdAfter                 // when it has connected
	holdItself                // it calls gate.Hold
)

// context returns the context of a login of a driver.
func (h holding) context(ctx context.Context) context.Context {
	if h == holdItself {
		return ctx
	}
	return gate.HoldDials(ctx, h == holdBefore)
}

// holdingOf returns the connector to use in place of c, and how it is held.
//
// Drivers are told apart by the package that their connector's type belongs to,
// and none is imported. Those of pgx and lib/pq get a hook; pgx without one and
// go-sql-driver/mysql send nothing when the context of a login has ended.
func holdingOf(c driver.Connector) (driver.Connector, holding) {
	if h, ok := c.(interface{ HoldsPassword() bool }); ok && h.HoldsPassword() {
		return c, holdItself
	}
	if hooked, ok := hookPgx(c); ok {
		return hooked, holdItself
	}
	if hookPq(c) {
		return c, holdItself
	}
	t := reflect.TypeOf(c)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, prefix := range []string{"github.com/jackc/pgx/", "github.com/go-sql-driver/mysql"} {
		if strings.HasPrefix(t.PkgPath()+"/", strings.TrimSuffix(prefix, "/")+"/") {
			return c, holdAfter
		}
	}
	return c, holdBefore
}

var (
	contextType = reflect.TypeFor[context.Context]()
	connType    = reflect.TypeFor[net.Conn]()
	errorType   = reflect.TypeFor[error]()
)

// hookPgx returns a copy of a connector of pgx's package stdlib whose hook
// AfterNetConnect is [gate.Postgres], after the one that it had.
func hookPgx(c driver.Connector) (driver.Connector, bool) {
	v := reflect.ValueOf(c)
	if v.Kind() != reflect.Struct || !strings.HasPrefix(v.Type().PkgPath(), "github.com/jackc/pgx/") {
		return nil, false
	}
	config := v.FieldByName("ConnConfig")
	if !config.IsValid() || config.Kind() != reflect.Struct || !config.FieldByName("AfterNetConnect").IsValid() || pooled(v) {
		return nil, false
	}
	hooked := reflect.New(v.Type()).Elem()
	hooked.Set(v)
	hook := hooked.FieldByName("ConnConfig").FieldByName("AfterNetConnect")
	if !hook.CanSet() || !takesConn(hook.Type()) {
		return nil, false
	}
	before := v.FieldByName("ConnConfig").FieldByName("AfterNetConnect")
	hook.Set(reflect.MakeFunc(hook.Type(), func(args []reflect.Value) []reflect.Value {
		conn := args[2]
		if !before.IsNil() {
			results := before.Call(args)
			if !results[1].IsNil() || results[0].IsNil() {
				return results
			}
			conn = results[0]
		}
		wrapped, err := gate.Postgres(args[0].Interface().(context.Context), conn.Interface().(net.Conn))
		return []reflect.Value{reflect.ValueOf(&wrapped).Elem(), reflect.ValueOf(&err).Elem()}
	}))
	return hooked.Interface().(driver.Connector), true
}

// pooled reports whether a connector of pgx takes its connections from a pool.
func pooled(connector reflect.Value) bool {
	pool := connector.FieldByName("pool")
	return pool.IsValid() && pool.Kind() == reflect.Pointer && !pool.IsNil()
}

// takesConn reports whether t is the type of the hook: a function that takes a
// context, a configuration and a connection, and returns a connection and an
// error.
func takesConn(t reflect.Type) bool {
	return t.Kind() == reflect.Func && t.NumIn() == 3 && t.In(0) == contextType && t.In(2) == connType &&
		t.NumOut() == 2 && t.Out(0) == connType && t.Out(1) == errorType
}
