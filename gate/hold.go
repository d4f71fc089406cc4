package gate

import (
	"cmp"
	"context"
	"net/http/httptrace"
	"slices"
	"time"
)

type passKey struct{}

// passOf returns the pass of the login that has the context, or nil.
func passOf(ctx context.Context) *pass {
	p, _ := ctx.Value(passKey{}).(*pass)
	return p
}

// Hold waits until a login may send its password. It is called with the context
// of the login, by the code that logs in, as late as possible before anything
// is sent that the server may count as a wrong password. Of the logins that are
// under way at a gate one at a time passes, first come, first served, and the
// next one when the verdict on it is known: when the login is over, or
// [Accepted] is called. So a password that has become wrong is sent once, however
// many logins are under way.
//
// Where Hold returns an error the login must send nothing and end with that
// error. It does when the version was refused meanwhile, when the caller's
// context ends, and after [Gate.Close]. With the context of no login, and with a
// negative Options.MaxLogins, it returns nil at once. It may be called more than once.
func Hold(ctx context.Context) error {
	p := passOf(ctx)
	if p == nil {
		return nil
	}
	return p.g.hold(ctx, p)
}

// Accepted says that the server accepted the password of a login that goes on
// for a while: the next one may send its own. It does nothing with the context
// of no login.
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

// HoldDials returns a context with which every [net.Dialer] calls [Hold], for a
// client that does not call it by itself. Where Hold fails, ctx ends. With before
// the client is held before it connects, which is for clients that go on with a
// connection although ctx has ended. Otherwise it is held when it has connected,
// so that several may connect at a time.
//
// A dialer that does not pass on its context is not held.
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

// holdOrCancel ends the login's context where Hold fails: a dialer cannot be
// told otherwise.
func holdOrCancel(ctx context.Context) {
	p := passOf(ctx)
	p.g.holdsDial(p)
	if Hold(ctx) != nil {
		p.cancel()
	}
}

// holdsDial notes that the login is held when it dials.
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

// mayGoOn returns why a login whose turn it is must not send its password: it
// was told to stop.
func (g *Gate) mayGoOn(ctx context.Context, p *pass) error {
	g.mu.Lock()
	reason := p.reason
	g.mu.Unlock()
	if reason != nil {
		return barred(reason)
	}
	return ctx.Err()
}

// asks notes that the login asks before it sends its password. If it is the
// first, more may be under way from now on.
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

// askTurn returns what is closed when p may send its password, nil if it may at
// once.
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

// judgedLocked notes that the verdict on a login is known, or that it is over.
// What still waits on its behalf waits no longer.
func (g *Gate) judgedLocked(p *pass) {
	if i := slices.Index(g.held, p); i >= 0 {
		close(p.turn)
	}
	p.judged = true
	g.passOnLocked(p)
}

// passOnLocked makes the next login the sender, if p was it, or does not wait
// for that any longer.
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

// sendLocked lets the first of those who are held send, and the one after it where
// two may. A login that is being stopped never does.
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

// joinsLocked says after which time a login may send its password although there is no
// verdict on the one before; ok is false if it may not. A driver that is held when
// it dials has its whole login between the two, and a pool of its connections
// would fill one by one. So where the server is near, more logins wait than may be
// under way, and that is not because of a rotation, two send at a time if one has
// waited for the patience.
func (g *Gate) joinsLocked(p *pass) (wait time.Duration, ok bool) {
	if !p.dials || g.max == 1 || g.pace.fastest == 0 || g.pace.fastest >= near {
		return 0, false
	}
	if len(g.waiting) == 0 || time.Since(g.pace.refused) < afterwards {
		return 0, false
	}
	return patience - time.Since(p.since), true
}

// sendAfterLocked has those who are held looked at again after a time.
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
