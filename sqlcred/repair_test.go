package sqlcred_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A logBook is a handler that keeps messages.
type logBook struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// count returns how many messages hold a text.
func (b *logBook) count(text string) int { return strings.Count(b.String(), text) }

func (b *logBook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// outage is a database that refuses everything for a while, and callers.
type outage struct {
	lasts    time.Duration
	patience time.Duration // of a caller; 0: no deadline
	options  sqlcred.Options
	callers  int // 0: ten
	versions int // of the secret with a label: 1, 2 with a previous one, 3 with a pending one
	repaired string
}

// never is when a repair counts as not found.
const never = 20 * time.Minute

// run returns when a login succeeded after the repair, and the logins that were
// refused, from the tenth second of the outage on.
func (o *outage) run(t *testing.T) (found time.Duration, refused int) {
	srv, client := newClient(t, secretOf("app", "zero"))
	if o.versions > 1 {
		srv.Put(secretName, secretOf("app", "one"))
	}
	if o.versions > 2 {
		srv.PutPending(secretName, secretOf("app", "two"))
	}
	server := newFakeDB("app", "another")
	o.options.Logger = slog.New(slog.DiscardHandler)
	c := sqlcred.New(client, secretName, server.opener, &o.options)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := make(chan time.Time, 100)
	var wg sync.WaitGroup
	callers := cmp.Or(o.callers, 10)
	for i := range callers {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 130 * time.Millisecond)
			for ctx.Err() == nil {
				ctx, end := ctx, context.CancelFunc(func() {})
				if o.patience > 0 {
					ctx, end = context.WithTimeout(ctx, o.patience)
				}
				conn, err := c.Connect(ctx)
				end()
				if err == nil {
					conn.Close()
					first <- time.Now()
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	time.Sleep(10 * time.Second)
	server.wrongLogins()
	time.Sleep(o.lasts - 10*time.Second)
	refused = server.wrongLogins()
	repair := time.Now()
	server.setPassword("app", o.repaired)
	select {
	case at := <-first:
		found = at.Sub(repair)
	case <-time.After(never):
		found = never
	}
	time.Sleep(time.Second)
	if got := len(first) + 1; got < callers && found < never {
		t.Errorf("a second after the first %d of %d callers have logged in", got, callers)
	}
	cancel()
	wg.Wait()
	return found, refused
}

// The server refuses every version for a long time. It is asked every five
// seconds, and a repair is found within ten, whatever the patience of the callers.
func TestRepairIsFound(t *testing.T) {
	for _, patience := range []time.Duration{0, time.Second, 3 * time.Second, 30 * time.Second} {
		for versions := 1; versions <= 3; versions++ {
			for _, lasts := range []time.Duration{75 * time.Second, 10 * time.Minute} {
				if lasts > 2*time.Minute && patience != 3*time.Second {
					continue
				}
				o := outage{callers: 5, lasts: lasts, patience: patience, versions: versions, repaired: []string{"", "zero", "one", "one"}[versions]}
				synctest.Test(t, func(t *testing.T) {
					found, refused := o.run(t)
					limit := 10 * time.Second
					if versions == 3 {
						limit = 15 * time.Second // two versions take turns
					}
					if found > limit {
						t.Errorf("%d versions, patience %v, after %v: found after %v, want %v at most", versions, patience, lasts, found, limit)
					}
					if most := int((lasts - 10*time.Second) / (5 * time.Second)); refused > most {
						t.Errorf("%d versions, patience %v: %d refused logins in %v, want %d at most", versions, patience, refused, lasts, most)
					}
				})
			}
		}
	}
}

// A pending version that comes to be accepted is found as well.
func TestRepairByThePendingVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := outage{lasts: 5 * time.Minute, patience: 3 * time.Second, versions: 3, repaired: "two"}
		if found, _ := o.run(t); found > 15*time.Second {
			t.Errorf("found after %v, want 15s at most", found)
		}
	})
}

func TestRetriesPerHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := outage{lasts: time.Hour, patience: 20 * time.Second, callers: 3, versions: 1, repaired: "zero", options: sqlcred.Options{RetriesPerHour: 20}}
		found, refused := o.run(t)
		if refused > 20 || refused < 10 {
			t.Errorf("refused logins in an hour: got %d, want 20 or a few less", refused)
		}
		if found > 8*time.Minute {
			t.Errorf("found after %v, want 6m and a little", found)
		}
	})
}

func TestNoRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := outage{lasts: 10 * time.Minute, patience: 20 * time.Second, callers: 3, versions: 2, repaired: "one", options: sqlcred.Options{RetriesPerHour: -1}}
		if found, refused := o.run(t); refused != 0 || found < never {
			t.Errorf("%d refused logins, found after %v, want none and not at all", refused, found)
		}
	})
}

// The error names the account, the server, what the server said and when, how
// long the call waited and for what; one warning says so, and one note that it is over.
func TestRejectionIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "canary"))
		server := newFakeDB("app", "another")
		var log logBook
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{Logger: log.logger()})
		defer c.Close()
		var err error
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			_, err = c.Connect(ctx)
			cancel()
		}
		for _, want := range []string{secretName, `user "app"`, "db:5432", "28P01", "ago", "waited 2s", "refused every version for"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
		if !errors.As(err, new(*secrets.RejectedError)) || !errors.As(err, new(*stateError)) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a RejectedError with the driver's and the context's", err)
		}
		if got := log.count("level=WARN"); got != 1 {
			t.Errorf("warnings: got %d, want 1: %s", got, log.String())
		}
		server.setPassword("app", "canary")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		connect(ctx, t, c)
		for range 5 {
			connect(t.Context(), t, c)
		}
		if got := log.count("level=INFO"); got != 1 || log.count("level=WARN") != 1 {
			t.Errorf("notes that it is over: got %d, want 1: %s", got, log.String())
		}
		if text := log.String(); strings.Contains(text, "canary") || !strings.Contains(text, "user=app server=db:5432") || !strings.Contains(text, "28P01") {
			t.Errorf("the log says %s", text)
		}
	})
}

// A pending version that the program may not read is named: it may be the one
// that the database wants.
func TestPendingVersionThatMayNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := newClient(t, secretOf("app", "one"))
		srv.PutPending(secretName, secretOf("app", "two"))
		srv.Fail(secretstest.Fault{Op: "GetSecretValue", Stage: secrets.Pending, Times: secretstest.Always, Code: "AccessDeniedException"})
		server := newFakeDB("app", "two")
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{Logger: slog.New(slog.DiscardHandler)})
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := c.Connect(ctx)
		if err == nil || !strings.Contains(err.Error(), "AccessDenied") || !strings.Contains(err.Error(), secrets.Pending) {
			t.Errorf("got %v, want it to name AWSPENDING and the refusal", err)
		}
	})
}

// Queries that queue in database/sql behind connects without a deadline learn
// why, and do not end with the bare error of their context.
func TestQueueBehindConnectsWithoutDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newClient(t, secretOf("app", "one"))
		server := newFakeDB("app", "another")
		c := sqlcred.New(client, secretName, server.opener, &sqlcred.Options{Logger: slog.New(slog.DiscardHandler)})
		db := openDB(t, c)
		db.SetMaxOpenConns(2)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := db.PingContext(context.Background()); !errors.As(err, new(*secrets.RejectedError)) {
					t.Errorf("without a deadline: got %v, want a RejectedError", err)
				}
			})
		}
		synctest.Wait()
		for range 2 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if err := db.PingContext(ctx); !errors.As(err, new(*secrets.RejectedError)) {
					t.Errorf("in the queue: got %v, want a RejectedError", err)
				}
			})
		}
		wg.Wait()
	})
}
