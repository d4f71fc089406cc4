package sqlcredtest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jmoiron/sqlx"
	gormpg "gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// An orm queries through a library that takes a pool.
type orm struct {
	name string
	open func(t *testing.T, r *rig) (query func(context.Context) error)
}

var orms = []orm{
	{"gorm", func(t *testing.T, r *rig) func(context.Context) error {
		pool := r.pool(t)
		db, err := gorm.Open(gormpg.New(gormpg.Config{Conn: pool}), &gorm.Config{Logger: logger.Discard})
		if err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error {
			var n int
			return db.WithContext(ctx).Raw("SELECT 1").Scan(&n).Error
		}
	}},
	{"sqlx", func(t *testing.T, r *rig) func(context.Context) error {
		db := sqlx.NewDb(r.pool(t), "pgx")
		return func(ctx context.Context) error {
			var n int
			return db.GetContext(ctx, &n, "SELECT 1")
		}
	}},
	{"ent", func(t *testing.T, r *rig) func(context.Context) error {
		// The line of a program goes on: ent.NewClient(ent.Driver(drv)).
		drv := entsql.OpenDB(dialect.Postgres, r.pool(t))
		return func(ctx context.Context) error {
			var rows entsql.Rows
			if err := drv.Query(ctx, "SELECT 1", []any{}, &rows); err != nil {
				return err
			}
			return rows.Close()
		}
	}},
}

// GORM, sqlx and ent take a pool of sqlcred in one line, and no query fails
// while the password rotates.
func TestORMsThroughRotations(t *testing.T) {
	t.Parallel()
	for _, o := range orms {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, backends[0], nil)
			query := o.open(t, r)
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for ctx.Err() == nil {
						if err := query(context.WithoutCancel(ctx)); err != nil {
							t.Error(err)
						}
						time.Sleep(5 * time.Millisecond)
					}
				})
			}
			for range 3 {
				finish := r.setSecret()
				time.Sleep(150 * time.Millisecond)
				finish()
				time.Sleep(150 * time.Millisecond)
			}
			stop()
			wg.Wait()
			if got := r.wrongLogins(); got > 6 {
				t.Errorf("wrong logins in 3 rotations: got %d, want one or two in each", got)
			}
		})
	}
}
