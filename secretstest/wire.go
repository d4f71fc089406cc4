package secretstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/sign"
)

// maxBody is the size above which a request is refused.
const maxBody = 4 << 20

// maxDrain is how much of a body that is too large is read, so that its sender
// gets to see the answer.
const maxDrain = 256 << 20

// A wireRequest is a request as it arrived.
type wireRequest struct {
	sign.Request
	target    string
	sourceIP  string // of the connection; "" for a request without a socket
	userAgent string
}

func newWireRequest(r *http.Request, body []byte) *wireRequest {
	w := &wireRequest{
		Request: sign.Request{Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Header: r.Header, Body: body},
		target:  first(r.Header, "X-Amz-Target"), userAgent: first(r.Header, "User-Agent"),
	}
	if w.Host == "" {
		w.Host = r.URL.Host
	}
	if r.URL.RawQuery != "" {
		w.Query = r.URL.Query()
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		w.sourceIP = host
	}
	return w
}

// ServeHTTP implements the protocol of AWS Secrets Manager. Additionally, POST
// /_fake/reset empties the server. The signature of a request, in its header or
// its query, names its region and its caller. It is verified only if
// Options.VerifySignatures is set. A request without a signature goes to the
// default region, from a caller who may do everything. If the body takes longer
// than Options.BodyTimeout to arrive, the connection is closed.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_fake/") {
		s.serveAdmin(w, r)
		return
	}
	body, err := s.receive(w, r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	a := s.serve(r.Context(), newWireRequest(r, body))
	if a.broken == dropped {
		panic(http.ErrAbortHandler)
	}
	s.setHeader(&a, w.Header())
	w.WriteHeader(a.status)
	switch {
	case a.broken == truncated:
		w.Write(a.body[:len(a.body)/2])
		flush(w)
		panic(http.ErrAbortHandler)
	case a.trickle > 0:
		a.drip(r.Context(), w)
	default:
		w.Write(a.body)
	}
}

// receive reads the body of a request, of which it returns as much as is
// looked at, within the time that a body may take.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	c := http.NewResponseController(w)
	timed := c.SetReadDeadline(time.Now().Add(s.opts.BodyTimeout)) == nil
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		_, err = io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain))
	}
	if err == nil && timed {
		c.SetReadDeadline(time.Time{}) // closing the body after an error reads on
	}
	return body, err
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// drip sends the body one byte at a time, until the caller goes away.
func (a *answer) drip(ctx context.Context, w http.ResponseWriter) {
	for i := range a.body {
		if !sleep(ctx, a.trickle) {
			panic(http.ErrAbortHandler)
		}
		w.Write(a.body[i : i+1])
		flush(w)
	}
}

// serveAdmin serves the paths that AWS does not have.
func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/_fake/reset":
		http.NotFound(w, r)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
	default:
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	}
}

// serve answers one request. It blocks only for a fault's latency.
func (s *Server) serve(ctx context.Context, r *wireRequest) answer {
	c, err := s.parse(r)
	if err != nil {
		return s.refuse(err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return answer{broken: dropped}
	}
	c.begin()
	f := s.strikeLocked(c)
	if f != nil && f.Latency > 0 {
		s.mu.Unlock()
		if !sleep(ctx, f.Latency) {
			s.mu.Lock()
			c.entry.Outcome = OutcomeCanceled
			s.mu.Unlock()
			return answer{broken: dropped}
		}
		s.mu.Lock()
		c.now = now()
	}
	out, err := c.run(f)
	a := f.broken()
	c.entry.Outcome = outcome(err, a, f)
	s.mu.Unlock()
	a.id = requestID()
	a.encode(out, err)
	switch {
	case f == nil || err != nil:
	case f.Garbage:
		a.garble()
	case f.Empty:
		a.body = []byte("{}")
	}
	return a
}

// parse returns the operation and the caller of a request.
func (s *Server) parse(r *wireRequest) (*call, error) {
	switch {
	case len(r.Body) > maxBody:
		return nil, &apiError{code: "RequestEntityTooLargeException", message: "The request is too large.", status: http.StatusRequestEntityTooLarge}
	case r.Path != "/" && r.Path != "":
		return nil, &apiError{code: "UnknownOperationException", status: http.StatusNotFound}
	case r.Method != http.MethodPost:
		return nil, &apiError{code: "UnknownOperationException", status: http.StatusMethodNotAllowed}
	}
	c := &call{srv: s, region: s.opts.Region, sourceIP: r.sourceIP, userAgent: r.userAgent}
	if err := c.identify(r); err != nil {
		return nil, err
	}
	name, ok := strings.CutPrefix(r.target, "secretsmanager.")
	if ok {
		c.op = operations[name]
	}
	if c.op == nil {
		return nil, &apiError{code: "UnknownOperationException", message: ""}
	}
	in, err := decodeInput(r.Body)
	c.in = in
	return c, err
}

var (
	errSignature = &apiError{code: "IncompleteSignatureException", message: "Authorization header requires 'Credential' parameter in the form AKID/date/region/secretsmanager/aws4_request."}
	errService   = &apiError{code: "InvalidSignatureException", message: "Credential should be scoped to correct service: 'secretsmanager'."}
	errMismatch  = &apiError{code: "InvalidSignatureException", message: "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
	errUnsigned  = &apiError{code: "MissingAuthenticationTokenException", message: "Missing Authentication Token"}
	errClient    = &apiError{code: "UnrecognizedClientException", message: "The security token included in the request is invalid."}
)

// identify finds out the region and the caller by the request's signature.
func (c *call) identify(r *wireRequest) error {
	sig, err := sign.Parse(&r.Request)
	key := ""
	switch {
	case err != nil:
		return errSignature
	case sig == nil && c.srv.opts.VerifySignatures:
		return errUnsigned
	case sig != nil && sig.Service != "secretsmanager":
		return errService
	case sig != nil:
		key, c.region = sig.AccessKey, sig.Region
	}
	if !c.srv.servesRegion(c.region) {
		return errClient
	}
	caller, known := c.srv.identity(key, c.region)
	if partitionOf(caller.arn) != partition(c.region) || !known && c.srv.opts.VerifySignatures {
		return errClient
	}
	c.caller = caller
	switch {
	case caller.SourceIP != "":
		c.sourceIP = caller.SourceIP
	case c.sourceIP == "":
		c.sourceIP = c.srv.opts.SourceIP
	}
	return c.verify(sig, &r.Request)
}

// verify checks a signature. By default it checks only the time, and only
// during a ClockSkew.
func (c *call) verify(sig *sign.Signature, r *sign.Request) error {
	at, skewed := c.srv.clock()
	var err error
	switch {
	case c.srv.opts.VerifySignatures:
		err = sig.Verify(r, c.caller.SecretKey, at)
	case skewed && sig != nil:
		err = sig.CheckTime(at)
	}
	if err == nil {
		return nil
	}
	if skew := (*sign.SkewError)(nil); errors.As(err, &skew) {
		return &apiError{code: "InvalidSignatureException", message: skew.Error()}
	}
	return errMismatch
}

// decodeInput reads a body. The error never quotes it.
func decodeInput(body []byte) (input, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return input{}, nil
	}
	var in input
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&in) != nil || dec.Decode(&struct{}{}) != io.EOF {
		return nil, serialization("The request body is not a JSON object.")
	}
	if in == nil {
		in = input{}
	}
	return in, nil
}

// refuse responds to a request that is not an operation.
func (s *Server) refuse(err error) answer {
	var a answer
	a.id = requestID()
	a.encode(nil, err)
	return a
}

// now returns the time with the service's precision.
func now() time.Time { return time.Now().Truncate(time.Millisecond) }

// sleep waits for d, or until ctx ends. It reports whether it waited for all
// of d.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// first returns the first value of a header without allocating.
func first(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}
