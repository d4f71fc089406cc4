package sqlcred_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// dsnDriver is a registered driver that notes its DSNs.
type dsnDriver struct {
	fussy  bool // takes DSNs in its own form only
	opened *[]string
}

func (d dsnDriver) Open(dsn string) (driver.Conn, error) {
	*d.opened = append(*d.opened, dsn)
	return &fakeConn{db: newFakeDB()}, nil
}

type contextDriver struct{ dsnDriver }

func (d contextDriver) OpenConnector(dsn string) (driver.Connector, error) {
	if d.fussy && !strings.HasPrefix(dsn, "oracle://") {
		return nil, errors.New("no DSN of mine")
	}
	return contextConnector{d, dsn}, nil
}

type contextConnector struct {
	driver contextDriver
	dsn    string
}

func (c contextConnector) Connect(context.Context) (driver.Conn, error) {
	return c.driver.Open("by connector " + c.dsn)
}
func (c contextConnector) Driver() driver.Driver { return c.driver }

var oldDSNs, newDSNs, fussyDSNs []string

func init() {
	sql.Register("test-old", dsnDriver{opened: &oldDSNs})
	sql.Register("test-new", contextDriver{dsnDriver{opened: &newDSNs}})
	sql.Register("test-fussy", contextDriver{dsnDriver{opened: &fussyDSNs, fussy: true}})
}

func TestOpenDB(t *testing.T) {
	const managed = `{"username":"app","password":"one"}`
	for _, test := range []struct {
		driver, engine string
		opened         *[]string
		want           string
	}{
		{"test-old", "postgres", &oldDSNs, `host='db' port='5432' user='app' password='one' connect_timeout='5'`},
		{"test-new", "mysql", &newDSNs, "by connector app:one@tcp(db:5432)/?connect_timeout=5"},
		{"test-fussy", "oracle", &fussyDSNs, "by connector oracle://app:one@db:5432/?connect_timeout=5"},
	} {
		t.Run(test.driver, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				*test.opened = nil
				_, client := newClient(t, managed)
				o := &sqlcred.Options{Engine: test.engine, Host: "db", Port: 5432, Params: map[string]string{"connect_timeout": "5"}}
				db, err := sqlcred.OpenDB(test.driver, client, secretName, o)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				o.Params["connect_timeout"] = "changed" // too late
				for range 2 {
					if err := db.PingContext(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if !slices.Equal(*test.opened, []string{test.want}) {
					t.Errorf("opened %q, want %q", *test.opened, test.want)
				}
			})
		})
	}
}

func TestOpenDBDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		db, err := sqlcred.OpenDB("test-old", client, secretName, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, ok := db.Driver().(dsnDriver); !ok {
			t.Errorf("driver: got %T, want the registered one", db.Driver())
		}
	})
}

func TestOpenDBErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, `{"engine":"mongo","username":"app","password":"canary"}`)
		if _, err := sqlcred.OpenDB("pgx", client, secretName, nil); err == nil || !strings.Contains(err.Error(), `"pgx"`) {
			t.Errorf("a driver that is not registered: got %v", err)
		}
		db, err := sqlcred.OpenDB("test-old", client, secretName, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), `"mongo"`) {
			t.Errorf("an engine that is not known: got %v", err)
		}
	})
}
