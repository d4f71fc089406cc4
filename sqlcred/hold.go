package sqlcred

import (
	"context"
	"database/sql/driver"
	"io"
	"net"
	"reflect"
	"strings"

	"github.com/seed-74dc7b3e/secrets/gate"
)

// A holding says at which point a driver waits before it sends a password.
type holding uint8

const (
	holdBefore holding = iota // before it connects
	holdAfter                 // when it has connected
	holdItself                // it calls gate.Hold
)

// context returns the context to give to the driver for a login.
func (h holding) context(ctx context.Context) context.Context {
	if h == holdItself {
		return ctx
	}
	return gate.HoldDials(ctx, h == holdBefore)
}

// holdingOf returns the connector to use in place of c, and how it is held.
//
// It identifies drivers by the package of their connector's type and imports
// none of them. Connectors of pgx and lib/pq get a hook. pgx without a hook, and
// go-sql-driver/mysql, send nothing once the context of a login has ended.
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

// hookPgx returns a copy of a connector of pgx's package stdlib that reads and
// writes through [gate.Postgres]. The hook AfterNetConnect receives the context
// of the login and sets BuildFrontend for this. It cannot return a wrapper of a
// *tls.Conn, because pgx would then not use channel binding.
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
	build := v.FieldByName("ConnConfig").FieldByName("BuildFrontend")
	if !hook.CanSet() || !takesConn(hook.Type()) || !build.IsValid() || !takesStreams(build.Type()) || build.IsNil() {
		return nil, false
	}
	before := v.FieldByName("ConnConfig").FieldByName("AfterNetConnect")
	hook.Set(reflect.MakeFunc(hook.Type(), func(args []reflect.Value) []reflect.Value {
		ctx := args[0].Interface().(context.Context)
		args[1].Elem().FieldByName("BuildFrontend").Set(reflect.MakeFunc(build.Type(), func(streams []reflect.Value) []reflect.Value {
			held, _ := gate.Postgres(ctx, &readWriter{Reader: streams[0].Interface().(io.Reader), Writer: streams[1].Interface().(io.Writer)}) // only a *tls.Conn causes an error
			return build.Call([]reflect.Value{reflect.ValueOf(held), reflect.ValueOf(held)})
		}))
		if !before.IsNil() {
			return before.Call(args)
		}
		return []reflect.Value{args[2], reflect.Zero(errorType)}
	}))
	return hooked.Interface().(driver.Connector), true
}

// pooled reports whether a pgx connector takes its connections from a pool.
func pooled(connector reflect.Value) bool {
	pool := connector.FieldByName("pool")
	return pool.IsValid() && pool.Kind() == reflect.Pointer && !pool.IsNil()
}

// A readWriter presents pgx's reader and writer as the net.Conn that package
// gate needs.
type readWriter struct {
	net.Conn // nil: only Read and Write are used
	io.Reader
	io.Writer
}

func (c *readWriter) Read(p []byte) (int, error)  { return c.Reader.Read(p) }
func (c *readWriter) Write(p []byte) (int, error) { return c.Writer.Write(p) }

// takesStreams reports whether t is the type of BuildFrontend: a function that
// takes a reader and a writer.
func takesStreams(t reflect.Type) bool {
	return t.Kind() == reflect.Func && t.NumIn() == 2 && t.In(0) == reflect.TypeFor[io.Reader]() &&
		t.In(1) == reflect.TypeFor[io.Writer]() && t.NumOut() == 1
}

// takesConn reports whether t is the type of the hook AfterNetConnect: a
// function that takes a context, a configuration and a connection, and returns a
// connection and an error.
func takesConn(t reflect.Type) bool {
	return t.Kind() == reflect.Func && t.NumIn() == 3 && t.In(0) == contextType && t.In(2) == connType &&
		t.In(1).Kind() == reflect.Pointer && t.In(1).Elem().Kind() == reflect.Struct &&
		t.NumOut() == 2 && t.Out(0) == connType && t.Out(1) == errorType
}
