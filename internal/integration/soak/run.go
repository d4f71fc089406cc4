package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// way is what carries the rotations out.
type way struct {
	name   string
	prefix string // of the title
	new    func(*site) rotator
}

// fits reports whether a way works with a backend: a function of package rotate
// does not write the file that a bouncer reads passwords from.
func (w *way) fits(b *backend) bool {
	return w.prefix == "" || b.bouncer == nil || b.bouncer.AuthQuery
}

var ways = []way{
	{name: "hand", new: newByHand},
	{name: "rotate", prefix: "rotate ", new: newByFunction},
	{name: "overlapping", prefix: "overlapping ", new: newOverlapping},
}

// run is one way to rotate, one server, one strategy and one policy.
type run struct {
	*settings
	way      *way
	backend  *backend
	strategy *strategy
	policy   *policy
	report   report

	user    string // the users' name
	scene   *scene
	server  *dbserver.Server  // nil: the run starts one of its own
	bouncer *dbserver.Bouncer // in front of it; nil: there is none
	seen    *dbserver.Server  // as the client sees it
	fake    *secretstest.Server
	rotator rotator
	wrong   int // the client's refused logins up to now
}

func newRun(o *settings, w *way, b *backend, s *strategy, p *policy, sc *scene) *run {
	title := w.prefix + b.shown() + " " + s.name + sc.suffix()
	if p.suffix != "" {
		title += " " + p.suffix
	}
	if o.maxLogins != 0 {
		title += fmt.Sprintf(" max logins %d", o.maxLogins)
	}
	if o.maxPasswordErrors != 0 && b.countsErrors {
		title += fmt.Sprintf(" max password errors %d", o.maxPasswordErrors)
	}
	if o.faults {
		title += " with faults"
	}
	r := &run{settings: o, way: w, backend: b, strategy: s, policy: p, scene: sc, user: "app"}
	r.report.title, r.report.scene, r.report.plain, r.report.dials = title, sc, b.plain, b.dials
	r.report.rotations = o.rotations
	r.report.givenUp = w.name == "overlapping"
	if p.promises == nil {
		r.report.rotations = min(r.report.rotations, o.naiveRotations)
	}
	if w.prefix != "" {
		r.report.rotations = min(r.report.rotations, o.functionRotations)
	}
	return r
}

// The two callers of Secrets Manager.
const (
	appARN     = "arn:aws:iam::123456789012:user/app"
	rotatorARN = "arn:aws:iam::123456789012:user/rotator"
)

// do does the run, on a server of its own unless it has one. It ends in time: a
// rotation may take some seconds longer than its window, and the whole a minute
// longer.
func (r *run) do(ctx context.Context) (_ *report, err error) {
	each := r.window + r.between() + 3*time.Second
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(r.report.rotations)*each)
	defer cancel()
	if r.server == nil {
		if r.server, err = r.backend.start(ctx, r.settings); err != nil {
			return &r.report, err
		}
		defer func() { err = errors.Join(err, r.server.Stop()) }()
	}
	r.seen = r.server
	if r.backend.bouncer != nil {
		if r.bouncer, err = dbserver.PgBouncer(ctx, r.server, r.backend.bouncer); err != nil {
			return &r.report, err
		}
		defer func() { err = errors.Join(err, r.bouncer.Stop()) }()
		r.seen = r.bouncer.Server
	}
	if r.scene.delay > 0 {
		var n *network
		if r.seen, n, err = farFrom(r.seen, r.scene.delay); err != nil {
			return &r.report, err
		}
		defer n.Close()
	}
	r.fake = secretstest.NewServer(nil)
	defer r.fake.Close()
	return &r.report, r.soak(ctx)
}

// between is the time between two rotations.
func (r *run) between() time.Duration {
	if r.scene.isolated {
		return isolatedGap
	}
	return r.gap
}

// users are the users of the database.
func (r *run) users() []string { return r.strategy.users(r.user) }

// soak rotates under load.
func (r *run) soak(ctx context.Context) error {
	connector, err := r.backend.open(r.server, r.server.AdminUser, r.server.AdminPassword)
	if err != nil {
		return err
	}
	admin := sql.OpenDB(connector)
	defer admin.Close()
	r.rotator = r.way.new(&site{
		fake: r.fake, api: r.fake.ClientFor(secretstest.Identity{ARN: rotatorARN}),
		server: r.server, bouncer: r.bouncer, admin: admin, backend: r.backend, strategy: r.strategy, users: r.users(), window: r.window,
	})
	if err := r.rotator.create(ctx); err != nil {
		return err
	}
	if r.faults {
		r.fake.Fail(randomFaults()...)
	}
	connector, closeClient, err := r.policy.connector(r)
	if err != nil {
		return err
	}
	start := time.Now()
	load, err := r.startLoad(ctx, connector)
	if err != nil {
		return errors.Join(err, closeClient())
	}
	err = r.rotateAll(ctx, load)
	r.report.elapsed = time.Since(start)
	err = errors.Join(err, load.close(), closeClient())
	r.count(load)
	return err
}

func (r *run) startLoad(ctx context.Context, connector driver.Connector) (*load, error) {
	if r.scene.isolated {
		return startEvenLoad(ctx, connector, r.scene.rate())
	}
	return startLoad(ctx, connector, r.workers)
}

// rotateAll does the rotations, with a gap before and after each.
func (r *run) rotateAll(ctx context.Context, l *load) error {
	if err := sleep(ctx, r.between()); err != nil {
		return err
	}
	for i := range r.report.rotations {
		if err := r.rotator.rotate(ctx); err != nil {
			return fmt.Errorf("rotation %d: %w", i+1, err)
		}
		if err := r.betweenRotations(ctx, l); err != nil {
			return err
		}
		if err := r.countWrong(); err != nil {
			return err
		}
	}
	return nil
}

// betweenRotations lets the gap pass, in which the old password may be tried
// for the first time.
//
// With alternating users it stands for hours: the client has asked for the
// secret again by the end of them, and logins with the old version are over.
// On a slow machine both may take longer than the gap.
func (r *run) betweenRotations(ctx context.Context, l *load) error {
	if r.strategy.overlaps && r.policy.promises != nil {
		for over := time.Now(); !askedSince(r.fake, over); {
			if err := sleep(ctx, 10*time.Millisecond); err != nil {
				return fmt.Errorf("the client does not ask for the secret: %w", err)
			}
		}
		defer l.settle()
	}
	return sleep(ctx, r.between())
}

// askedSince reports whether the client has had an answer to a call that it
// made after a point in time.
func askedSince(fake *secretstest.Server, t time.Time) bool {
	calls := fake.Calls(secretstest.Call{Identity: appARN, Outcome: secretstest.OutcomeOK})
	return len(calls) > 0 && calls[len(calls)-1].Time.After(t)
}

// countWrong counts the client's wrong logins in a rotation and in the gap
// after it.
func (r *run) countWrong() error {
	counter := r.server
	if r.bouncer != nil {
		counter = r.bouncer.Server
	}
	n, err := counter.RefusedLogins(r.users()...)
	n -= r.rotator.wrongLogins()
	r.report.mostWrong = max(r.report.mostWrong, n-r.wrong)
	r.wrong = n
	return err
}

// count fills the report in.
func (r *run) count(l *load) {
	rep := &r.report
	l.fill(rep)
	rep.apiCalls = r.fake.Count(secretstest.Call{Identity: appARN})
	if err := r.countWrong(); err != nil {
		rep.errs = append(rep.errs, err.Error())
	}
	rep.wrongLogins = r.wrong
}

// randomFaults strike the service's calls at random, never the rotation's.
func randomFaults() []secretstest.Fault {
	fault := func(p float64, f secretstest.Fault) secretstest.Fault {
		f.Identity, f.Times, f.Probability = appARN, secretstest.Always, p
		return f
	}
	return []secretstest.Fault{
		fault(0.10, secretstest.Fault{}), // throttled
		fault(0.05, secretstest.Fault{Code: "InternalServiceError"}),
		fault(0.03, secretstest.Fault{Drop: true}),
		fault(0.03, secretstest.Fault{Truncate: true}),
		fault(0.03, secretstest.Fault{Garbage: true}),
		fault(0.03, secretstest.Fault{Empty: true}),
		fault(0.10, secretstest.Fault{Latency: 50 * time.Millisecond}),
		fault(0.10, secretstest.Fault{Lag: 100 * time.Millisecond}),
		fault(0.05, secretstest.Fault{Stale: true}),
	}
}
