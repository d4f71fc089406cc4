package secrets

import (
	"context"
	"strings"
	"sync/atomic"
	"time"
)

// A request is one call of the API, as counters and events see it.
type request struct {
	op     string
	n      *atomic.Uint64 // counts calls of its operation
	id     string         // the id that it asks for
	ids    []string       // the ids, for a batch
	region string         // the region that is asked; "" if there is only one
	call   uint64         // its number; 0: events of calls have no receiver
	began  time.Time
}

// begin counts the call. It also gives it a number if there is a receiver of
// EventCall.
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

// ended counts the call's failure and emits its event. arn is the ARN in the
// answer, or "".
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

// arnOf returns the ARN of the secret in an answer. It returns "" if the answer
// has none, or several.
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

// A flight is work that several readers may wait for. It is recorded only if
// EventCall and EventWait have a receiver.
type flight struct {
	call atomic.Uint64 // the number of its last call
}

// flightKey is the context key of a flight.
type flightKey struct{}

// withFlight returns a context for a flight, if events of waits have a
// receiver.
func (c *cache) withFlight(ctx context.Context, fl *flight) context.Context {
	if c.events.hook == nil {
		return ctx
	}
	return context.WithValue(ctx, flightKey{}, fl)
}

// newFlight returns a flight. It returns nil if events of waits have no
// receiver.
func (c *cache) newFlight() *flight {
	if c.events.hook == nil {
		return nil
	}
	return &flight{}
}

// A landed is the result of a flight, with what events of waits need.
type landed struct {
	v    any
	call uint64
}

// land wraps the result v of a flight for the readers that wait for it.
func (fl *flight) land(v any) any {
	if fl == nil {
		return v
	}
	return landed{v, fl.call.Load()}
}

// fromFlight returns the result that land wrapped and the number of the
// flight's call.
func fromFlight(v any) (any, uint64) {
	if l, ok := v.(landed); ok {
		return l.v, l.call
	}
	return v, 0
}

// A wait is a read that waits for the service, for an EventWait. The zero wait
// emits nothing.
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

// ended emits the event of a wait that the given call ended.
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
