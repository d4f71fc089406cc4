package sqlcred

import (
	"context"
	"database/sql/driver"
	"net"
	"reflect"
	"time"

	"github.com/seed-74dc7b3e/secrets/gate"
)

// hookPq gives a connector of lib/pq a dialer that wraps connections with
// [gate.Postgres], unless the connector already has a custom dialer.
func hookPq(c driver.Connector) bool {
	v := reflect.ValueOf(c)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Type().Elem().PkgPath() != "github.com/lib/pq" {
		return false
	}
	set, ok := v.Type().MethodByName("Dialer")
	field, has := v.Type().Elem().FieldByName("dialer")
	if !ok || !has || set.Type.NumIn() != 2 || !reflect.TypeFor[pqDialer]().AssignableTo(set.Type.In(1)) {
		return false
	}
	dialer := v.Elem().FieldByIndex(field.Index)
	if dialer.Kind() != reflect.Interface || dialer.IsNil() || dialer.Elem().Type().PkgPath() != "github.com/lib/pq" {
		return false
	}
	v.MethodByName("Dialer").Call([]reflect.Value{reflect.ValueOf(pqDialer{})})
	return true
}

// pqDialer dials like lib/pq's own dialer.
type pqDialer struct{}

func (pqDialer) Dial(network, address string) (net.Conn, error) { return net.Dial(network, address) }

func (pqDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout(network, address, timeout)
}

func (pqDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return gate.Postgres(ctx, conn) // only a *tls.Conn causes an error
}
