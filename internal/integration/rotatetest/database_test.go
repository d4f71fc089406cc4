package rotatetest

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/rotate"
)

// A server is shared by the tests, and set up by the first of them.
type server struct {
	*dbtest.Shared
	setUp sync.Once
}

var (
	serverOptions = &dbserver.Options{LogStatements: true, MaxConnections: 400}
	postgres      = &server{Shared: dbtest.SharedPostgres(serverOptions)}
	mariaDB       = &server{Shared: dbtest.SharedMariaDB(serverOptions)}
)

// A database is a server that logs its statements, behind a proxy that can cut
// it off. Tests share the server, and have users and a proxy of their own.
type database struct {
	*dbserver.Server
	driver string
	admin  *sql.DB // not through the proxy
	proxy  *proxy
}

func newDatabase(t *testing.T, driver string) *database {
	t.Helper()
	srv := postgres
	if driver == "mysql" {
		srv = mariaDB
	}
	db := &database{Server: srv.Server(t), driver: driver}
	l := rotate.Login{Engine: db.Engine, Host: db.Host, Port: db.Port, Username: db.AdminUser, Database: db.Database, NoTLS: true}
	c, err := rotate.Driver(driver, nil)(l.WithPassword(db.AdminPassword))
	if err != nil {
		t.Fatal(err)
	}
	db.admin = sql.OpenDB(c)
	t.Cleanup(func() { db.admin.Close() })
	srv.setUp.Do(func() { db.setUp(t) })
	db.proxy = newProxy(t, db.Addr())
	return db
}

// setUp makes the table that every user has the right to read. In PostgreSQL
// they have it as members of a role: the rights of a table are one row, which
// no two transactions can change at the same time.
func (db *database) setUp(t *testing.T) {
	t.Helper()
	db.exec(t, "CREATE TABLE rights (a int)")
	if !db.isMariaDB() {
		db.exec(t, "CREATE ROLE readers", "GRANT SELECT ON rights TO readers",
			fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", db.AdminUser, verifier(db.AdminPassword)))
	}
}

// behind returns the same database behind a proxy of its own, so that cutting it
// off concerns nobody else.
func (db *database) behind(t *testing.T) *database {
	t.Helper()
	own := *db
	own.proxy = newProxy(t, db.Addr())
	return &own
}

func (db *database) isMariaDB() bool { return db.Engine == "mariadb" }

// makeUser makes a user with the password "first".
func (db *database) makeUser(t *testing.T, user string) {
	t.Helper()
	if db.isMariaDB() {
		db.exec(t, fmt.Sprintf("CREATE USER `%s`@`%%` IDENTIFIED BY 'first'", user),
			fmt.Sprintf("GRANT SELECT, INSERT ON `%s`.* TO `%s`@`%%`", db.Database, user))
		return
	}
	db.exec(t, fmt.Sprintf(`CREATE ROLE "%s" LOGIN PASSWORD '%s' IN ROLE readers`, user, verifier("first")))
}

// iterations is a work factor for passwords that need not withstand anything.
// It is the least that lib/pq accepts.
const iterations = 1000

// verifier is what PostgreSQL stores of a password. The server would make one
// that takes four times as long to make and to use.
func verifier(password string) string {
	salt := []byte("0123456789abcdef")
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		panic(err) // the parameters are constant
	}
	stored := sha256.Sum256(keyed(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(keyed(salted, "Server Key")))
}

func keyed(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// rotator returns the rotator for the server.
func rotator(engine string, open rotate.OpenFunc, opts rotate.SQLOptions) rotate.Rotator {
	if engine == "mariadb" {
		return rotate.MySQL(open, &opts)
	}
	return rotate.Postgres(open, &opts)
}

// login returns the login of a user through the proxy.
func (db *database) login(user, password string) rotate.Login {
	host, port := db.proxy.host, db.proxy.port
	return rotate.Login{Engine: db.Engine, Host: host, Port: port, Username: user, Database: db.Database, NoTLS: true}.WithPassword(password)
}

// try logs in and runs a query that needs a right.
func (db *database) try(ctx context.Context, user, password string) error {
	c, err := rotate.Driver(db.driver, nil)(db.login(user, password))
	if err != nil {
		return err
	}
	pool := sql.OpenDB(c)
	defer pool.Close()
	var n int
	return pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM rights").Scan(&n)
}

func (db *database) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.admin.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// checkLog looks for passwords in what the server has logged.
func (db *database) checkLog(t *testing.T, passwords []string) {
	t.Helper()
	for _, name := range slices.Compact([]string{db.LogFile, db.StatementLog}) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		hits := countIn(string(b), passwords)
		if hits > 0 {
			t.Errorf("%d of %d new passwords are in %s", hits, len(passwords), name)
		}
		t.Logf("%s: %d of %d new passwords found in %d bytes of log", db.Engine, hits, len(passwords), len(b))
	}
}

// beginning is how many bytes of a password countIn looks for first.
const beginning = 8

// countIn counts the words, of at least 8 bytes each, that a text holds. It
// reads the text once, however many there are.
func countIn(text string, words []string) int {
	begin := make(map[string][]string)
	for _, w := range words {
		begin[w[:beginning]] = append(begin[w[:beginning]], w)
	}
	found := make(map[string]bool)
	for i := range max(0, len(text)-beginning+1) {
		for _, w := range begin[text[i:i+beginning]] {
			found[w] = found[w] || strings.HasPrefix(text[i:], w)
		}
	}
	hits := 0
	for _, w := range words {
		if found[w] {
			hits++
		}
	}
	return hits
}

// The check of the log is worth something only if it finds what is there.
func TestCountIn(t *testing.T) {
	words := []string{"password-one", "password-two", "12345678"}
	for _, test := range []struct {
		text string
		want int
	}{
		{"", 0}, {"1234567", 0}, {"password-on", 0}, {"password-one", 1}, {"a password-two", 1},
		{"password-onepassword-two12345678", 3}, {"password-password-one 12345678", 2}, {"12345678 12345678", 1},
	} {
		if got := countIn(test.text, words); got != test.want {
			t.Errorf("%q: got %d words, want %d", test.text, got, test.want)
		}
	}
}
