package rotatetest

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// attributesOf returns what a role is like beside its name, its password and
// its rights: its attributes, and its settings in any database.
func attributesOf(t *testing.T, db *database, role string) []string {
	t.Helper()
	rows, err := db.admin.QueryContext(t.Context(), `
		SELECT format('super %s createdb %s createrole %s replication %s bypassrls %s limit %s until %s',
			rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit, COALESCE(rolvaliduntil, 'infinity'))
			FROM pg_roles WHERE rolname = $1
		UNION ALL SELECT format('%s: %s', COALESCE(d.datname, 'all'), setting)
			FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(setconfig) setting
			WHERE r.rolname = $1`, role)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// TestPostgresCloneAttributes gives the original attributes and settings, and
// expects them of the clone at each of its turns.
func TestPostgresCloneAttributes(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			w := newWorld(t, db, alternating)
			app, clone := quote(w.user), w.user+"_clone"
			schema := quote("Schema " + w.user)
			db.exec(t, "CREATE SCHEMA "+schema+" AUTHORIZATION "+app,
				"CREATE TABLE "+schema+".inside (a int)", "GRANT SELECT ON "+schema+".inside TO "+app,
				"ALTER ROLE "+app+" CREATEDB CREATEROLE BYPASSRLS REPLICATION CONNECTION LIMIT 17 VALID UNTIL '2099-12-31 23:59:59+02'",
				"ALTER ROLE "+app+" SET search_path TO "+schema+", '$user', public, 'it''s', 'a\\b', ''",
				"ALTER ROLE "+app+" SET statement_timeout TO '55s'", "ALTER ROLE "+app+" SET my.setting TO 'x, \"y\" = z'",
				"ALTER ROLE "+app+" IN DATABASE "+quote(db.Database)+" SET work_mem TO '7MB'",
				"ALTER ROLE "+app+" IN DATABASE template1 SET temp_tablespaces TO ''")
			same := func(moment string) {
				t.Helper()
				if got, want := attributesOf(t, db, clone), attributesOf(t, db, w.user); !slices.Equal(got, want) {
					t.Errorf("%s the clone has\n%s\nwant\n%s", moment, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
			w.run()
			same("at first")
			mustExec(t, w.pool("AWSCURRENT"), "SELECT * FROM inside")

			// The original is the one that is altered, whoever's turn it is; what
			// was done to the clone does not last.
			db.exec(t, "ALTER ROLE "+app+" NOCREATEDB CONNECTION LIMIT -1 VALID UNTIL 'infinity'", "ALTER ROLE "+app+" RESET statement_timeout",
				"ALTER ROLE "+app+" SET search_path TO "+schema, "ALTER ROLE "+quote(clone)+" SET lock_timeout TO '1h'",
				"ALTER ROLE "+app+" IN DATABASE template1 RESET ALL")
			before := attributesOf(t, db, w.user)
			w.run()
			if got := attributesOf(t, db, w.user); !slices.Equal(got, before) {
				t.Errorf("at its own turn the original was changed to\n%s", strings.Join(got, "\n"))
			}
			w.run()
			same("after changes")
			mustExec(t, w.pool("AWSCURRENT"), "SELECT * FROM inside")

			// Nothing to copy: nothing is altered but the password.
			w.run()
			w.run()
			same("unchanged")
		})
	}
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// TestPostgresCloneRole has an original with a role of its own that it acts as.
func TestPostgresCloneRole(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "pgx")
	w := newWorld(t, db, alternating)
	owner := w.user + " owner"
	db.exec(t, "CREATE ROLE "+quote(owner), fmt.Sprintf("GRANT %s TO %s", quote(owner), quote(w.user)),
		fmt.Sprintf("ALTER ROLE %s SET role TO %s", quote(w.user), quote(owner)), fmt.Sprintf("GRANT SELECT ON rights TO %s", quote(owner)))
	w.run()
	if got := currentUser(t, w.pool("AWSCURRENT")); got != owner {
		t.Errorf("the clone acts as %q, want %q like the original", got, owner)
	}
}

// TestPostgresSetRoleLater switches SetRole on for a clone that is there.
func TestPostgresSetRoleLater(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "pgx")
	w := newWorld(t, db, alternating)
	w.run()
	if got := currentUser(t, w.pool("AWSCURRENT")); got != w.user+"_clone" {
		t.Errorf("the clone acts as %q", got)
	}
	w.strat.opts.SetRole = true
	w.run()
	w.run()
	if got := currentUser(t, w.pool("AWSCURRENT")); got != w.user {
		t.Errorf("with SetRole the clone acts as %q, want %q", got, w.user)
	}
}

func currentUser(t *testing.T, pool *sql.DB) (user string) {
	t.Helper()
	if err := pool.QueryRowContext(t.Context(), "SELECT current_user").Scan(&user); err != nil {
		t.Fatal(err)
	}
	return user
}
