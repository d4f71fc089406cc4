package pgxcredtest_test

import (
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A login with pgx's package stdlib through package sqlcred holds its password
// back, and is bound to its TLS channel all the same.
func TestStdlibChannelBinding(t *testing.T) {
	t.Parallel()
	r := newRig(t, shared(t), ways[1]) // with channel_binding=require
	db := sql.OpenDB(sqlcred.New(r.client, secretID, func(l sqlcred.Login) (driver.Connector, error) {
		c, err := pgx.ParseConfig(r.connString(""))
		if err != nil {
			return nil, err
		}
		c.User, c.Password = l.Username, l.Password()
		return stdlib.GetConnector(*c), nil
	}, nil))
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(driverConn any) error {
		wire := sqlcred.DriverConn(driverConn).(*stdlib.Conn).Conn().PgConn().Conn()
		if _, ok := wire.(*tls.Conn); !ok {
			t.Errorf("the connection is a %T, want a *tls.Conn", wire)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
