// Package rotatetest runs package rotate against real database servers.
package rotatetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A database is a server that logs its statements, behind a proxy that can cut
// it off. Tests share the server, and have users and a proxy of their own.
type database struct {
	*dbserver.Server
	driver string
	admin  *sql.DB // not through the proxy
	proxy  *proxy
}

// servers are those that the tests share: one of each kind, started when it is
// first needed and stopped by TestMain.
var servers = map[bool]*shared{false: {start: dbtest.Postgres}, true: {start: dbtest.MariaDB}}

// shared is a server that outlives the test for which it was started.
type shared struct {
	start func(testing.TB, *dbserver.Options) *dbserver.Server

	mu    sync.Mutex // guards the fields below
	life  lifetime
	serve *dbserver.Server
}

// get returns the server, or ends the test if it cannot be started.
func (s *shared) get(t *testing.T) *dbserver.Server {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serve == nil {
		s.life.TB = t
		s.serve = s.start(&s.life, &dbserver.Options{LogStatements: true, MaxConnections: 400})
	}
	return s.serve
}

// A lifetime is the test that a shared server is started for, but for its end.
type lifetime struct {
	testing.TB
	cleanups []func()
}

func (l *lifetime) Cleanup(f func()) { l.cleanups = append(l.cleanups, f) }

func (l *lifetime) Context() context.Context { return context.Background() }

// Error is called by a cleanup, when the test is over.
func (l *lifetime) Error(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	stopFailed.Store(true)
}

var stopFailed atomic.Bool

// stopServers stops what was started, and reports whether that went well.
func stopServers() bool {
	for _, s := range servers {
		for _, f := range s.life.cleanups {
			f()
		}
	}
	return !stopFailed.Load()
}

func newDatabase(t *testing.T, driver string) *database {
	t.Helper()
	db := &database{Server: servers[driver == "mysql"].get(t), driver: driver}
	l := rotate.Login{Engine: db.Engine, Host: db.Host, Port: db.Port, Username: db.AdminUser, Database: db.Database, NoTLS: true}
	c, err := rotate.Driver(driver, nil)(l.WithPassword(db.AdminPassword))
	if err != nil {
		t.Fatal(err)
	}
	db.admin = sql.OpenDB(c)
	t.Cleanup(func() { db.admin.Close() })
	rights.Lock()
	defer rights.Unlock()
	db.exec(t, "CREATE TABLE IF NOT EXISTS rights (a int)")
	db.proxy = newProxy(t, db.Addr())
	return db
}

var rights sync.Mutex // PostgreSQL refuses two changes of one table's rights at once

// behind returns the same database behind a proxy of its own, so that cutting it
// off concerns nobody else.
func (db *database) behind(t *testing.T) *database {
	own := *db
	own.proxy = newProxy(t, db.Addr())
	return &own
}

func (db *database) isMariaDB() bool { return db.Engine == "mariadb" }

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

// A strategy is one way to rotate a user.
type strategy struct {
	name   string
	opts   rotate.SQLOptions
	master bool // the secret names a master
	twice  bool // the secret was rotated before, so the clone is there
}

var (
	single      = strategy{name: "single"}
	alternating = strategy{name: "alternating", opts: rotate.SQLOptions{Alternating: true}, master: true}
	back        = strategy{name: "alternating back", opts: rotate.SQLOptions{Alternating: true}, master: true, twice: true}
	two         = strategy{name: "two passwords", opts: rotate.SQLOptions{TwoPasswords: true}, master: true, twice: true}
)

// strategies returns what the server can do.
func (db *database) strategies() []strategy {
	if db.isMariaDB() {
		return []strategy{single, alternating, back, two}
	}
	return []strategy{single, alternating, back}
}

// A world is one user of a database, and the secret of that user.
type world struct {
	*testing.T
	db    *database
	srv   *secretstest.Server
	api   *secretsmanager.Client
	strat strategy
	user  string
}

const (
	secretID = "prod/db"
	masterID = "prod/master"
)

var users atomic.Int32 // how many were made

// newWorld makes a user with the password "first".
func newWorld(t *testing.T, db *database, strat strategy) *world {
	t.Helper()
	w := &world{T: t, db: db, strat: strat}
	w.user = fmt.Sprintf("App %d", users.Add(1)) // a name that needs quoting
	w.makeUser()
	master := ""
	if strat.master {
		master = fmt.Sprintf(` "masterarn": %q,`, masterID)
	}
	w.srv = secretstest.New(t, secretstest.Secrets{
		secretID: w.secret(w.user, "first", master),
		masterID: w.secret(db.AdminUser, db.AdminPassword, ""),
	})
	w.api = w.srv.Client(noRetry)
	if strat.twice {
		w.run()
	}
	return w
}

// makeUser makes the world's user.
func (w *world) makeUser() {
	rights.Lock()
	defer rights.Unlock()
	if w.db.isMariaDB() {
		w.db.exec(w.T, fmt.Sprintf("CREATE USER `%s`@`%%` IDENTIFIED BY 'first'", w.user),
			fmt.Sprintf("GRANT SELECT, INSERT ON `%s`.* TO `%s`@`%%`", w.db.Database, w.user))
		return
	}
	w.db.exec(w.T, fmt.Sprintf(`CREATE ROLE "%s" LOGIN PASSWORD 'first'`, w.user),
		fmt.Sprintf(`GRANT SELECT ON rights TO "%s"`, w.user))
}

func noRetry(o *secretsmanager.Options) { o.RetryMaxAttempts = 1 }

// secret returns the text of a secret, with things in it that have to stay.
func (w *world) secret(user, password, extra string) string {
	return fmt.Sprintf("{\"engine\": %q, \"host\" :%q,\n\t\"port\": \"%d\",%s \"username\": %q, \"n\": 1.50e3, \"password\" : %q, \"ssl\":false, \"dbname\":%q, \"u\":\"\\u00e9\"}\n",
		w.db.Engine, w.db.proxy.host, w.db.proxy.port, extra, user, password, w.db.Database)
}

func (w *world) handler(api rotate.API, open rotate.OpenFunc) rotate.Handler {
	return rotate.Handler{API: api, Rotator: rotator(w.db.Engine, open, w.strat.opts), MaxLag: -1, ResumeAfter: -1}
}

// run rotates the secret.
func (w *world) run() {
	w.Helper()
	if _, err := w.handler(w.api, rotate.Driver(w.db.driver, nil)).Run(w.Context(), secretID); err != nil {
		w.Fatal(err)
	}
}

// credentials returns user and password of a version, or "" if there is none.
func (w *world) credentials(stage string) (user, password string) {
	w.Helper()
	w.srv.ClearFaults()
	out, err := w.api.GetSecretValue(w.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretID), VersionStage: &stage})
	if err != nil {
		return "", ""
	}
	v := rotate.Text(*out.SecretString)
	if user, err = v.Field("username"); err == nil {
		password, err = v.Field("password")
	}
	if err != nil {
		w.Fatal(err)
	}
	return user, password
}

// logsIn says which of some labelled versions log in.
func (w *world) logsIn(stages ...string) []string {
	w.Helper()
	var ok []string
	for _, s := range stages {
		user, password := w.credentials(s)
		if user == "" {
			continue
		}
		err := w.db.try(w.Context(), user, password)
		if err == nil {
			ok = append(ok, s)
		} else if !rotate.IsRejected(err) {
			w.Errorf("%s: %v", s, err)
		}
	}
	return ok
}

// checkRotated checks the secret after a rotation that made version id.
func (w *world) checkRotated(id string) {
	w.Helper()
	if got := w.srv.VersionID(secretID, "AWSCURRENT"); got != id {
		w.Errorf("AWSCURRENT is %s, want %s", got, id)
	}
	want := []string{"AWSCURRENT"}
	if w.strat.opts.Alternating || w.strat.opts.TwoPasswords {
		want = append(want, "AWSPREVIOUS")
	}
	if got := w.logsIn("AWSCURRENT", "AWSPREVIOUS"); !slices.Equal(got, want) {
		w.Errorf("%v log in, want %v", got, want)
	}
	user, password := w.credentials("AWSCURRENT")
	out, err := w.api.GetSecretValue(w.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretID)})
	if err != nil {
		w.Fatal(err)
	}
	master := ""
	if w.strat.master {
		master = fmt.Sprintf(` "masterarn": %q,`, masterID)
	}
	if want := w.secret(user, "x", master); replacePassword(*out.SecretString, password) != want {
		w.Errorf("got %s, want %s", replacePassword(*out.SecretString, password), want)
	}
}

// replacePassword returns the text of a secret with "x" for its password.
func replacePassword(text, password string) string {
	v, err := rotate.Text(text).WithField("password", "x")
	if err != nil || password == "" {
		return "no password"
	}
	s, _ := v.Text()
	return s
}

// checkLog looks for passwords in what the server has logged.
func (db *database) checkLog(t *testing.T, passwords []string) {
	t.Helper()
	for _, name := range slices.Compact([]string{db.LogFile, db.StatementLog}) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		for _, p := range passwords {
			if strings.Contains(string(b), p) {
				hits++
			}
		}
		if hits > 0 {
			t.Errorf("%d of %d new passwords are in %s", hits, len(passwords), name)
		}
		t.Logf("%s: %d of %d new passwords found in %d bytes of log", db.Engine, hits, len(passwords), len(b))
	}
}

// A proxy forwards connections to a server, or cuts them off. It listens all
// the time: a port that is let go may be somebody else's the next moment.
type proxy struct {
	host string
	port int
	to   string

	mu    sync.Mutex // guards off and conns
	off   bool
	conns map[net.Conn]bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	p := &proxy{to: to, conns: make(map[net.Conn]bool)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := l.Addr().(*net.TCPAddr)
	p.host, p.port = a.IP.String(), a.Port
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.forward(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		p.down()
	})
	return p
}

// down resets all connections, and new ones.
func (p *proxy) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	for c := range p.conns {
		reset(c)
	}
	clear(p.conns)
}

// up undoes down.
func (p *proxy) up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}

// add takes note of connections, unless they are to be cut off.
func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.off {
			reset(c)
		} else {
			p.conns[c] = true
		}
	}
	return !p.off
}

func (p *proxy) forward(c net.Conn) {
	defer c.Close()
	if !p.add(c) {
		return
	}
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer s.Close()
	if !p.add(s) {
		return
	}
	go func() {
		io.Copy(s, c)
		s.Close()
		c.Close()
	}()
	io.Copy(c, s)
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, s)
	p.mu.Unlock()
}

// reset closes a connection so that the other side has an error of it.
func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

var errCut = errors.New("cut off by the test")
