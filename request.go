package secrets

import (
	"context"
	"strings"
	"sync/atomic"
	"time"
)

// A request is one call of the API, to be counted and told of.
type request struct {
	op     string
	n      *atomic.Uint64 // counts calls of its operation
	id     string         // what it asks for
	ids    []string       // the same, of a batch
	region string         // where it is asked; "" if there is but one
	call   uint64         // its number; 0: nobody is told of it
	began  time.Time
}

// begin counts the call, and numbers it if anybody is told of it.
func (q *request) begin(ctx context.Context, f *fetcher) {
	q.n.Add(1)
	if f.events.hook == nil {
		return
	}
	q.call, q.began = f.calls.Add(1), time.Now()
	if fl, ok := ctx.Value(flightKey{}).(*flight); ok {
		fl.call.Store(q.call)
	}
}

// ended counts the failure of the call, and tells of it. arn is what the answer
// says, "" if that is nothing.
func (q *request) ended(ctx context.Context, f *fetcher, arn string, err error) {
	var class FailureClass
	if err != nil {
		class = ClassOf(err)
		f.counts.errors.Add(1)
		f.counts.classes.of(class).Add(1)
	}
	if q.call != 0 {
		q.tell(ctx, f, class, arn, err)
	}
}

//go:noinline
func (q *request) tell(ctx context.Context, f *fetcher, class FailureClass, arn string, err error) {
	e := &Event{
		Kind: EventCall, Time: q.began, Operation: q.op, Duration: time.Since(q.began), Call: q.call,
		Region: q.region, Secret: q.id, ARN: arn, Secrets: q.ids, Class: class, Err: err, ctx: &ctx,
	}
	f.events.push(e)
}

// arnOf returns the ARN that an answer is about, "" if that is nothing, or several.
func arnOf(answer any) string {
	switch a := answer.(type) {
	case *Secret:
		if a != nil {
			return a.v.arn
		}
	case *description:
		if a != nil {
			return a.arn
		}
	}
	return ""
}

// A flight is what several readers may wait for, while somebody is told of calls
// and waits.
type flight struct {
	call atomic.Uint64 // the number of its last call
}

// flightKey is the key of a context's flight.
type flightKey struct{}

// withFlight returns a context for a flight, if anybody is told of waits.
func (c *cache) withFlight(ctx context.Context, fl *flight) context.Context {
	if c.events.hook == nil {
		return ctx
	}
	return context.WithValue(ctx, flightKey{}, fl)
}

// newFlight returns a flight, nil if nobody is told of waits.
func (c *cache) newFlight() *flight {
	if c.events.hook == nil {
		return nil
	}
	return &flight{}
}

// A landed is the result of a flight, for those who are told of waits.
type landed struct {
	v    any
	call uint64
}

// land returns what a flight of fl hands to those who wait for it.
func (fl *flight) land(v any) any {
	if fl == nil {
		return v
	}
	return landed{v, fl.call.Load()}
}

// fromFlight returns what land was given, and the call that it came from.
func fromFlight(v any) (any, uint64) {
	if l, ok := v.(landed); ok {
		return l.v, l.call
	}
	return v, 0
}

// A wait is a read that waits for the service, to be told of. The zero wait is not.
type wait struct {
	c     *cache
	ctx   *context.Context
	id    string
	began time.Time
}

// waits begins a wait of a read of id.
func (c *cache) waits(ctx context.Context, id string) wait {
	if c.events.hook == nil {
		return wait{}
	}
	return wait{c, &ctx, id, time.Now()}
}

// ended tells of the wait, which call ended.
func (w wait) ended(call uint64, err error) {
	if w.c != nil {
		w.c.events.push(&Event{
			Kind: EventWait, Time: w.began, Duration: time.Since(w.began), Secret: w.id, Call: call,
			Class: ClassOf(err), Err: err, ctx: w.ctx,
		})
	}
}

// askedFor returns the id that a flight of join is named after.
func askedFor(name string) string {
	_, id, _ := strings.Cut(name, "\x00")
	id, _, _ = strings.Cut(id, "\x00")
	return id
}
