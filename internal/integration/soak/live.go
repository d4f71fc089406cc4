package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// The soaks of packages httpcred and tlscred: servers of this process, whose
// credentials rotate under load.

// liveServer is a kind of server, and what its clients do.
type liveServer struct {
	name  string // of -servers
	title string
	uses  string // what a client does
	limit int    // wrong logins of one rotation: all that are under way may be
	start func(*liveRun) (liveSite, error)
}

var liveServers = []liveServer{
	{"http", "http bearer", "requests", liveWorkers, startHTTP},
	{"tls", "tls", "handshakes", 0, startTLS},
}

// A liveSite is a server under load and its clients.
type liveSite interface {
	use(context.Context) error    // one request, or one handshake
	rotate(context.Context) error // one rotation
	wrongLogins() int             // up to now
	close() error
}

// liveWorkers are the goroutines that use a site: they do nothing but wait for it.
const liveWorkers = 10

// liveRun is one site and one policy.
type liveRun struct {
	*settings
	liveServer
	naive  bool
	fake   *secretstest.Server
	report liveReport
	counters
}

// liveReport is what a run has counted.
type liveReport struct {
	report
	uses string
}

func (r *liveReport) String() string {
	return fmt.Sprintf("soak %s: rotations %d, %s %d, failed %s %d, wrong logins %d, api calls per rotation %.1f, slowest %s %dms",
		r.title, r.rotations, r.uses, r.queries, r.uses, r.failedQueries, r.wrongLogins, r.perRotation(r.apiCalls),
		strings.TrimSuffix(r.uses, "s"), r.slowestConnect.Milliseconds())
}

func newLiveRun(o *settings, s liveServer, naive bool) *liveRun {
	r := &liveRun{settings: o, liveServer: s, naive: naive}
	r.report.title, r.report.uses, r.report.rotations = s.title, s.uses, o.rotations
	if naive {
		r.report.title += " naive"
		r.report.rotations = min(o.rotations, o.naiveRotations)
	}
	return r
}

// soakLive does the runs of the servers that are named, and returns what was wrong
// with them.
func (o *settings) soakLive(ctx context.Context, names []string) error {
	if o.faults || o.maxPasswordErrors > 0 || o.maxLogins != 0 || !strings.Contains(o.scenes, "busy") {
		return nil // those are about databases
	}
	var errs []error
	for _, s := range liveServers {
		for _, naive := range []bool{false, true} {
			if !slices.Contains(names, s.name) || !o.wantsPolicy(naive) || ctx.Err() != nil {
				continue
			}
			run := newLiveRun(o, s, naive)
			err := run.do(ctx)
			fmt.Println(&run.report)
			if err == nil && !naive {
				err = run.check()
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", run.report.title, err))
			}
			if o.verbose || err != nil {
				fmt.Fprint(os.Stderr, run.report.details())
			}
		}
	}
	return errors.Join(errs...)
}

// check returns what the packages promise and the run did not show.
func (r *liveRun) check() error {
	rep := &r.report
	var errs []error
	if rep.failedQueries > 0 {
		errs = append(errs, fmt.Errorf("failed %s: got %d, want 0", r.uses, rep.failedQueries))
	}
	if rep.mostWrong > r.limit {
		errs = append(errs, fmt.Errorf("wrong logins of one rotation: got %d, want at most %d", rep.mostWrong, r.limit))
	}
	if rep.queries < int64(liveWorkers*rep.rotations) || r.limit > 0 && rep.wrongLogins == 0 {
		errs = append(errs, fmt.Errorf("%d %s and %d wrong logins are no load", rep.queries, r.uses, rep.wrongLogins))
	}
	return errors.Join(errs...)
}

// do does the run.
func (r *liveRun) do(ctx context.Context) error {
	each := r.window + r.gap + 3*time.Second
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(r.report.rotations)*each)
	defer cancel()
	r.fake = secretstest.NewServer(nil)
	defer r.fake.Close()
	site, err := r.start(r)
	if err != nil {
		return err
	}
	begun := time.Now()
	r.run(ctx, liveWorkers, func() { r.useOnce(site) })
	err = r.rotateAll(ctx, site)
	r.stop()
	r.wait.Wait()
	r.report.elapsed = time.Since(begun)
	r.fill(&r.report.report)
	r.report.apiCalls = r.fake.Count(secretstest.Call{Identity: appARN})
	r.report.wrongLogins = site.wrongLogins()
	return errors.Join(err, site.close())
}

// useOnce uses the site once. That is not cut short when the load ends.
func (r *liveRun) useOnce(site liveSite) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.queries.Add(1)
	ended := r.connect()
	err := site.use(ctx)
	ended(nil)
	if err != nil {
		r.failedQueries.Add(1)
		r.errs.add(strings.TrimSuffix(r.uses, "s"), err)
	}
}

func (r *liveRun) rotateAll(ctx context.Context, site liveSite) error {
	for i := range r.report.rotations {
		if err := sleep(ctx, r.gap); err != nil {
			return err
		}
		before := site.wrongLogins()
		if err := site.rotate(ctx); err != nil {
			return fmt.Errorf("rotation %d: %w", i+1, err)
		}
		r.settle()
		r.report.mostWrong = max(r.report.mostWrong, site.wrongLogins()-before)
	}
	return nil
}
