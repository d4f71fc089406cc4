package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A Read is one read of a secret, or one yield of a Watch.
type Read struct {
	event   int // index in the plan
	kind    ReadKind
	group   Group
	secret  *Secret
	id      string
	sel     string // a stage or version id
	session *Session

	since      time.Duration // of a Watch: when the loop began to wait
	begin, end time.Duration // of a Watch both are the moment of the yield
	ended      bool
	got        []*Version
	arn        string // what the answer says the ARN is, "" if the kind does not tell
	err        error
	own        bool   // its own context had ended
	stray      string // it returned what is no version's value
	rotating   bool   // Ref.Rotating, after it
	agrees     *Read  // of Versions: the Get that was done at the same instant
}

func (r *Read) String() string {
	what := fmt.Sprintf("%-14v %s %s", r.begin, r.kind, r.id)
	if r.sel != "" {
		what += " " + r.sel
	}
	switch {
	case !r.ended:
		return what + ": not ended"
	case r.err != nil:
		what += fmt.Sprintf(": error %v", r.err)
	default:
		what += fmt.Sprintf(": %v", r.got)
	}
	if r.end != r.begin {
		what += fmt.Sprintf(" at %v", r.end)
	}
	return what
}

// idOf returns the id of a secret in a form.
func (w *World) idOf(s *Secret, f Form) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch f {
	case ByPartial:
		return arnBase + s.plan.Name
	case ByARN:
		return s.incs[len(s.incs)-1].arn
	case ByOldARN:
		return s.incs[0].arn
	}
	return s.plan.Name
}

// begin enters a read in the history.
func (w *World) beginRead(s *Session, event int, kind ReadKind) *Read {
	e := w.plan.Events[event]
	secret := w.secrets[e.Secret]
	r := &Read{event: event, kind: kind, group: groupOf(kind), secret: secret, id: w.idOf(secret, e.ID), session: s}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.begin = w.now()
	r.since = r.begin
	w.reads = append(w.reads, r)
	return r
}

// finish enters how a read ended.
func (w *World) finish(ctx context.Context, r *Read, tokens []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.end, r.ended, r.err, r.own = w.now(), true, err, ctx.Err() != nil
	if r.kind == ReadWatch {
		r.begin = r.end
	}
	if err != nil {
		return
	}
	for _, t := range tokens {
		v := w.versions[t]
		if v == nil {
			r.stray = fmt.Sprintf("value %q", t)
			return
		}
		r.got = append(r.got, v)
	}
	if len(tokens) == 0 {
		r.stray = "nothing"
	}
}

// read does one read of a stream of reads.
func (w *World) read(ctx context.Context, s *Session, event int) {
	e := w.plan.Events[event]
	r := w.beginRead(s, event, e.Read)
	var tokens []string
	var err error
	one := func(t string, e error) { tokens, err = []string{t}, e }
	secret := func(got *secrets.Secret, e error) {
		if err = e; e == nil {
			text, _ := got.Text()
			tokens, r.arn = []string{tokenIn(text)}, got.ARN()
		}
	}
	c := s.client
	switch e.Read {
	case ReadGet:
		secret(c.Get(ctx, r.id))
	case ReadText:
		text, err := secrets.Get[string](ctx, c, r.id)
		one(tokenIn(text), err)
	case ReadJSON:
		p, err := secrets.Get[payload](ctx, c, r.id)
		one(p.Token, err)
	case ReadRef:
		h := handle(s, event, func() *secrets.Ref[*secrets.Secret] { return secrets.Bind[*secrets.Secret](c, r.id) })
		r.id = h.ID()
		secret(h.Get(ctx))
	case ReadRefJSON:
		h := handle(s, event, func() *secrets.Ref[payload] { return secrets.Bind[payload](c, r.id) })
		r.id = h.ID()
		p, err := h.Get(ctx)
		one(p.Token, err)
		r.rotating = h.Rotating()
	case ReadFunc:
		tokens, err = readFunc(ctx, s, r)
	case ReadStage:
		r.sel = e.Stage
		secret(c.GetVersion(ctx, r.id, secrets.Stage(e.Stage)))
	case ReadID:
		r.sel = w.someVersion(r.secret).id
		secret(c.GetVersion(ctx, r.id, secrets.VersionID(r.sel)))
	case ReadVersions:
		var all []*secrets.Secret
		all, err = c.Versions(ctx, r.id)
		for _, got := range all {
			text, _ := got.Text()
			tokens = append(tokens, tokenIn(text))
		}
	}
	w.finish(ctx, r, tokens, err)
	if e.Read == ReadVersions && r.err == nil && r.begin == r.end {
		g := w.beginRead(s, event, ReadGet)
		g.id = r.id
		secret(c.Get(ctx, g.id))
		g.arn, r.arn = r.arn, ""
		w.finish(ctx, g, tokens, err)
		r.agrees = g
	}
}

// readFunc reads by a BindFunc handle, whose decoder may end the goroutine.
func readFunc(ctx context.Context, s *Session, r *Read) (tokens []string, err error) {
	h := handle(s, r.event, func() *secrets.Ref[*payload] { return secrets.BindFunc(s.client, r.id, decodeFunc) })
	r.id = h.ID()
	done := make(chan struct{})
	err = errExited
	go func() {
		defer close(done)
		p, e := h.Get(ctx)
		if err = e; e == nil {
			tokens = []string{p.Token}
		}
	}()
	<-done
	return tokens, err
}

var errExited = errors.New("the decoder ended the goroutine")

// someVersion returns a version that a reader may have heard of.
func (w *World) someVersion(s *Secret) *Version {
	w.mu.Lock()
	defer w.mu.Unlock()
	inc := s.incs[len(s.incs)-1]
	return inc.versions[len(inc.versions)/2]
}

// watch is one loop over Watch, until ctx ends or the client is closed.
func (w *World) watch(ctx context.Context, s *Session, event int) {
	e := w.plan.Events[event]
	id := w.idOf(w.secrets[e.Secret], e.ID)
	h := secrets.Bind[payload](s.client, id)
	r := w.beginRead(s, event, ReadWatch)
	r.id = id
	for p, err := range h.Watch(ctx) {
		w.finish(ctx, r, []string{p.Token}, err)
		r = w.beginRead(s, event, ReadWatch)
		r.id = id
		if errors.Is(err, secrets.ErrClosed) {
			break
		}
	}
	w.finish(ctx, r, nil, errWatchEnded)
}

var errWatchEnded = errors.New("the loop ended")

// timeout returns the context of one read.
func (e Event) timeout(ctx context.Context) (context.Context, context.CancelFunc) {
	d := e.Timeout
	if d == 0 {
		d = time.Minute
	}
	return context.WithTimeout(ctx, d)
}
