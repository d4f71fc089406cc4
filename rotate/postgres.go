package rotate

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// postgres is the dialect of PostgreSQL.
type postgres struct{}

func (postgres) name() string { return "PostgreSQL" }
func (postgres) engines() []string {
	return []string{"postgres", "postgresql", "aurora-postgresql"}
}
func (postgres) port() int                                      { return 5432 }
func (postgres) nameLength(s string) int                        { return len(s) }
func (postgres) maxName(string) int                             { return 63 }
func (postgres) twoPasswords() bool                             { return false }
func (postgres) dsn(l Login, params map[string][]string) string { return l.PostgresURL(params) }

func (p postgres) setBoth(context.Context, *session, *session, change, string, func() (bool, error)) error {
	return errors.New("PostgreSQL cannot hold two passwords of a user")
}

func (p postgres) setOwn(ctx context.Context, ses *session, c change) error {
	verifier, err := p.verifier(ctx, ses, c)
	if err != nil {
		return err
	}
	_, err = ses.conn.ExecContext(ctx, "ALTER ROLE "+quoteIdent(c.user)+" PASSWORD "+verifier)
	if err != nil {
		return fmt.Errorf("ALTER ROLE: %w", err)
	}
	return nil
}

// setOther makes the role and its membership in one transaction, so a role
// that is there and logs in is complete.
func (p postgres) setOther(ctx context.Context, _, master *session, like string, c change) error {
	verifier, err := p.verifier(ctx, master, c)
	if err != nil {
		return err
	}
	tx, err := master.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("BEGIN: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	var one int
	err = tx.QueryRowContext(ctx, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", c.user).Scan(&one)
	var statements []string
	switch {
	case err == nil:
		statements = []string{"ALTER ROLE " + quoteIdent(c.user) + " PASSWORD " + verifier}
	case errors.Is(err, sql.ErrNoRows):
		statements = []string{
			"CREATE ROLE " + quoteIdent(c.user) + " LOGIN PASSWORD " + verifier,
			"GRANT " + quoteIdent(like) + " TO " + quoteIdent(c.user),
		}
		if c.opts.SetRole {
			statements = append(statements, "ALTER ROLE "+quoteIdent(c.user)+" SET role TO "+quoteIdent(like))
		}
	default:
		return fmt.Errorf("find the role: %w", err)
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			verb, _, _ := strings.Cut(s, " ")
			return fmt.Errorf("%s: %w", verb, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("COMMIT: %w", err)
	}
	return nil
}

// verifier returns the quoted SCRAM verifier of the new password. A server
// older than 10 would take it for a password, so the version is asked first.
func (postgres) verifier(ctx context.Context, ses *session, c change) (string, error) {
	var text string
	if err := ses.conn.QueryRowContext(ctx, "SHOW server_version_num").Scan(&text); err != nil {
		return "", fmt.Errorf("SHOW server_version_num: %w", err)
	}
	if n, err := strconv.Atoi(text); err != nil || n < 100000 {
		return "", errors.New("the server is not PostgreSQL 10 or later and has no SCRAM-SHA-256")
	}
	v, err := scramVerifier(c.password, newSalt(), cmp.Or(c.opts.Iterations, 4096))
	return "'" + v + "'", err
}

// quoteIdent quotes a name as PostgreSQL's quote_ident does, always.
func quoteIdent(s string) string {
	s, _, _ = strings.Cut(s, "\x00") // cannot be part of a name; the rest would be dropped
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
