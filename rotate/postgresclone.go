package rotate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A role's attributes and settings are no rights, and no member inherits them.
// A clone gets them from its original, each time that it is the clone's turn:
// a search_path or a connection limit that only one of the two has would break
// every second rotation. The original is never given the clone's.

// copyRole returns the statements that make a clone like its original.
func copyRole(ctx context.Context, tx *sql.Tx, original, clone string, setRole bool) ([]string, error) {
	want, err := readRole(ctx, tx, original)
	if err != nil {
		return nil, err
	}
	have, err := readRole(ctx, tx, clone)
	if err != nil {
		return nil, err
	}
	own := setting{name: "role"}
	if i := slices.IndexFunc(want.settings, own.same); i < 0 && setRole {
		own.value = original
		want.settings = append(want.settings, own)
	}
	alter := "ALTER ROLE " + quoteIdent(clone)
	var statements []string
	if clauses := want.attributes.clauses(have.attributes); len(clauses) > 0 {
		statements = append(statements, alter+" "+strings.Join(clauses, " "))
	}
	for _, s := range have.settings {
		if !slices.ContainsFunc(want.settings, s.same) {
			statements = append(statements, alter+s.in()+" RESET "+quoteSetting(s.name))
		}
	}
	for _, s := range want.settings {
		if !slices.Contains(have.settings, s) {
			statements = append(statements, alter+s.in()+" SET "+quoteSetting(s.name)+" TO "+s.quoted())
		}
	}
	return statements, nil
}

// A role holds the attributes and settings that are copied from a role.
type role struct {
	attributes attributes
	settings   []setting
}

// attributes are the attributes of a role that its members do not inherit.
// INHERIT is not among them, because a clone has the original's rights by
// inheritance.
type attributes struct {
	superuser, createDB, createRole, replication, bypassRLS bool

	limit int
	until string // as the session writes it; "infinity" stands for none too
}

// clauses returns the clauses of ALTER ROLE that change have to a.
func (a attributes) clauses(have attributes) []string {
	var clauses []string
	flag := func(name string, want, have bool) {
		switch {
		case want && !have:
			clauses = append(clauses, name)
		case have && !want:
			clauses = append(clauses, "NO"+name)
		}
	}
	flag("SUPERUSER", a.superuser, have.superuser)
	flag("CREATEDB", a.createDB, have.createDB)
	flag("CREATEROLE", a.createRole, have.createRole)
	flag("REPLICATION", a.replication, have.replication)
	flag("BYPASSRLS", a.bypassRLS, have.bypassRLS)
	if a.limit != have.limit {
		clauses = append(clauses, fmt.Sprintf("CONNECTION LIMIT %d", a.limit))
	}
	if a.until != have.until {
		clauses = append(clauses, "VALID UNTIL "+quoteLiteral(a.until))
	}
	return clauses
}

// A setting is one of a role, in one database or in all.
type setting struct {
	database string // empty: in all
	name     string
	value    string
}

// same reports whether o is the same setting, regardless of its value.
func (s setting) same(o setting) bool { return s.database == o.database && s.name == o.name }

func (s setting) in() string {
	if s.database == "" {
		return ""
	}
	return " IN DATABASE " + quoteIdent(s.database)
}

// lists are the settings whose values PostgreSQL keeps as lists of quoted names.
// It has no others: an extension cannot make one.
var lists = []string{
	"local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
	"temp_tablespaces", "unix_socket_directories",
}

// quoted returns the value as SET takes it.
func (s setting) quoted() string {
	if s.name == "role" {
		return quoteIdent(s.value)
	}
	if !slices.Contains(lists, strings.ToLower(s.name)) {
		return quoteLiteral(s.value)
	}
	names := splitNames(s.value)
	for i, n := range names {
		names[i] = quoteLiteral(n)
	}
	return strings.Join(names, ", ")
}

// splitNames splits a list of names that are separated by commas and, if
// necessary, in double quotes.
func splitNames(list string) []string {
	var names []string
	var name strings.Builder
	quoted := false
	for _, c := range list {
		switch {
		case c == '"':
			quoted = !quoted
			if quoted && name.Len() > 0 {
				name.WriteByte('"') // a doubled one, inside
			}
		case quoted:
			name.WriteRune(c)
		case c == ',':
			names = append(names, name.String())
			name.Reset()
		case c != ' ':
			name.WriteRune(c)
		}
	}
	return append(names, name.String())
}

// quoteLiteral quotes a text as PostgreSQL's quote_literal does, for any value
// of standard_conforming_strings.
func quoteLiteral(s string) string {
	if !strings.Contains(s, `\`) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return " E'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(s) + "'"
}

// quoteSetting quotes the name of a setting if necessary. Settings of
// extensions have two parts, with any characters.
func quoteSetting(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == "" {
		return name
	}
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = quoteIdent(p)
	}
	return strings.Join(parts, ".")
}

// readRole reads the attributes and settings of a role to copy.
func readRole(ctx context.Context, tx *sql.Tx, name string) (r role, err error) {
	a := &r.attributes
	err = tx.QueryRowContext(ctx, `SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit,
		COALESCE(rolvaliduntil, 'infinity')::text FROM pg_catalog.pg_roles WHERE rolname = $1`, name).
		Scan(&a.superuser, &a.createDB, &a.createRole, &a.replication, &a.bypassRLS, &a.limit, &a.until)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("read the role's attributes: %w", err)
	}
	rows, err := tx.QueryContext(ctx, `SELECT COALESCE(d.datname, ''), c.setting FROM pg_catalog.pg_db_role_setting s
		JOIN pg_catalog.pg_roles r ON r.oid = s.setrole LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
		CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting) WHERE r.rolname = $1 ORDER BY 1, 2`, name)
	if err != nil {
		return r, fmt.Errorf("read the role's settings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s setting
		var text string
		if err := rows.Scan(&s.database, &text); err != nil {
			return r, fmt.Errorf("read the role's settings: %w", err)
		}
		s.name, s.value, _ = strings.Cut(text, "=")
		r.settings = append(r.settings, s)
	}
	if err := rows.Err(); err != nil {
		return r, fmt.Errorf("read the role's settings: %w", err)
	}
	return r, nil
}
