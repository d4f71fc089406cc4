// Package rotatetest runs package rotate against real database servers.
package rotatetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

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
	db.makeUser(t, w.user)
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
		if w.stageLogsIn(s) {
			ok = append(ok, s)
		}
	}
	return ok
}

// anyLogsIn says whether one of some labelled versions logs in, and tries no
// more when it has found it.
func (w *world) anyLogsIn(stages ...string) bool {
	w.Helper()
	return slices.ContainsFunc(stages, w.stageLogsIn)
}

// stageLogsIn says whether there is a version with the label and it logs in.
func (w *world) stageLogsIn(stage string) bool {
	w.Helper()
	user, password := w.credentials(stage)
	if user == "" {
		return false
	}
	err := w.db.try(w.Context(), user, password)
	if err != nil && !rotate.IsRejected(err) {
		w.Errorf("%s: %v", stage, err)
	}
	return err == nil
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
