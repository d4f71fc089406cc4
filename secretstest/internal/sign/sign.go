// Package sign reads and checks signatures of version 4.
package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Request is a signed request.
type Request struct {
	Method string
	Host   string
	Path   string // as it was sent
	Query  url.Values
	Header http.Header
	Body   []byte
}

// A Signature is the signature of a request, taken apart.
type Signature struct {
	AccessKey string
	Date      string // of the credential scope, as in 20060102
	Region    string
	Service   string
	signed    string // the names of the headers that are signed
	Token     string // of a session
	presigned bool
	signature string
	time      string // as in 20060102T150405Z
	expires   string // seconds, of a presigned request
}

// Errors of signatures. ErrIncomplete says that a signature cannot be parsed.
var (
	ErrIncomplete = errors.New("incomplete signature")
	ErrMismatch   = errors.New("signature does not match")
)

// A SkewError says that the time of a signature is too far from the server's.
type SkewError struct {
	Signed, Now time.Time
	Window      time.Duration
}

// Error returns the service's text.
func (e *SkewError) Error() string {
	const layout = "20060102T150405Z"
	signed, now := e.Signed.UTC(), e.Now.UTC()
	minutes := " (" + now.Format(layout) + " - 5 min.)"
	if signed.After(now) {
		return "Signature not yet current: " + signed.Format(layout) + " is still later than " + now.Add(e.Window).Format(layout) +
			strings.Replace(minutes, " - ", " + ", 1)
	}
	return "Signature expired: " + signed.Format(layout) + " is now earlier than " + now.Add(-e.Window).Format(layout) + minutes
}

const algorithm = "AWS4-HMAC-SHA256"

// Parse takes the signature of a request apart, in its Authorization header or,
// if it is presigned, in its query. It returns nil for a request without one.
func Parse(r *Request) (*Signature, error) {
	if auth := first(r.Header, "Authorization"); auth != "" {
		return parseHeader(r, auth)
	}
	if r.Query.Has("X-Amz-Credential") || r.Query.Has("X-Amz-Signature") {
		s := &Signature{presigned: true, signature: r.Query.Get("X-Amz-Signature"), time: r.Query.Get("X-Amz-Date"),
			expires: r.Query.Get("X-Amz-Expires"), Token: r.Query.Get("X-Amz-Security-Token"),
			signed: r.Query.Get("X-Amz-SignedHeaders")}
		return s, s.scope(r.Query.Get("X-Amz-Credential"))
	}
	return nil, nil
}

func parseHeader(r *Request, auth string) (*Signature, error) {
	if !strings.HasPrefix(auth, "AWS4-") {
		return nil, ErrIncomplete
	}
	s := &Signature{time: first(r.Header, "X-Amz-Date"), Token: first(r.Header, "X-Amz-Security-Token")}
	s.signed, s.signature = parameter(auth, "SignedHeaders="), parameter(auth, "Signature=")
	return s, s.scope(parameter(auth, "Credential="))
}

// parameter returns the value of a parameter in an Authorization header.
func parameter(auth, name string) string {
	_, value, _ := strings.Cut(auth, name)
	if i := strings.IndexAny(value, ", "); i >= 0 {
		value = value[:i]
	}
	return value
}

func (s *Signature) scope(credential string) error {
	end := ""
	s.AccessKey, end, _ = strings.Cut(credential, "/")
	s.Date, end, _ = strings.Cut(end, "/")
	s.Region, end, _ = strings.Cut(end, "/")
	s.Service, end, _ = strings.Cut(end, "/")
	if s.AccessKey == "" || s.Region == "" || len(s.Region) > 128 || end != "aws4_request" {
		return ErrIncomplete
	}
	return nil
}

// CheckTime checks the time of a signature. It is good for five minutes before
// and after, a presigned one for as long as it says.
func (s *Signature) CheckTime(now time.Time) error {
	at, err := time.Parse("20060102T150405Z", s.time)
	if err != nil || !strings.HasPrefix(s.time, s.Date) {
		return ErrMismatch
	}
	const window = 5 * time.Minute
	late := window
	if s.presigned {
		if d, err := time.ParseDuration(s.expires + "s"); err == nil {
			late = d
		}
	}
	if now.Sub(at) > late || at.Sub(now) > window {
		return &SkewError{Signed: at, Now: now, Window: window}
	}
	return nil
}

// Verify checks a signature of a request, and its time, by its secret access
// key.
func (s *Signature) Verify(r *Request, secret string, now time.Time) error {
	if err := s.CheckTime(now); err != nil {
		return err
	}
	if !slices.Contains(s.headers(), "host") {
		return ErrMismatch
	}
	scope := s.Date + "/" + s.Region + "/" + s.Service + "/aws4_request"
	sum := sha256.Sum256([]byte(s.canonical(r)))
	text := algorithm + "\n" + s.time + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.Date, s.Region, s.Service, "aws4_request", text} {
		key = mac(key, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(s.signature)) {
		return ErrMismatch
	}
	return nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// headers returns the names of the headers that are signed.
func (s *Signature) headers() []string { return strings.Split(strings.ToLower(s.signed), ";") }

// canonical returns the canonical form of a request.
func (s *Signature) canonical(r *Request) string {
	path := r.Path
	if path == "" {
		path = "/"
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n" + canonicalQuery(r.Query) + "\n")
	for _, name := range s.headers() {
		b.WriteString(name + ":" + headerText(r, name) + "\n")
	}
	sum := sha256.Sum256(r.Body)
	b.WriteString("\n" + strings.Join(s.headers(), ";") + "\n" + hex.EncodeToString(sum[:]))
	return b.String()
}

func canonicalQuery(q url.Values) string {
	rest := url.Values{}
	for name, values := range q {
		if name != "X-Amz-Signature" {
			rest[name] = slices.Sorted(slices.Values(values))
		}
	}
	return strings.ReplaceAll(rest.Encode(), "+", "%20")
}

// headerText returns a header's values, each without needless spaces.
func headerText(r *Request, name string) string {
	values := r.Header[http.CanonicalHeaderKey(name)]
	switch {
	case name == "host":
		values = []string{r.Host}
	case name == "content-length" && len(values) == 0:
		values = []string{strconv.Itoa(len(r.Body))}
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(trimmed, ",")
}

// first returns the first value of a header without allocating.
func first(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}
