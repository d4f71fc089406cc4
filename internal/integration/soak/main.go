// Soak queries throwaway database servers through one shared *sql.DB, and Redis
// through its clients, while the password rotates, and counts what fails. It prints a line for each server
// and strategy:
//
//	soak postgres single-user: rotations 200, queries 123456, failed queries 0, failed connects 0, wrong logins 210, api calls per rotation 6.1, slowest connect 41ms
//
// and beside it the same for the naive policy: when a login is refused, read
// the secret again, once, and try again, once. Then come lines that begin with
// "soak rotate", where a rotation function of package rotate does the
// rotations; the wrong logins are the client's, without those that the function
// makes to see whether a step is done already.
//
// It ends with status 1 if a query or a connect failed, or if more logins had
// a wrong password than package sqlcred promises. The naive policy promises
// nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// settings are the flags.
type settings struct {
	rotations           int
	naiveRotations      int
	functionRotations   int
	servers, strategies string
	policies, ways      string
	scenes              string
	maxLogins           int
	faults              bool
	maxPasswordErrors   int
	workers             int
	window, gap, ttl    time.Duration
	verbose             bool
}

func (o *settings) flags(f *flag.FlagSet) {
	f.IntVar(&o.rotations, "rotations", 200, "rotations of each run")
	f.IntVar(&o.naiveRotations, "naive-rotations", 50, "rotations of each run of the naive policy, if -rotations is more")
	f.IntVar(&o.functionRotations, "function-rotations", 50, "rotations of each run with package rotate, if -rotations is more")
	f.StringVar(&o.ways, "ways", "hand,rotate", "what rotates: hand (statements and calls of this program), rotate (package rotate), overlapping (hand, and every other rotation is given up)")
	f.StringVar(&o.servers, "servers", "postgres,mariadb,redis,redis-rueidis,redis-redigo,http,tls",
		"servers to run on: postgres (with pgx), postgres-pq (with lib/pq), mariadb, postgres-plain (a driver that cannot be held), postgres-name (pgx as sqlcred.OpenDB opens it), pgbouncer with -pq, -file and -md5 in that order, pgxpool and pgxpool-tls (PostgreSQL with pgxpool), pgbouncer-pgxpool, redis (with go-redis), redis-rueidis, redis-redigo, http, tls")
	f.StringVar(&o.scenes, "scenes", "busy", "what surrounds the rotations: busy (one after the other under load), isolated, isolated-far")
	f.StringVar(&o.strategies, "strategies", "single-user,alternating-users", "ways to rotate")
	f.StringVar(&o.policies, "policies", strings.Join(policyNames(), ","), "clients to run")
	f.IntVar(&o.maxLogins, "maxlogins", 0, "sqlcred.Options.MaxLogins; 0 is its default")
	f.BoolVar(&o.faults, "faults", false, "Secrets Manager throttles, fails and lags at random")
	f.IntVar(&o.maxPasswordErrors, "max-password-errors", 0, "MariaDB's max_password_errors; 0 is its default")
	f.IntVar(&o.workers, "workers", 50, "goroutines that query")
	f.DurationVar(&o.window, "window", 500*time.Millisecond, "longest time between setSecret and finishSecret")
	f.DurationVar(&o.gap, "gap", 200*time.Millisecond, "time between two rotations")
	f.DurationVar(&o.ttl, "ttl", 50*time.Millisecond, "time to live of the secret with alternating users, which has to be shorter than the gap")
	f.BoolVar(&o.verbose, "v", false, "print more figures, and the first errors")
}

func main() {
	var o settings
	o.flags(flag.CommandLine)
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "soak: unexpected argument", flag.Arg(0))
		os.Exit(2)
	}
	mysql.SetLogger(&mysql.NopLogger{}) // it reports each connection that is cancelled

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := soak(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1)
	}
}

// soak does one run after the other and returns what was wrong with them.
func soak(ctx context.Context, o *settings) error {
	databases, redis, live := splitServers(o.servers)
	servers, err1 := pick(slices.Concat(backends, pools), func(b *backend) string { return b.name }, databases)
	strategies, err2 := pick(strategies, func(s *strategy) string { return s.name }, o.strategies)
	policies, err3 := pick(policies, func(p *policy) string { return p.name }, o.policies)
	ways, err4 := pick(ways, func(w *way) string { return w.name }, o.ways)
	scenes, err5 := pick(scenes, func(s *scene) string { return s.name }, o.scenes)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	var errs []error
	run := func(w *way, b *backend, s *strategy, p *policy, sc *scene) {
		if p.promises == nil && w.prefix != "" && len(ways) > 1 || !w.fits(b) || ctx.Err() != nil {
			return // the naive policy shows by hand what it is worth
		}
		if err := o.runOne(ctx, newRun(o, w, b, s, p, sc)); err != nil {
			errs = append(errs, err)
		}
	}
	for _, w := range ways {
		for _, b := range servers {
			for _, s := range strategies {
				for _, sc := range scenes {
					for _, p := range policies {
						run(w, b, s, p, sc)
					}
				}
			}
		}
	}
	return errors.Join(append(errs, o.soakRedis(ctx, redis), o.soakLive(ctx, live), ctx.Err())...)
}

// runOne does one run, prints its report, and returns what was wrong with it.
func (o *settings) runOne(ctx context.Context, run *run) error {
	r, err := run.do(ctx)
	if errors.Is(err, dbserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		fmt.Fprintf(os.Stderr, "soak %s: LEFT OUT: %v\n", r.title, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.title, err)
	}
	fmt.Println(r)
	err = run.policy.check(o, run.strategy, r)
	switch {
	case err != nil:
		fmt.Fprint(os.Stderr, r.details())
		return fmt.Errorf("%s: %w", r.title, err)
	case o.verbose:
		fmt.Print(r.details())
	}
	return nil
}

// pick returns those of all that a list names.
func pick[T any](all []T, name func(*T) string, list string) ([]*T, error) {
	var picked []*T
	if list == "" {
		return nil, nil
	}
	for want := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(&t) == want })
		if i < 0 {
			return nil, fmt.Errorf("nothing is called %q", want)
		}
		picked = append(picked, &all[i])
	}
	return picked, nil
}

// report is what one run has counted.
type report struct {
	scene          *scene
	plain, dials   bool // see backend
	givenUp        bool // every other rotation is given up
	title          string
	rotations      int
	queries        int64
	failedQueries  int64
	failedConnects int64
	wrongLogins    int
	apiCalls       int
	slowestConnect time.Duration

	mostWrong int   // wrong logins of one rotation, at most
	connects  int64 // all of them
	elapsed   time.Duration
	errs      []string // the first error of each kind
}

func (r *report) String() string {
	return fmt.Sprintf("soak %s: rotations %d, queries %d, failed queries %d, failed connects %d, wrong logins %d, "+
		"api calls per rotation %.1f, slowest connect %dms", r.title, r.rotations, r.queries, r.failedQueries,
		r.failedConnects, r.wrongLogins, r.perRotation(r.apiCalls), r.slowestConnect.Milliseconds())
}

// details are the figures that String leaves out.
func (r *report) details() string {
	text := fmt.Sprintf("\twrong logins a rotation: mean %.2f, most %d; connects %d; took %v\n",
		r.perRotation(r.wrongLogins), r.mostWrong, r.connects, r.elapsed.Round(time.Millisecond))
	for _, err := range r.errs {
		text += "\tfirst: " + err + "\n"
	}
	return text
}

func (r *report) perRotation(n int) float64 {
	return float64(n) / math.Max(1, float64(r.rotations))
}
