package sqlcredtest_test

import (
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

const fillSize = 50

// How long a cold pool of 50 takes, beside that of the driver alone with four
// logins at a time, and with one.
func BenchmarkFill(b *testing.B) {
	for _, backend := range backends {
		r := newRig(b, backend, nil)
		plain := func() *sql.DB {
			l := sqlcred.Login{Engine: r.s.Engine, Host: r.s.Host, Port: r.s.Port, Username: r.user, DBName: r.s.Database, TLS: sqlcred.TLSOff}
			c, err := r.open(l.WithPassword("p0"))
			if err != nil {
				b.Fatal(err)
			}
			return sql.OpenDB(c)
		}
		ours := func() *sql.DB { return sql.OpenDB(r.connector(nil)) }
		byName := func() *sql.DB {
			db, err := sqlcred.OpenDB(backend.name, r.client, secretID, nil)
			if err != nil {
				b.Fatal(err)
			}
			return db
		}
		b.Run(backend.name+"/driver, four at a time", func(b *testing.B) { fill(b, plain, 4) })
		b.Run(backend.name+"/driver, one at a time", func(b *testing.B) { fill(b, plain, 1) })
		b.Run(backend.name+"/New", func(b *testing.B) { fill(b, ours, fillSize) })
		b.Run(backend.name+"/OpenDB", func(b *testing.B) { fill(b, byName, fillSize) })
	}
}

func fill(b *testing.B, open func() *sql.DB, atATime int) {
	for b.Loop() {
		db := open()
		db.SetMaxIdleConns(fillSize)
		places := make(chan struct{}, atATime)
		conns := make([]*sql.Conn, fillSize)
		var wg sync.WaitGroup
		for i := range conns {
			wg.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				var err error
				if conns[i], err = db.Conn(b.Context()); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		b.StopTimer()
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
		db.Close()
		time.Sleep(200 * time.Millisecond) // the server is busy ending them
		b.StartTimer()
	}
}
