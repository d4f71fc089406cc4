package secretstest

import (
	"fmt"
	"slices"
	"time"
)

// Outcomes of calls without an error code. The outcome of any other call is its
// error code, for instance "ThrottlingException".
const (
	OutcomeOK        = "OK"
	OutcomeDropped   = "Dropped"   // a fault dropped the connection
	OutcomeTruncated = "Truncated" // a fault cut the response short
	OutcomeGarbage   = "Garbage"   // a fault sent garbage
	OutcomeCanceled  = "Canceled"  // the caller went away during a fault's latency
)

// A Call is one call that reached the server. As an argument of Calls and Count
// it is a pattern: a call matches if it equals the pattern in every field that
// the pattern sets.
type Call struct {
	Time      time.Time // when it arrived
	Op        string    // "GetSecretValue"
	Secret    string    // the name of the secret, also if the request has its ARN
	SecretID  string    // SecretId or Name as in the request
	SecretIDs []string  // SecretIdList of a BatchGetSecretValue
	VersionID string    // as in the request
	Stage     string    // VersionStage as in the request
	Identity  string    // the ARN of the caller
	Region    string
	Outcome   string // OutcomeOK, an error's code, ...; empty during the call
}

// String describes the call in one line.
func (c Call) String() string {
	s := c.Op
	if c.Secret != "" {
		s += fmt.Sprintf(" %q", c.Secret)
	}
	if len(c.SecretIDs) > 0 {
		s += fmt.Sprintf(" %q", c.SecretIDs)
	}
	if c.VersionID != "" {
		s += " version " + c.VersionID
	}
	if c.Stage != "" {
		s += " stage " + c.Stage
	}
	return s + " in " + c.Region + " by " + c.Identity + ": " + c.Outcome
}

// matches reports whether c agrees with a pattern.
func (c *Call) matches(p *Call) bool {
	return (p.Time.IsZero() || p.Time.Equal(c.Time)) &&
		(p.Op == "" || p.Op == c.Op) &&
		(p.Secret == "" || p.Secret == c.Secret) &&
		(p.SecretID == "" || p.SecretID == c.SecretID) &&
		(p.SecretIDs == nil || slices.Equal(p.SecretIDs, c.SecretIDs)) &&
		(p.VersionID == "" || p.VersionID == c.VersionID) &&
		(p.Stage == "" || p.Stage == c.Stage) &&
		(p.Identity == "" || p.Identity == c.Identity) &&
		(p.Region == "" || p.Region == c.Region) &&
		(p.Outcome == "" || p.Outcome == c.Outcome)
}

// Calls returns the calls that match one of the patterns, oldest first. Without
// a pattern it returns all. It includes calls by rotation functions, but not
// those by the helpers. A call is recorded when it arrives, so a call that a
// fault delays has an empty Outcome.
func (s *Server) Calls(patterns ...Call) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for c := range s.ledger.all {
		if matchesAny(c, patterns) {
			out = append(out, *c)
		}
	}
	return out
}

// Count returns how many calls Calls would return.
func (s *Server) Count(patterns ...Call) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(patterns) == 0 {
		return s.ledger.len()
	}
	n := 0
	for c := range s.ledger.all {
		if matchesAny(c, patterns) {
			n++
		}
	}
	return n
}

// ResetCalls empties the ledger.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = ledger{limit: s.opts.Ledger}
}

func matchesAny(c *Call, patterns []Call) bool {
	if len(patterns) == 0 {
		return true
	}
	for i := range patterns {
		if c.matches(&patterns[i]) {
			return true
		}
	}
	return false
}

// chunkSize is how many calls a ledger allocates at once.
const chunkSize = 1024

// A ledger keeps calls in chunks, so that an entry stays where it is. The
// server's lock guards it.
type ledger struct {
	limit  int
	chunks [][]Call
	gone   int // calls at the head of the first chunk that are over the limit
}

// add appends a call and returns where it is kept.
func (l *ledger) add(c Call) *Call {
	if l.limit < 0 {
		return &c
	}
	n := len(l.chunks)
	if n == 0 || len(l.chunks[n-1]) == chunkSize {
		l.chunks = append(l.chunks, make([]Call, 0, chunkSize))
		n++
	}
	last := append(l.chunks[n-1], c)
	l.chunks[n-1] = last
	if l.len() > l.limit {
		l.forget()
	}
	return &last[len(last)-1]
}

// forget drops the oldest call.
func (l *ledger) forget() {
	l.gone++
	if l.gone == len(l.chunks[0]) && len(l.chunks) > 1 {
		l.chunks = slices.Delete(l.chunks, 0, 1)
		l.gone = 0
	}
}

// len returns the number of calls that are kept.
func (l *ledger) len() int {
	n := len(l.chunks)
	if n == 0 {
		return 0
	}
	return (n-1)*chunkSize + len(l.chunks[n-1]) - l.gone
}

// all yields the calls that are kept, oldest first.
func (l *ledger) all(yield func(*Call) bool) {
	skip := l.gone
	for _, chunk := range l.chunks {
		for i := range chunk[skip:] {
			if !yield(&chunk[skip+i]) {
				return
			}
		}
		skip = 0
	}
}
