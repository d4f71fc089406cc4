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
	// MaxLogins is the maximum number of logins under way at a time. While a
	// rotation is known to be outstanding, the maximum is one. Zero means 4.
	// Negative means no limit, not even during a rotation; then the gate does
	// not limit the logins with a wrong password.
	MaxLogins int

	// RetriesPerHour limits the logins per hour that offer the server a
	// version again after a refusal. They find out whether the server accepts
	// one of them again. The first half of them come every 5 to 5.5 seconds,
	// the others evenly over the hour. Zero means 720, which is one every 5
	// seconds. Negative means no such logins, unless the version comes to
	// another label.
	RetriesPerHour int

	// Rotating reports whether a rotation is known to be outstanding, like
	// [secrets.Ref.Rotating]. It must not block. Nil means that a rotation is
	// never known to be outstanding.
	Rotating func() bool
}

const (
	defaultMaxLogins      = 4
	defaultRetriesPerHour = 720
)

// A Gate limits logins with the versions of one secret.
//
// It admits few logins at a time, first come, first served. It lets one login at
// a time send a password, and holds back versions that the server has refused.
// Use one Gate per secret. A Gate is safe for concurrent use by multiple
// goroutines.
type Gate struct {
	max      int         // logins under way at a time; 0: any number
	rotating func() bool // whether to admit one at a time; must not block

	tickets atomic.Uint64
	closing context.Context // ends with Close
	end     context.CancelFunc

	mu        sync.Mutex          // guards the fields below; held for no I/O and no callback
	underWay  []*pass             // admitted logins that are not over
	waiting   []*pass             // by ticket
	refused   map[string]*refusal // by version id
	sender    *pass               // the login that may have sent its password and has no verdict yet
	second    *pass               // a second such login, of a driver that is held when it dials
	held      []*pass             // logins that wait to be the sender, by ticket
	pace      pace                // how many may be under way
	retries   retries             // when a refused version may be offered again
	timer     *time.Timer         // admits a login that may begin only later; nil if there is none
	sendTimer *time.Timer         // lets a login send that may do so only later; nil if there is none
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

// Close ends all logins that wait or are under way. These and all later logins
// return [secrets.ErrClosed]. Close does not wait for a Connect that ignores its
// context; the connection that such a Connect returns is closed. Close may be
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

// Counts returns the numbers of logins under way and of logins that wait. It
// does not block.
func (g *Gate) Counts() (underWay, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.underWay), len(g.waiting)
}

// A Ticket is a caller's place in the queue. The zero Ticket means a new place
// at the end.
type Ticket uint64

// Ticket returns a new place at the end of the queue. A caller keeps its place if
// it uses the same ticket again, with another version, after a refusal.
func (g *Gate) Ticket() Ticket { return Ticket(g.tickets.Add(1)) }

// A RefusedError reports that the server refused a version. [Run] returns it,
// marked for [Try] and [secrets.Try] as a rejection.
type RefusedError struct {
	// Err is the server's answer.
	Err error

	// Barred reports that the server did not see this login, because it
	// refused another login with the same version a moment ago.
	Barred bool

	// Transient says that the server may accept the same version in a moment.
	// A proxy, for instance, may repeat its answer to an earlier login. The
	// version is offered again after one second, two, four, and then like
	// other versions.
	Transient bool

	// Next is the earliest time at which the version may be offered again. It
	// is set if [Run] returned the error because the server refused this login
	// or because it was too soon for another. Zero means that the time is
	// unknown, or that the version is offered again only under another label.
	Next time.Time

	paced bool // barred because it is too soon
}

// TooSoon reports whether the gate held back the login to pace retries. The
// server has refused the version before. For a prober, see [secrets.Offer], it
// means that the server has refused every version that could be offered.
func (e *RefusedError) TooSoon() bool { return e.paced }

// Refused marks a login's error as a refusal of the offered version. If err is
// nil, it returns nil.
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

// errClosed is the error of a login after Close.
var errClosed = fmt.Errorf("gate: %w", secrets.ErrClosed)

// Try logs in with the versions that [secrets.TryOffer] offers from r.
//
// Each login passes through the gate. Try returns the connection that connect
// made. connect must call [Hold] before it sends the password, and return an
// error of [Refused] if the server refused the version. Any other error ends Try.
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
