package httpcred

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// An exchange is one call of RoundTrip. It is used by one goroutine.
type exchange[T any] struct {
	s     *source[T]
	r     *http.Request
	leave func()      // ends the waiting for another request
	timer *time.Timer // calls leave; nil: Options.Wait bounds the waiting

	tried  []string       // the ids of the versions that were sent
	sent   bool           // the request went out, and its body with it
	failed bool           // the last time with an error of the base transport
	answer *http.Response // returned unless a better response comes
}

// startWaiting bounds for how long another request is waited for, from now on.
func (x *exchange[T]) startWaiting() {
	switch {
	case x.s.Wait > 0:
	case x.timer == nil:
		x.timer = time.AfterFunc(patience, x.leave)
	default:
		x.timer.Reset(patience)
	}
}

func (x *exchange[T]) stopWaiting() {
	if x.timer != nil {
		x.timer.Stop()
	}
}

// offer is a use for secrets.TryOffer: it sends the request with one version.
func (x *exchange[T]) offer(ctx context.Context, o secrets.Offer[T]) (*http.Response, error) {
	if slices.Contains(x.tried, o.VersionID) {
		return nil, secrets.Rejected(again{})
	}
	if x.sent && !replayable(x.r) {
		return nil, errNoReplay
	}
	x.stopWaiting()
	resp, err := x.send(ctx, o.Value, o.VersionID)
	switch {
	case err != nil:
		return nil, err
	case x.s.IsRejected(resp):
		x.keep(resp, o.Stage)
		x.startWaiting()
		return nil, secrets.Rejected(&statusError{resp.StatusCode})
	case !saysAccepted(resp.StatusCode):
		x.keep(resp, secrets.Current) // it has precedence over any rejection
		return nil, errNoVerdict
	}
	x.s.accepted(o.Stage)
	return resp, nil
}

// direct sends the request with the current version, even if it was rejected,
// and returns the server's response.
func (x *exchange[T]) direct(ref *secrets.Ref[T]) (*http.Response, error) {
	v, err := ref.Version(x.r.Context(), secrets.Selector{})
	if err != nil {
		return nil, err
	}
	return x.send(x.r.Context(), v.Value, v.ID)
}

// send sends a copy of the request with one version. The copy's context ends
// with the request's, and not with ctx, by which only waiting ends.
func (x *exchange[T]) send(ctx context.Context, value T, id string) (*http.Response, error) {
	x.failed = true
	out := x.r.Clone(sending{x.r.Context(), ctx})
	if out.Header == nil {
		out.Header = http.Header{}
	}
	if x.sent && x.r.GetBody != nil {
		body, err := x.r.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	if err := x.s.set(out, value); err != nil {
		if x.sent && out.Body != nil {
			out.Body.Close()
		}
		return nil, fmt.Errorf("httpcred: put the credential %q into the request: %w", x.s.ref.Load().ID(), err)
	}
	x.sent = true
	x.tried = append(x.tried, id)
	resp, err := x.s.Base.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	x.failed = false
	resp.Request = x.r // out has the credential
	return resp, nil
}

// keep keeps a response to return in the end: the first, but rather one to the
// current version.
func (x *exchange[T]) keep(resp *http.Response, stage string) {
	if x.answer != nil && stage != secrets.Current {
		discard(resp)
		return
	}
	if x.answer != nil {
		discard(x.answer)
	}
	x.answer = resp
}

// take returns the response that was kept.
func (x *exchange[T]) take() *http.Response {
	resp := x.answer
	x.answer = nil
	return resp
}

// close closes the responses that are not returned.
func (x *exchange[T]) close() {
	x.stopWaiting()
	if x.answer != nil {
		discard(x.answer)
	}
	if !x.sent && x.r.Body != nil {
		x.r.Body.Close()
	}
}

// discard closes a response so that its connection can be used again, unless
// that would take reading much.
func discard(resp *http.Response) {
	if resp.ContentLength >= 0 && resp.ContentLength <= 16<<10 {
		io.Copy(io.Discard, resp.Body)
	}
	resp.Body.Close()
}

// saysAccepted reports whether a status that is not a rejection means that the
// server accepted the credential. It does not if the server, or a proxy, may
// have failed before it checked the credential.
func saysAccepted(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusRequestTimeout,
		http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

// replayable reports whether a request may be sent again: it is idempotent by
// the rules of net/http, and its body can be read again.
func replayable(r *http.Request) bool {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return false
	}
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	_, key := r.Header["Idempotency-Key"]
	_, xkey := r.Header["X-Idempotency-Key"]
	return key || xkey
}

// sending is the context of a request that is sent: it ends with the caller's
// and has the values of the use's.
type sending struct {
	context.Context
	values context.Context
}

func (c sending) Value(key any) any { return c.values.Value(key) }

// statusError is a rejection.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("the server answered %d %s", e.status, http.StatusText(e.status))
}

// again is the rejection of a version that this request was sent with already.
type again struct{}

func (again) Error() string    { return "the server rejected the version a moment ago" }
func (again) NotOffered() bool { return true }
