package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// Options are the settings of a gate. A nil *Options and zero fields mean the
// defaults.
type Options struct {
	// MaxLogins is how many logins may be under way at a time at the most.
	// While a rotation is known to be outstanding it is one. Zero means 4.
	// Negative means no bound, also during a rotation; then nothing else here
	// bounds how many logins with a wrong password a rotation costs.
	MaxLogins int

	// RetriesPerHour bounds the logins in any hour with versions that the
	// server has refused before, which find out whether it accepts one of
	// them again. Up to half of it they come every 5 to 5.5 seconds, and
	// from then on evenly over the hour. Zero means 720, which is one every
	// 5 seconds. Negative means none but those that the labels of the secret
	// suggest.
	RetriesPerHour int

	// Rotating reports whether a rotation is known to be outstanding, as
	// [secrets.Ref.Rotating] does. It must not block. Nil means that it is
	// never known.
	Rotating func() bool
}

const (
	defaultMaxLogins      = 4
	defaultRetriesPerHour = 720
)

// A Gate admits few logins at a time, first come, first served, keeps the
// versions of a secret from the server that it has refused, and has one login
// at a time offer a password. It is safe for concurrent use by multiple
// goroutines. One gate belongs to one secret and the accounts it is for.
type Gate struct {
	max      int         // logins under way at a time; 0: any number
	rotating func() bool // whether to admit one at a time; must not block

	tickets atomic.Uint64
	closing context.Context // ends with Close
	end     context.CancelFunc

	mu        sync.Mutex          // guards the fields below; held for no I/O and no callback
	underWay  []*pass             // logins admitted that are not over
	waiting   []*pass             // by ticket
	refused   map[string]*refusal // by version id
	sender    *pass               // the login that may have sent its password and has no verdict
	second    *pass               // another one, of a driver that is held when it dials
	held      []*pass             // logins that wait to be the sender, by ticket
	pace      pace                // how many may be under way
	retries   retries             // when a refused version may be offered again
	timer     *time.Timer         // admits who may begin only later; nil: nobody
	sendTimer *time.Timer         // lets one send who may only later; nil: nobody
	closed    bool                // no login is admitted any more
}

// New returns a gate. o may be nil.
func New(o *Options) *Gate {
	if o == nil {
		o = &Options{}
	}
	g := &Gate{max: max(o.MaxLogins, 0), rotating: o.Rotating}
	if o.MaxLogins == 0 {
		g.max = defaultMaxLogins
	}
	if g.rotating == nil {
		g.rotating = func() bool { return false }
	}
	g.retries.perHour = max(o.RetriesPerHour, 0)
	if o.RetriesPerHour == 0 {
		g.retries.perHour = defaultRetriesPerHour
	}
	g.closing, g.end = context.WithCancel(context.Background())
	return g
}

// isMade panics if g was not made by New.
func (g *Gate) isMade() {
	if g == nil || g.end == nil {
		panic("gate: nil or zero Gate; make one with gate.New")
	}
}

// Close ends the logins that wait and those that are under way, which return
// [secrets.ErrClosed], as all do from then on. It does not wait for a Connect
// that ignores its context: the connection that it returns is closed. Close may be
// called more than once.
func (g *Gate) Close() {
	g.isMade()
	g.mu.Lock()
	g.closed = true
	for _, timer := range []*time.Timer{g.timer, g.sendTimer} {
		if timer != nil {
			timer.Stop()
		}
	}
	g.mu.Unlock()
	g.end()
}

// Counts returns how many logins are under way and how many calls wait until one
// of them is over. It does not block.
func (g *Gate) Counts() (underWay, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.underWay), len(g.waiting)
}

// A Ticket is a caller's place in the queue. The zero Ticket stands for a new
// place at the end.
type Ticket uint64

// Ticket returns a new place at the end of the queue. A caller whose login is
// refused, and who comes again with another version and the same ticket, keeps
// that place.
func (g *Gate) Ticket() Ticket { return Ticket(g.tickets.Add(1)) }

// A RefusedError says that the server refused a version. [Try] and [secrets.Try]
// take it as a rejection where it is returned by [Run].
type RefusedError struct {
	// Err is the server's answer.
	Err error

	// Barred reports that the server did not see this login: it has refused
	// another one with the same version a moment ago.
	Barred bool

	// Transient says that the server may accept the same version in a moment,
	// as a proxy does that passes on what was the matter with an earlier login.
	// The version is offered again after one second, two, four, and then like others.
	Transient bool

	// Next is when the server may be offered the version again at the soonest, as
	// a retry, if [Run] returned the error because the server refused this login
	// or it was too soon for it. Zero means that this is not known, or that the
	// version is not offered again unless it comes to another label.
	Next time.Time

	paced bool // it was barred because it is too soon
}

// TooSoon reports whether the login did not take place because the server has
// refused the version before and is asked again at a measured pace. For a prober,
// see [secrets.Offer], it says that all that could be offered was refused.
func (e *RefusedError) TooSoon() bool { return e.paced }

// Refused marks err, the error of a login, as a refusal of the version that was
// offered. A nil err stays nil.
func Refused(err error) error {
	if err == nil {
		return nil
	}
	return &RefusedError{Err: err}
}

func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the server's answer.
func (e *RefusedError) Unwrap() error { return e.Err }

// NotOffered reports that the server did not see the login; see
// [secrets.Rejected].
func (e *RefusedError) NotOffered() bool { return e.Barred }

// NextOffer returns Next; see [secrets.Rejected].
func (e *RefusedError) NextOffer() time.Time { return e.Next }

func barred(err error) error { return &RefusedError{Err: err, Barred: true} }

// errClosed is what a login ends with after Close.
var errClosed = fmt.Errorf("gate: %w", secrets.ErrClosed)

// Try logs in with the versions of the secret of r that [secrets.TryOffer]
// offers, each time through the gate, and returns the connection that connect
// made. connect says with [Refused] that the server refused the version; any
// other error ends Try. It calls [Hold] before it sends the password.
func Try[T any, C Conn](ctx context.Context, g *Gate, r *secrets.Ref[T], connect func(context.Context, secrets.Offer[T]) (C, error)) (C, error) {
	g.isMade()
	if connect == nil {
		panic("gate: Try: connect is nil")
	}
	ticket := g.Ticket()
	conn, err := secrets.TryOffer(ctx, r, func(ctx context.Context, o secrets.Offer[T]) (C, error) {
		return Run(ctx, g, Login[C]{
			Ticket: ticket, Version: o.VersionID, Stage: o.Stage, Fallback: o.Fallback,
			Connect: func(ctx context.Context) (C, error) { return connect(ctx, o) },
		})
	})
	if err != nil && g.closing.Err() != nil && !errors.Is(err, secrets.ErrClosed) {
		err = errClosed
	}
	return conn, err
}
