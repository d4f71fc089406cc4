package secretstest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxBody is the size above which a request is refused unread.
const maxBody = 4 << 20

// ServeHTTP speaks the protocol of AWS Secrets Manager. Beside that, POST
// /_fake/reset empties the server. The region and the caller are those of the
// request's signature, which is not verified; a request without one is made in
// the default region by a caller who may do everything.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_fake/") {
		s.serveAdmin(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	a := s.serve(r.Context(), r.Header, body)
	if a.broken == dropped {
		panic(http.ErrAbortHandler)
	}
	a.setHeader(w.Header())
	w.WriteHeader(a.status)
	if a.broken == truncated {
		w.Write(a.body[:len(a.body)/2])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	w.Write(a.body)
}

// serveAdmin answers what is not AWS.
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
func (s *Server) serve(ctx context.Context, h http.Header, body []byte) answer {
	c, err := s.parse(h, body)
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

// parse finds out what a request asks and who makes it.
func (s *Server) parse(h http.Header, body []byte) (*call, error) {
	if len(body) > maxBody {
		return nil, &apiError{code: "RequestEntityTooLargeException", message: "The request is too large.", status: http.StatusRequestEntityTooLarge}
	}
	key, region, err := credentialScope(h)
	if err != nil {
		return nil, err
	}
	c := &call{srv: s, region: region}
	if region == "" {
		c.region = s.opts.Region
	}
	if !s.servesRegion(c.region) {
		return nil, &apiError{code: "UnrecognizedClientException", message: "The security token included in the request is invalid."}
	}
	c.caller = s.identity(key)
	name, ok := strings.CutPrefix(first(h, "X-Amz-Target"), "secretsmanager.")
	if ok {
		c.op = operations[name]
	}
	if c.op == nil {
		return nil, &apiError{code: "UnknownOperationException", message: ""}
	}
	c.in, err = decodeInput(body)
	if err != nil {
		return nil, err
	}
	return c, nil
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

// first returns the first value of a header without allocating.
func first(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}

var errSignature = &apiError{code: "IncompleteSignatureException", message: "Authorization header requires 'Credential' parameter in the form AKID/date/region/secretsmanager/aws4_request."}

// credentialScope returns the access key and the region of a request's
// signature, or nothing when it has none.
func credentialScope(h http.Header) (key, region string, err error) {
	auth := first(h, "Authorization")
	if auth == "" {
		return "", "", nil
	}
	_, rest, ok := strings.Cut(auth, "Credential=")
	if !ok || !strings.HasPrefix(auth, "AWS4-") {
		return "", "", errSignature
	}
	if i := strings.IndexAny(rest, ", "); i >= 0 {
		rest = rest[:i]
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 5 || parts[0] == "" || parts[2] == "" || len(parts[2]) > 128 {
		return "", "", errSignature
	}
	return parts[0], parts[2], nil
}

// refuse answers a request that is none of the operations.
func (s *Server) refuse(err error) answer {
	var a answer
	a.id = requestID()
	a.encode(nil, err)
	return a
}

// now returns the time as precisely as the service tells it.
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
