package gate

import (
	"cmp"
	"context"
	"net/http/httptrace"
	"slices"
	"time"
)

type passKey struct{}

// passOf returns the pass of the login that ctx belongs to, or nil.
func passOf(ctx context.Context) *pass {
	p, _ := ctx.Value(passKey{}).(*pass)
	return p
}

// Hold waits until a login may send its password.
//
// The code that logs in calls Hold with the context of the login, as late as
// possible before it sends anything that the server may count as a wrong
// password. The logins under way at a gate pass Hold one at a time, first come,
// first served. The next login passes when the verdict on the one before is
// known: when that login is over, or has called [Accepted]. So a password that has
// become wrong is sent once, regardless of how many logins are under way.
//
// If Hold returns an error, the login must send nothing and return that error.
// This happens if the server has refused the version in the meantime, if the
// caller's context ends, and after [Gate.Close]. Hold returns nil immediately if
// ctx does not belong to a login, or if Options.MaxLogins is negative. Hold may
// be called more than once.
func Hold(ctx context.Context) error {
	p := passOf(ctx)
	if p == nil {
		return nil
	}
	return p.g.hold(ctx, p)
}

// Accepted reports that the server accepted the password of a login. The login
// itself may go on for a while; the next one may now send its password. Accepted
// does nothing if ctx does not belong to a login.
func Accepted(ctx context.Context) {
	p := passOf(ctx)
	if p == nil {
		return
	}
	g := p.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.judgedLocked(p)
}

// HoldDials returns a context with which every [net.Dialer] calls [Hold]. Use it
// for a client that does not call Hold itself. If Hold fails, ctx ends.
//
// If before is true, the client waits before it connects. This is for clients
// that keep using a connection after ctx has ended. Otherwise the client waits
// after it has connected, so that several can connect at a time.
//
// A client that does not pass the context to its dialer does not wait.
func HoldDials(ctx context.Context, before bool) context.Context {
	if passOf(ctx) == nil {
		return ctx
	}
	trace := new(httptrace.ClientTrace)
	if before {
		trace.ConnectStart = func(string, string) { holdOrCancel(ctx) }
	} else {
		trace.ConnectDone = func(_, _ string, err error) {
			if err == nil {
				holdOrCancel(ctx)
			}
		}
	}
	return httptrace.WithClientTrace(ctx, trace)
}

// holdOrCancel ends the login's context if Hold fails. A trace has no other way
// to stop a dialer.
func holdOrCancel(ctx context.Context) {
	p := passOf(ctx)
	p.g.holdsDial(p)
	if Hold(ctx) != nil {
		p.cancel()
	}
}

// holdsDial records that the login is held when it dials.
func (g *Gate) holdsDial(p *pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p.dials = true
}

func (g *Gate) hold(ctx context.Context, p *pass) error {
	g.asks(p)
	turn := g.askTurn(p)
	if turn == nil {
		return g.mayGoOn(ctx, p)
	}
	var err error
	select {
	case <-turn:
		return g.mayGoOn(ctx, p)
	case <-p.stop:
		err = barred(p.reason)
	case <-p.ctx.Done():
		err = p.ctx.Err()
	case <-ctx.Done():
		err = ctx.Err()
	case <-g.closing.Done():
		err = errClosed
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passOnLocked(p)
	return err
}

// mayGoOn returns nil if the login, whose turn it is, may send its password. If
// the login was told to stop, mayGoOn returns the reason.
func (g *Gate) mayGoOn(ctx context.Context, p *pass) error {
	g.mu.Lock()
	reason := p.reason
	g.mu.Unlock()
	if reason != nil {
		return barred(reason)
	}
	return ctx.Err()
}

// asks records that the login asks before it sends its password. From the first
// such login on, more logins may be under way.
func (g *Gate) asks(p *pass) {
	limit := g.limit()
	g.mu.Lock()
	defer g.mu.Unlock()
	p.asked = true
	if !g.pace.asks {
		g.pace.asks = true
		g.admitLocked(limit)
	}
}

// askTurn returns a channel that is closed when p may send its password. It
// returns nil if p may send it now.
func (g *Gate) askTurn(p *pass) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.max == 0 || g.sender == p || g.second == p || p.judged:
		return nil
	case p.turn != nil:
		return p.turn
	case g.sender == nil && len(g.held) == 0 && p.reason == nil:
		g.sender = p
		return nil
	}
	p.turn, p.asking = make(chan struct{}), time.Now()
	i, _ := slices.BinarySearchFunc(g.held, p.ticket, func(o *pass, ticket uint64) int { return cmp.Compare(o.ticket, ticket) })
	g.held = slices.Insert(g.held, i, p)
	g.sendLocked()
	return p.turn
}

// judgedLocked records that the verdict on a login is known, or that the login is
// over. It ends a Hold that still waits for the login.
func (g *Gate) judgedLocked(p *pass) {
	if i := slices.Index(g.held, p); i >= 0 {
		close(p.turn)
	}
	p.judged = true
	g.passOnLocked(p)
}

// passOnLocked ends p's turn, or its wait for a turn, and lets the next login
// send.
func (g *Gate) passOnLocked(p *pass) {
	g.held = slices.DeleteFunc(g.held, func(o *pass) bool { return o == p })
	switch p {
	case g.sender:
		g.sender, g.second = g.second, nil
	case g.second:
		g.second = nil
	}
	g.sendLocked()
}

// sendLocked lets the first of the held logins send, and the second one if two
// may send at a time. A login that was told to stop never sends.
func (g *Gate) sendLocked() {
	for i := 0; i < len(g.held) && g.second == nil; {
		p := g.held[i]
		if p.reason != nil || p.ctx.Err() != nil {
			i++
			continue
		}
		switch wait, ok := g.joinsLocked(p); {
		case g.sender == nil:
			g.sender = p
		case !ok:
			return
		case wait > 0:
			g.sendAfterLocked(wait)
			return
		default:
			g.second = p
		}
		p.held = time.Since(p.asking)
		g.held = slices.Delete(g.held, i, i+1)
		close(p.turn)
	}
}

// joinsLocked says after which time a login may send its password without a
// verdict on the login before; ok is false if it may not. With a driver that is
// held when it dials, the whole login follows Hold, and a pool of its connections
// would fill one by one. Therefore two logins send at a time if the server is
// near, more logins wait than may be under way, no rotation is the reason for
// that, and the second login has waited for the patience.
func (g *Gate) joinsLocked(p *pass) (wait time.Duration, ok bool) {
	if !p.dials || g.max == 1 || g.pace.fastest == 0 || g.pace.fastest >= near {
		return 0, false
	}
	if len(g.waiting) == 0 || time.Since(g.pace.refused) < afterwards {
		return 0, false
	}
	return patience - time.Since(p.since), true
}

// sendAfterLocked calls sendLocked again after wait.
func (g *Gate) sendAfterLocked(wait time.Duration) {
	if g.sendTimer != nil {
		g.sendTimer.Stop()
	}
	g.sendTimer = time.AfterFunc(wait, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.sendLocked()
	})
}
