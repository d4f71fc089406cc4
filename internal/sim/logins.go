package sim

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// A Use is one use of a version that Try or a connector offered.
type Use struct {
	event   int
	kind    ReadKind
	session *Session
	version *Version

	begin, end time.Duration
	ended      bool
	outcome    Outcome
	wrong      bool // the resource got a password that it does not take
}

// An Outcome is how a use ended.
type Outcome string

const (
	Accepted Outcome = "accepted"
	Refused  Outcome = "refused"
	NoAnswer Outcome = "given up"
)

func (u *Use) String() string {
	return fmt.Sprintf("%-14v %s offers %v: %s at %v", u.begin, u.kind, u.version, u.outcome, u.end)
}

// refusedError is a login that the database refused, as its drivers report it.
type refusedError struct{}

func (refusedError) Error() string    { return "password authentication failed" }
func (refusedError) SQLState() string { return "28P01" }

// use offers a version to the resource.
func (w *World) use(ctx context.Context, s *Session, event int, kind ReadKind, token string) error {
	w.mu.Lock()
	v := w.versions[token]
	u := &Use{event: event, kind: kind, session: s, version: v, begin: w.now()}
	w.uses = append(w.uses, u)
	w.mu.Unlock()
	if v == nil {
		return errors.New("a password that never was")
	}
	h := fnv.New64a()
	fmt.Fprint(h, token, u.begin)
	leg := time.Millisecond + time.Duration(h.Sum64()%uint64(15*time.Millisecond)) // there, and back
	err := pause(ctx, leg)
	if err == nil {
		u.wrong = !w.takes(v)
		err = pause(ctx, leg)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	u.end, u.ended = w.now(), true
	switch {
	case err != nil:
		u.outcome = NoAnswer
	case u.wrong:
		u.outcome, err = Refused, refusedError{}
	default:
		u.outcome = Accepted
	}
	return err
}

// pause blocks for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try does one Try of a stream.
func (w *World) try(ctx context.Context, s *Session, event int) {
	r := w.beginRead(s, event, ReadTry)
	h := handle(s, event, func() *secrets.Ref[payload] { return secrets.Bind[payload](s.client, r.id) })
	r.id = h.ID()
	token, err := secrets.Try(ctx, h, func(ctx context.Context, p payload) (string, error) {
		err := w.use(ctx, s, event, ReadTry, p.Token)
		return p.Token, secrets.RejectedIf(err, func(err error) bool { return errors.As(err, &refusedError{}) })
	})
	w.finish(ctx, r, []string{token}, err)
}

// connect does one Connect of a stream.
func (w *World) connect(ctx context.Context, s *Session, event int) {
	r := w.beginRead(s, event, ReadConnect)
	type connector struct {
		*sqlcred.Connector
		id string
	}
	h := handle(s, event, func() connector {
		return connector{sqlcred.New(s.client, r.id, func(l sqlcred.Login) (driver.Connector, error) {
			token := strings.TrimPrefix(l.Password(), "pw ")
			w.mu.Lock()
			w.opens[opened{s.n, event, token}]++
			w.mu.Unlock()
			return &dbConnector{w: w, s: s, event: event, token: token}, nil
		}, &sqlcred.Options{MaxLogins: w.plan.Events[event].Max, Logger: slog.New(slog.DiscardHandler)}), r.id}
	})
	r.id = h.id
	var tokens []string
	conn, err := h.Connect(ctx)
	if err == nil {
		tokens = []string{conn.(*dbConn).token}
	}
	w.finish(ctx, r, tokens, err)
}

// An opened is a version that a connector in a session makes connections with.
type opened struct {
	session, event int
	token          string
}

// A dbConnector logs in with one version's password.
type dbConnector struct {
	w     *World
	s     *Session
	event int
	token string
}

func (c *dbConnector) Driver() driver.Driver { return dbDriver{} }

func (c *dbConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.w.use(ctx, c.s, c.event, ReadConnect, c.token); err != nil {
		return nil, err
	}
	return &dbConn{c.token}, nil
}

type dbDriver struct{}

func (dbDriver) Open(string) (driver.Conn, error) { return nil, errors.New("not by name") }

// A dbConn is a connection that nothing is done with.
type dbConn struct{ token string }

func (*dbConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("no statements") }
func (*dbConn) Begin() (driver.Tx, error)           { return nil, errors.New("no transactions") }
func (*dbConn) Close() error                        { return nil }
