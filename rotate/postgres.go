package rotate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// postgres is the dialect of PostgreSQL.
type postgres struct{}

func (postgres) name() string { return "PostgreSQL" }
func (postgres) engines() []string {
	return []string{"postgres", "postgresql", "aurora-postgresql"}
}
func (postgres) port() int               { return 5432 }
func (postgres) nameLength(s string) int { return len(s) }
func (postgres) maxName(string) int      { return 63 }
func (postgres) passwordLimit() int      { return 0 }
func (postgres) testQuery() string       { return "SELECT 1" }
func (postgres) alternates() bool        { return true }
func (postgres) twoPasswords() bool      { return false }

func (postgres) dsn(l Login, params url.Values) (string, error) { return l.PostgresURL(params), nil }

func (p postgres) setBoth(context.Context, *session, *session, change, string, func() (bool, error)) error {
	return errors.New("PostgreSQL cannot hold two passwords of a user")
}

func (p postgres) setOwn(ctx context.Context, ses *session, c change) error {
	verifier, err := p.verifier(ctx, ses, c)
	if err != nil {
		return err
	}
	return locked(ctx, ses, c.user, func(tx *sql.Tx) error {
		return run(ctx, tx, "ALTER ROLE "+quoteIdent(c.user)+" PASSWORD "+verifier)
	})
}

// setOther makes the role and its membership in one transaction, so a role that
// exists and logs in is complete. In the same transaction, a clone gets the
// original's attributes before it gets the password.
func (p postgres) setOther(ctx context.Context, _, master *session, like string, c change) error {
	verifier, err := p.verifier(ctx, master, c)
	if err != nil {
		return err
	}
	return locked(ctx, master, c.user, func(tx *sql.Tx) error {
		var one int
		err := tx.QueryRowContext(ctx, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", c.user).Scan(&one)
		missing := errors.Is(err, sql.ErrNoRows)
		if err != nil && !missing {
			return fmt.Errorf("find the role: %w", err)
		}
		if missing {
			err = run(ctx, tx, "CREATE ROLE "+quoteIdent(c.user)+" LOGIN PASSWORD "+verifier,
				"GRANT "+quoteIdent(like)+" TO "+quoteIdent(c.user))
			if err != nil {
				return err
			}
		}
		if missing || strings.HasPrefix(c.user, like) { // not back to the original
			copied, err := copyRole(ctx, tx, like, c.user, c.opts.SetRole)
			if err == nil {
				err = run(ctx, tx, copied...)
			}
			if err != nil || missing {
				return err
			}
		}
		return run(ctx, tx, "ALTER ROLE "+quoteIdent(c.user)+" PASSWORD "+verifier)
	})
}

// locked calls f in a transaction that holds a lock for the user, and commits
// it. Two sessions that change a role at the same time fail otherwise ("tuple
// concurrently updated"), and a step that was cut off may still be running.
func locked(ctx context.Context, ses *session, user string, f func(*sql.Tx) error) error {
	tx, err := ses.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("BEGIN: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	sum := sha256.Sum256([]byte("rotate\x00" + user))
	key := int64(binary.BigEndian.Uint64(sum[:]))
	if _, err := tx.ExecContext(ctx, "SELECT pg_catalog.pg_advisory_xact_lock($1)", key); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("COMMIT: %w", err)
	}
	return nil
}

// run executes statements. An error contains only the first word of the
// statement, because its text contains a verifier.
func run(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			verb, _, _ := strings.Cut(s, " ")
			return fmt.Errorf("%s: %w", verb, err)
		}
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
