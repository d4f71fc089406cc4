package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/integration/redisclients"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The soak of package rediscred: the same load and the same window as with
// databases, through three clients of Redis at a time, each with a user and a
// secret of its own.

// redisServers are what -servers may name, with the client that each stands for.
var redisServers = map[string]redisclients.Kind{
	"redis": redisclients.Kinds[0], "redis-rueidis": redisclients.Kinds[1], "redis-redigo": redisclients.Kinds[2],
}

// splitServers takes the names of Redis clients, and of servers that are no
// databases, out of a list of servers.
func splitServers(list string) (databases string, redis, live []string) {
	var others []string
	for name := range strings.SplitSeq(list, ",") {
		switch _, ok := redisServers[name]; {
		case ok:
			redis = append(redis, name)
		case slices.ContainsFunc(liveServers, func(s liveServer) bool { return s.name == name }):
			live = append(live, name)
		default:
			others = append(others, name)
		}
	}
	return strings.Join(others, ","), redis, live
}

// redisStrategy is a way to rotate.
type redisStrategy struct {
	name   string
	way    string // of -ways
	wrong  int    // wrong logins that a rotation may cost the client
	rotate func(*redisRun, context.Context) error
}

var redisStrategies = []redisStrategy{
	{"single-user", "hand", 1, (*redisRun).byHand},
	{"two-passwords", "rotate", 0, (*redisRun).byFunction},
}

// redisRun is one client, one strategy and one policy.
type redisRun struct {
	*settings
	kind     redisclients.Kind
	strategy redisStrategy
	naive    bool
	report   redisReport

	user   string
	server *dbserver.Server
	fake   *secretstest.Server
	api    *secretsmanager.Client // the rotation's
	now    string                 // the version that is current
	wrong  int                    // the client's refused logins up to now
}

// redisReport is what a run has counted.
type redisReport struct{ report }

func (r *redisReport) String() string {
	return fmt.Sprintf("soak %s: rotations %d, commands %d, failed commands %d, failed connects %d, wrong logins %d, "+
		"api calls per rotation %.1f, slowest connect %dms", r.title, r.rotations, r.queries, r.failedQueries,
		r.failedConnects, r.wrongLogins, r.perRotation(r.apiCalls), r.slowestConnect.Milliseconds())
}

// soakRedis does the runs of the clients that are named, and returns what was
// wrong with them. The clients of one strategy and policy run at the same time,
// on a server that they share.
func (o *settings) soakRedis(ctx context.Context, names []string) error {
	if len(names) == 0 || o.faults || o.maxPasswordErrors > 0 || o.maxLogins != 0 || !strings.Contains(o.scenes, "busy") || ctx.Err() != nil {
		return nil // those are about databases
	}
	server, err := startRedis(ctx, o)
	if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		fmt.Fprintf(os.Stderr, "soak redis: LEFT OUT: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for i, s := range redisStrategies {
		if !slices.Contains(strings.Split(o.ways, ","), s.way) {
			continue
		}
		for _, naive := range []bool{false, true} {
			if naive && s.wrong == 0 || !o.wantsPolicy(naive) {
				continue
			}
			var runs []*redisRun
			for _, name := range names {
				run := newRedisRun(o, name, s, naive)
				run.server, run.user = server, fmt.Sprintf("app-%s-%d-%t", name, i, naive)
				runs = append(runs, run)
			}
			errs = append(errs, doTogether(ctx, runs))
		}
	}
	return errors.Join(append(errs, server.Stop())...)
}

func startRedis(ctx context.Context, o *settings) (*dbserver.Server, error) {
	return dbserver.Redis(ctx, &dbserver.Options{MaxConnections: 3 * o.maxConnections()})
}

// wantsPolicy reports whether -policies names the policy. What sqlcred is for
// databases, rediscred is here.
func (o *settings) wantsPolicy(naive bool) bool {
	name := "sqlcred"
	if naive {
		name = "naive"
	}
	return slices.Contains(strings.Split(o.policies, ","), name)
}

// doTogether does runs at the same time, and prints the reports.
func doTogether(ctx context.Context, runs []*redisRun) error {
	errs := make([]error, len(runs))
	var wg sync.WaitGroup
	for i, r := range runs {
		wg.Go(func() { errs[i] = r.do(ctx) })
	}
	wg.Wait()
	for i, r := range runs {
		fmt.Println(&r.report)
		if errs[i] == nil && !r.naive {
			errs[i] = r.check()
		}
		if r.verbose || errs[i] != nil {
			fmt.Fprint(os.Stderr, r.report.details())
		}
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", r.report.title, errs[i])
		}
	}
	return errors.Join(errs...)
}

func newRedisRun(o *settings, name string, s redisStrategy, naive bool) *redisRun {
	r := &redisRun{settings: o, kind: redisServers[name], strategy: s, naive: naive}
	r.report.title, r.report.rotations = name+" "+s.name, o.rotations
	if s.way == "rotate" {
		r.report.title = "rotate " + r.report.title
		r.report.rotations = min(o.rotations, o.functionRotations)
	}
	if naive {
		r.report.title += " naive"
		r.report.rotations = min(o.rotations, o.naiveRotations)
	}
	return r
}

// check returns what package rediscred promises and the run did not show.
func (r *redisRun) check() error {
	rep := &r.report
	var errs []error
	atMost := func(what string, got, limit int64) {
		if got > limit {
			errs = append(errs, fmt.Errorf("%s: got %d, want at most %d", what, got, limit))
		}
	}
	atMost("failed commands", rep.failedQueries, 0)
	atMost("failed connects", rep.failedConnects, 0)
	// One that is slow to learn of the pending version may ask the server once
	// more whether it takes the current one again.
	atMost("wrong logins of one rotation", int64(rep.mostWrong), int64(2*r.strategy.wrong))
	if rep.rotations >= fewRotations {
		atMost("wrong logins in twenty rotations", int64(20*rep.perRotation(rep.wrongLogins)), int64(21*r.strategy.wrong))
	}
	if rep.queries < int64(rep.rotations) || rep.connects < int64(rep.rotations) {
		errs = append(errs, fmt.Errorf("%d commands and %d connects are no load", rep.queries, rep.connects))
	}
	return errors.Join(errs...)
}

// do does the run.
func (r *redisRun) do(ctx context.Context) error {
	each := r.window + r.gap + 3*time.Second
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(r.report.rotations)*each)
	defer cancel()
	r.fake = secretstest.NewServer(nil)
	defer r.fake.Close()
	r.api = r.fake.ClientFor(secretstest.Identity{ARN: rotatorARN})
	if err := r.create(ctx); err != nil {
		return err
	}
	load, err := newRedisLoad(r)
	if err != nil {
		return err
	}
	start := time.Now()
	load.run(ctx, r.workers, load.command)
	err = r.rotateAll(ctx, load)
	r.report.elapsed = time.Since(start)
	return errors.Join(err, load.close(), r.count(load))
}

// create makes the user and the secret.
func (r *redisRun) create(ctx context.Context) error {
	l := r.login()
	if _, err := r.server.Redis("ACL", "SETUSER", r.user, "on", ">"+l.Password, "~*", "+@all"); err != nil {
		return err
	}
	master := newLogin(r.server, r.server.AdminUser)
	master.Password = r.server.AdminPassword
	for name, l := range map[string]login{secretID + "-master": master, secretID: l} {
		out, err := r.api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: l.text()})
		if err != nil {
			return err
		}
		if name == secretID {
			r.now = *out.VersionId
		}
	}
	return nil
}

// login returns a login of the run's user with a new password.
func (r *redisRun) login() login {
	l := newLogin(r.server, r.user)
	l.Password, l.Master = rand.Text(), secretID+"-master"
	return l
}

func (r *redisRun) rotateAll(ctx context.Context, l *redisLoad) error {
	for i := range r.report.rotations {
		if err := sleep(ctx, r.gap); err != nil {
			return err
		}
		if err := r.strategy.rotate(r, ctx); err != nil {
			return fmt.Errorf("rotation %d: %w", i+1, err)
		}
		if err := r.betweenRotations(ctx, l); err != nil {
			return err
		}
		if err := r.countWrong(i + 1); err != nil {
			return err
		}
	}
	return nil
}

// betweenRotations lets the gap pass. With two passwords it stands for hours:
// by the end of them the client has asked for the secret again, and logins with
// the version before are over. On a slow machine both may take longer than the
// gap.
func (r *redisRun) betweenRotations(ctx context.Context, l *redisLoad) error {
	if r.strategy.wrong == 0 {
		for over := time.Now(); !askedSince(r.fake, over); {
			if err := sleep(ctx, 10*time.Millisecond); err != nil {
				return fmt.Errorf("the client does not ask for the secret: %w", err)
			}
		}
		defer l.settle()
	}
	return sleep(ctx, r.gap)
}

// byHand replaces the user's only password, with a window until the label moves.
func (r *redisRun) byHand(ctx context.Context) error {
	pending := r.fake.PutEmptyPending(secretID)
	if err := sleep(ctx, mrand.N(10*time.Millisecond)); err != nil {
		return err
	}
	next := r.login()
	_, err := r.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(secretID), ClientRequestToken: aws.String(pending),
		SecretString: next.text(), VersionStages: []string{"AWSPENDING"},
	})
	if err != nil {
		return fmt.Errorf("createSecret: %w", err)
	}
	if _, err := r.server.Redis("ACL", "SETUSER", r.user, "resetpass", ">"+next.Password); err != nil {
		return fmt.Errorf("setSecret: %w", err)
	}
	if err := sleep(ctx, mrand.N(r.window+1)); err != nil {
		return err
	}
	if err := finish(ctx, r.api, pending, r.now); err != nil {
		return err
	}
	r.now = pending
	return nil
}

// byFunction has package rotate do it.
func (r *redisRun) byFunction(ctx context.Context) error {
	return rotate.Run(ctx, r.api, secretID, rotate.Redis(nil))
}

// countWrong counts the client's wrong logins in a rotation. Of those that the
// server counted, one in each rotation is setSecret's, which sees whether it is
// done already.
func (r *redisRun) countWrong(rotations int) error {
	n, err := r.server.RefusedLogins(r.user)
	if r.strategy.way == "rotate" {
		n -= rotations
	}
	r.report.mostWrong = max(r.report.mostWrong, n-r.wrong)
	r.wrong = n
	return err
}

// count fills the report in.
func (r *redisRun) count(l *redisLoad) error {
	rep := &r.report
	l.fill(&rep.report)
	rep.apiCalls = r.fake.Count(secretstest.Call{Identity: appARN})
	err := r.countWrong(rep.rotations)
	rep.wrongLogins = r.wrong
	return err
}
