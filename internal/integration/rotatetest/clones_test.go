package rotatetest

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// TestConcurrentDeliveries delivers each step many times at once.
func TestConcurrentDeliveries(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"pgx", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			for _, strat := range db.strategies() {
				t.Run(strat.name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, db, strat)
					for range 5 {
						id := w.srv.PutEmptyPending(secretID)
						failed := 0
						for _, step := range rotate.Steps() {
							var mu sync.Mutex // guards failed
							var wg sync.WaitGroup
							for range 6 {
								wg.Go(func() {
									if err := w.deliver(t.Context(), count(), step, id); err != nil {
										mu.Lock()
										failed++
										mu.Unlock()
									}
								})
							}
							wg.Wait()
							if err := w.deliver(t.Context(), count(), step, id); err != nil {
								t.Fatalf("delivered again: %v", err)
							}
						}
						w.checkRotated(id)
						t.Logf("%d of 24 deliveries failed, and succeeded later", failed)
					}
				})
			}
		})
	}
}

// TestRunAtOnce starts runs from the same version at the same time.
func TestRunAtOnce(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "pgx")
	w := newWorld(t, db, single)
	for range 10 {
		before := w.srv.VersionID(secretID, "AWSCURRENT")
		var mu sync.Mutex // guards won
		won := 0
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := rotate.Run(t.Context(), w.api, secretID, rotate.Postgres(rotate.Driver("pgx", nil), nil))
				if _, busy := errors.AsType[*rotate.InProgressError](err); err != nil && !busy {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		// One that looked only after the first had finished made a rotation of its own.
		if won == 0 || before == w.srv.VersionID(secretID, "AWSCURRENT") {
			t.Errorf("%d of 8 runs went on, want at least one", won)
		}
		if got := w.logsIn("AWSCURRENT"); len(got) != 1 {
			t.Error("AWSCURRENT does not log in")
		}
	}
}

// TestOnlyPreviousWorks has a database that was set back to an older password.
func TestOnlyPreviousWorks(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"pgx", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			w := newWorld(t, db, single)
			w.run()
			if db.isMariaDB() {
				db.exec(t, fmt.Sprintf("SET PASSWORD FOR `%s`@`%%` = PASSWORD('first')", w.user))
			} else {
				db.exec(t, fmt.Sprintf(`ALTER ROLE "%s" PASSWORD 'first'`, w.user))
			}
			if got := w.logsIn("AWSCURRENT", "AWSPREVIOUS"); !slices.Equal(got, []string{"AWSPREVIOUS"}) {
				t.Fatalf("%v log in, want AWSPREVIOUS", got)
			}
			w.run()
			if got := w.logsIn("AWSCURRENT"); len(got) != 1 {
				t.Error("AWSCURRENT does not log in")
			}

			// And one that no version fits any more.
			if db.isMariaDB() {
				db.exec(t, fmt.Sprintf("SET PASSWORD FOR `%s`@`%%` = PASSWORD('lost')", w.user))
			} else {
				db.exec(t, fmt.Sprintf(`ALTER ROLE "%s" PASSWORD 'lost'`, w.user))
			}
			refused, err := db.RefusedLogins(w.user)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.handler(w.api, rotate.Driver(driver, nil)).Run(t.Context(), secretID)
			if !errors.Is(err, rotate.ErrRefused) {
				t.Errorf("got %v, want ErrRefused", err)
			}
			after, err := db.RefusedLogins(w.user)
			if err != nil || after-refused != 4 {
				t.Errorf("got %d wrong logins, %v, want one for each of the three versions, and AWSPENDING again", after-refused, err)
			}
		})
	}
}

// TestPostgresClone looks at the rights of a clone.
func TestPostgresClone(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "pgx")
	for _, setRole := range []bool{false, true} {
		strat := alternating
		strat.opts.SetRole = setRole
		w := newWorld(t, db, strat)
		table := fmt.Sprintf("t%t", setRole)
		db.exec(t, "CREATE TABLE "+table+" (a int)", fmt.Sprintf(`GRANT SELECT ON %s TO "%s"`, table, w.user),
			fmt.Sprintf(`GRANT CREATE ON SCHEMA public TO "%s"`, w.user))
		w.run()
		pool := w.pool("AWSCURRENT")
		mustExec(t, pool, "SELECT * FROM "+table)
		mustExec(t, pool, "CREATE TABLE made_"+table+" (a int)")
		var owner string
		if err := pool.QueryRowContext(t.Context(), "SELECT tableowner FROM pg_tables WHERE tablename = $1", "made_"+table).Scan(&owner); err != nil {
			t.Fatal(err)
		}
		want := w.user + "_clone"
		if setRole {
			want = w.user
		}
		if owner != want {
			t.Errorf("SetRole %t: the clone's table belongs to %q, want %q", setRole, owner, want)
		}
		w.run()
		w.run()
		w.checkRotated(w.srv.VersionID(secretID, "AWSCURRENT"))
	}
}

// TestMariaDBClone compares the grants of a clone with those of the original.
func TestMariaDBClone(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "mysql")
	w := newWorld(t, db, alternating)
	acct := fmt.Sprintf("`%s`@`%%`", w.user)
	db.exec(t, "CREATE TABLE "+db.Database+".t (a int, b int)", "CREATE ROLE `the role`", "GRANT DELETE ON "+db.Database+".t TO `the role`",
		"GRANT `the role` TO "+acct, "SET DEFAULT ROLE `the role` FOR "+acct,
		"GRANT UPDATE (a, b), SELECT (a) ON "+db.Database+".t TO "+acct, "GRANT PROCESS ON *.* TO "+acct,
		"GRANT CREATE ON "+db.Database+".* TO "+acct+" WITH GRANT OPTION",
		"ALTER USER "+acct+" WITH MAX_USER_CONNECTIONS 7 MAX_QUERIES_PER_HOUR 100000")
	w.run()
	clone := fmt.Sprintf("`%s_clone`@`%%`", w.user)
	if got, want := grantsOf(t, db, clone, w.user+"_clone", w.user), grantsOf(t, db, acct, "", ""); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	mustExec(t, w.pool("AWSCURRENT"), "DELETE FROM "+db.Database+".t")

	// What is granted to one later, the other has after the next rotation.
	db.exec(t, "GRANT INDEX ON "+db.Database+".* TO "+clone)
	w.run()
	if got := strings.Join(grantsOf(t, db, acct, "", ""), "\n"); !strings.Contains(got, "INDEX") {
		t.Errorf("got\n%s\nwant INDEX in it", got)
	}
}

// grantsOf returns what the server says of an account, without passwords, and
// with one name in place of another.
func grantsOf(t *testing.T, db *database, acct, name, as string) []string {
	t.Helper()
	rows, err := db.admin.QueryContext(t.Context(), "SHOW GRANTS FOR "+acct)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var g string
		if err := rows.Scan(&g); err != nil {
			t.Fatal(err)
		}
		if before, after, ok := strings.Cut(g, " IDENTIFIED BY PASSWORD '"); ok {
			_, after, _ = strings.Cut(after, "'")
			g = before + after
		}
		if name != "" {
			g = strings.ReplaceAll(g, "`"+name+"`", "`"+as+"`")
		}
		out = append(out, g)
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		t.Fatalf("no grants of %s: %v", acct, err)
	}
	slices.Sort(out)
	return out
}

// pool returns connections with the credentials of a labelled version.
func (w *world) pool(stage string) *sql.DB {
	w.Helper()
	c, err := rotate.Driver(w.db.driver, nil)(w.db.login(w.credentials(stage)))
	if err != nil {
		w.Fatal(err)
	}
	pool := sql.OpenDB(c)
	w.Cleanup(func() { pool.Close() })
	return pool
}

func mustExec(t *testing.T, pool *sql.DB, statement string) {
	t.Helper()
	if _, err := pool.ExecContext(t.Context(), statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

// TestMariaDBCloneLoses has an original that loses rights: with RevokeLost the
// clone loses them at its turn, and the original never those that the clone
// lacks.
func TestMariaDBCloneLoses(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "mysql")
	strat := alternating
	strat.opts.RevokeLost = true
	w := newWorld(t, db, strat)
	acct, clone := fmt.Sprintf("`%s`@`%%`", w.user), fmt.Sprintf("`%s_clone`@`%%`", w.user)
	table, role := db.Database+".`loses`", fmt.Sprintf("`loses %s`", w.user)
	db.exec(t, "CREATE TABLE "+table+" (a int, b int)", "CREATE ROLE "+role, "GRANT "+role+" TO "+acct,
		"GRANT UPDATE (a, b), DELETE ON "+table+" TO "+acct, "GRANT INDEX, CREATE ON "+db.Database+".* TO "+acct+" WITH GRANT OPTION")
	w.run()
	db.exec(t, "REVOKE UPDATE (a), DELETE ON "+table+" FROM "+acct, "REVOKE "+role+" FROM "+acct,
		"REVOKE INDEX, GRANT OPTION ON "+db.Database+".* FROM "+acct, "GRANT PROCESS ON *.* TO "+clone)
	w.run() // back to the original
	w.run()
	if got, want := grantsOf(t, db, clone, w.user+"_clone", w.user), grantsOf(t, db, acct, "", ""); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := strings.Join(grantsOf(t, db, clone, "", ""), "\n"); strings.Contains(got, "DELETE") || !strings.Contains(got, "UPDATE (`b`)") {
		t.Errorf("got\n%s", got)
	}
}
