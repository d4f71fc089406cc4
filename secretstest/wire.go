package secretstest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A call is one request on its way through the server.
type call struct {
	srv    *Server
	op     *operation
	in     input
	caller *identity
	region string
	realm  *realm
	now    time.Time
	secret *secret // of an operation on one secret
	entry  *Call   // in the ledger
	read   reading // what a fault makes of reads

	inBatch bool // a GetSecretValue that is part of a BatchGetSecretValue
}

// A reading says which state of a secret a call sees.
type reading struct {
	lag      time.Duration
	stale    bool
	noStages bool
}

// view returns the state of s that the call sees.
func (c *call) view(s *secret) *content {
	switch {
	case c.read.stale:
		return s.content.before()
	case c.read.lag > 0:
		return s.content.at(c.now.Add(-c.read.lag))
	}
	return s.content
}

// An operation is one of the 23.
type operation struct {
	name string
	run  func(*call) (any, error)

	// before, if it is not nil, checks what comes before the look-up.
	before func(input) error

	onSecret  bool // SecretId is required: it is looked up and access is checked
	checkName bool // a SecretId with other characters than a name has is refused
	onDying   bool // works on a secret that is to be deleted
	onReplica bool // works on a replica
}

// An answer is a response on its way out.
type answer struct {
	status int
	code   string // of an error
	body   []byte
	id     string
	broken brokenness
}

// A brokenness says how much of an answer arrives.
type brokenness int

const (
	whole brokenness = iota
	truncated
	dropped
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

func (a *answer) setHeader(h http.Header) {
	h["Content-Type"] = contentType
	h["X-Amzn-Requestid"] = []string{a.id}
	h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
}

var contentType = []string{"application/x-amz-json-1.1"}

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

// run carries the call out, unless a fault or a region that is down prevents
// it. The server's lock must be held.
func (c *call) run(f *Fault) (any, error) {
	if c.srv.down[c.region] {
		return nil, &apiError{code: "ServiceUnavailable", message: "Service is unavailable in " + c.region, status: http.StatusServiceUnavailable}
	}
	if f != nil {
		c.read = f.reading()
		if !f.Late {
			if err := f.err(); err != nil {
				return nil, err
			}
			if f.Drop {
				return nil, nil
			}
		}
	}
	out, err := c.do()
	if f != nil && f.Late {
		if e := f.err(); e != nil {
			return nil, e
		}
	}
	return out, err
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

// begin enters the call in the ledger. The server's lock must be held.
func (c *call) begin() {
	c.now = now()
	c.realm = c.srv.realmLocked(c.caller.account, c.region)
	id := c.in.str("SecretId")
	if id == "" {
		id = c.in.str("Name")
	}
	e := Call{
		Time:      c.now,
		Op:        c.op.name,
		SecretID:  id,
		SecretIDs: c.in.strs("SecretIdList"),
		VersionID: c.in.str("VersionId"),
		Stage:     c.in.str("VersionStage"),
		Identity:  c.caller.arn,
		Region:    c.region,
	}
	e.Secret = c.nameOf(id)
	c.entry = c.srv.ledger.add(e)
}

// nameOf returns the name of the secret that id stands for, or id itself.
func (c *call) nameOf(id string) string {
	if !strings.HasPrefix(id, "arn:") {
		return id
	}
	if s := c.srv.findLocked(c.caller.account, c.region, id, c.now); s != nil {
		return s.name
	}
	return id
}

// do checks the input and carries the operation out. The server's lock must be
// held.
func (c *call) do() (any, error) {
	if err := checkTypes(c.op.name, c.in); err != nil {
		return nil, serialization(err.Error())
	}
	if violations := validateInput(c.op.name, c.in); violations != "" {
		// A replica refuses changes whatever they are.
		if c.op.onSecret && c.lookUp() == errReplica {
			return nil, errReplica
		}
		return nil, validation(violations)
	}
	if c.op.before != nil {
		if err := c.op.before(c.in); err != nil {
			return nil, err
		}
	}
	if c.op.onSecret {
		if err := c.lookUp(); err != nil {
			return nil, err
		}
	}
	return c.op.run(c)
}

// lookUp finds the secret that the call is about and checks that the caller
// may do to it what is asked.
func (c *call) lookUp() error {
	id := c.in.str("SecretId")
	if c.op.checkName {
		if err := checkName(id); err != nil {
			return err
		}
	}
	c.secret = c.srv.findLocked(c.caller.account, c.region, id, c.now)
	if err := c.authorize(c.op.name, c.secret, id); err != nil {
		return err
	}
	switch {
	case c.secret == nil:
		return errNotFound
	case c.secret.replica && !c.op.onReplica:
		return errReplica
	case c.secret.dying() && !c.op.onDying:
		return errDeleted
	}
	return nil
}

// change announces that the call is about to change its secret: the present
// state is kept for reads that lag, and LastChangedDate moves.
func (c *call) change() { c.srv.changeLocked(c.secret, c.now) }

func (s *Server) changeLocked(sec *secret, now time.Time) {
	sec.remember(now, s.lag)
	sec.changed = now
	sec.realm.edits++
}

// refuse answers a request that is none of the operations.
func (s *Server) refuse(err error) answer {
	var a answer
	a.id = requestID()
	a.encode(nil, err)
	return a
}
