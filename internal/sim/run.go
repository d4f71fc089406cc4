package sim

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lateBy is for how long readers and Close may go on after the end.
const lateBy = 30 * time.Minute

// Run runs a plan and returns its history, with what was found while it ran.
func Run(t *testing.T, p *Plan) (w *World) {
	seedChance(p.Seed)
	before := runtime.NumGoroutine()
	defer func() {
		if p := recover(); p != nil {
			if !strings.Contains(fmt.Sprint(p), "deadlock") {
				panic(p)
			}
			w.trouble(Leak, "goroutines are blocked for good: %v", p)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(p)
		r := &runner{w: w, session: w.open()}
		r.run(context.Background())
		w.settle()
		synctest.Wait()
		const own = 2 // the bubble has goroutines for the test and for what runs here
		if n := runtime.NumGoroutine() - before - own; n > 0 {
			w.trouble(Leak, "%d goroutines are left after Close:\n%s", n, stacks())
		}
	})
	return w
}

// settle waits for the calls that the client has given up, since the API ignored
// its context: their goroutines are the API's.
func (w *World) settle() {
	const most = 24 * time.Hour
	for end := w.now() + most; w.underway() && w.now() < end; {
		time.Sleep(time.Second)
	}
}

func (w *World) underway() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.calls, func(c *Call) bool { return !c.ended })
}

func stacks() string {
	buf := make([]byte, 1<<16)
	return string(buf[:runtime.Stack(buf, true)])
}

// trouble notes what is found while the simulation runs.
func (w *World) trouble(rule Rule, format string, args ...any) {
	at := time.Duration(never)
	if rule != Leak {
		at = w.now()
	}
	w.troubles = append(w.troubles, Violation{Rule: rule, At: at, Text: fmt.Sprintf(format, args...)})
}

// A runner makes a plan happen.
type runner struct {
	w *World

	mu      sync.Mutex // guards session
	session *Session
	closers sync.WaitGroup
}

func (r *runner) current() *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session
}

func (r *runner) run(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range r.w.plan.Events {
		e := r.w.plan.Events[i]
		for n := range max(1, e.Par) {
			apart := time.Duration(n) * 997 * time.Nanosecond // what happens at one instant happens in any order
			wg.Go(func() { r.event(ctx, i, apart) })
		}
	}
	wg.Go(func() {
		r.sleep(r.w.plan.End)
		r.w.close(r.current())
	})
	done := make(chan struct{})
	go func() {
		wg.Wait()
		r.closers.Wait()
		close(done)
	}()
	late := time.NewTimer(r.w.plan.End + lateBy)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		r.hung()
	}
}

// hung tells who does not return.
func (r *runner) hung() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	var who []string
	for _, read := range r.w.reads {
		if !read.ended {
			who = append(who, read.String())
		}
	}
	for _, s := range r.w.sessions {
		if s.closing != never && s.closed == never {
			who = append(who, fmt.Sprintf("%v Close", s.closing))
		}
	}
	r.w.trouble(Hangs, "not returned long after the end:\n%s", strings.Join(who, "\n"))
}

// sleep waits until a moment.
func (r *runner) sleep(until time.Duration) { time.Sleep(until - r.w.now()) }

// event makes one event happen.
func (r *runner) event(ctx context.Context, i int, apart time.Duration) {
	w, e := r.w, r.w.plan.Events[i]
	if e.At >= w.plan.End {
		return
	}
	r.sleep(e.At + apart)
	switch e.Kind {
	case Reads:
		r.stream(ctx, i, w.read)
	case Tries:
		r.stream(ctx, i, w.try)
	case Connects:
		r.stream(ctx, i, w.connect)
	case Watch:
		r.watch(ctx, i)
	case Refresh:
		ctx, cancel := e.timeout(ctx)
		defer cancel()
		r.guarded(func() { r.current().client.Refresh(ctx, w.idOf(w.secrets[e.Secret], e.ID)) })
	case Prefetch:
		r.prefetch(ctx, e)
	case State:
		ctx, cancel := e.timeout(ctx)
		defer cancel()
		r.guarded(func() { r.current().client.RotationState(ctx, w.idOf(w.secrets[e.Secret], e.ID)) })
	case Reopen:
		r.reopen()
	case Fault, Lag, Slow:
	default:
		w.apply(e)
	}
}

// stream reads over and over.
func (r *runner) stream(ctx context.Context, i int, read func(context.Context, *Session, int)) {
	e := r.w.plan.Events[i]
	until := min(e.At+e.For, r.w.plan.End)
	for r.w.now() < until {
		ctx, cancel := e.timeout(ctx)
		r.guarded(func() { read(ctx, r.current(), i) })
		cancel()
		time.Sleep(min(e.Every, until-r.w.now()))
	}
}

// guarded reports a panic of the client in its caller's goroutine.
func (r *runner) guarded(call func()) {
	defer func() {
		if p := recover(); p != nil {
			r.w.mu.Lock()
			defer r.w.mu.Unlock()
			r.w.trouble(Panicked, "%v\n%s", p, debug.Stack())
		}
	}()
	call()
}

// watch watches, anew when the client was closed.
func (r *runner) watch(ctx context.Context, i int) {
	e := r.w.plan.Events[i]
	ctx, cancel := context.WithTimeout(ctx, e.For)
	defer cancel()
	for ctx.Err() == nil && r.w.now() < r.w.plan.End {
		r.guarded(func() { r.w.watch(ctx, r.current(), i) })
		time.Sleep(time.Millisecond)
	}
}

func (r *runner) prefetch(ctx context.Context, e Event) {
	ctx, cancel := e.timeout(ctx)
	defer cancel()
	var ids []string
	for _, s := range r.w.secrets {
		ids = append(ids, r.w.idOf(s, e.ID))
	}
	r.guarded(func() { r.current().client.Prefetch(ctx, ids...) })
}

// reopen closes the client and goes on with a new one.
func (r *runner) reopen() {
	s := r.w.open()
	r.mu.Lock()
	old := r.session
	r.session = s
	r.mu.Unlock()
	r.closers.Go(func() { r.w.close(old) })
}
