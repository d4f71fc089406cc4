package sqlcred

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-74dc7b3e/secrets/gate"
)

// A state records the server's refusals, for messages and for callers that wait.
// It is safe for concurrent use by multiple goroutines.
type state struct {
	mu     sync.Mutex // guards the fields below
	target string     // the account and the server of the last refusal
	last   string     // the server's answer; empty if it has accepted a login since
	at     time.Time  // time of that answer
	full   time.Time  // since when the server refuses every version that could be offered; zero if it does not
	warned bool       // the operator was told
}

// warnAfter is how long the server must refuse every version before the operator
// is told. A rotation causes this for a moment.
const warnAfter = time.Second

// refused records that the server refused a version, or that the gate held the
// version back because of an earlier refusal. refusal must not contain a
// password. refused reports whether it is time to tell the operator that the
// server refuses every version.
func (s *state) refused(v *version, refusal *gate.RefusedError) (warn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !refusal.Barred || s.last == "" {
		s.target, s.last, s.at = v.login.target(), refusal.Err.Error(), time.Now()
	}
	if !refusal.TooSoon() {
		return false
	}
	if s.full.IsZero() {
		s.full = time.Now()
	}
	warn = !s.warned && time.Since(s.full) >= warnAfter
	s.warned = s.warned || warn
	return warn
}

// accepted records that the server accepted a version. If the operator was told
// that the server refused every version, told is true, and after is how long the
// refusals lasted.
func (s *state) accepted() (after time.Duration, told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	after, told = time.Since(s.full), s.warned
	s.last, s.full, s.warned = "", time.Time{}, false
	return after, told
}

// refusing reports since when the server refuses every version.
func (s *state) refusing() (since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full, !s.full.IsZero()
}

// answer describes the server's last refusal, or returns "" if the server has
// accepted a login since.
func (s *state) answer() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == "" {
		return ""
	}
	said := fmt.Sprintf("the server's last answer to %s, %v ago: %s", s.target, time.Since(s.at).Round(time.Millisecond), s.last)
	if !s.full.IsZero() {
		said += fmt.Sprintf("; it has refused every version for %v", time.Since(s.full).Round(time.Millisecond))
	}
	return said
}

// target describes the account and the server.
func (l Login) target() string {
	return fmt.Sprintf("user %q at %s", l.Username, l.plain().Address())
}

// warn tells the operator that the server refuses every version.
func (c *Connector) warn(l Login, answer string) {
	c.logger().Warn("sqlcred: the database refuses every version of the secret that could be offered; no new connection can be made until it accepts one or the secret has another",
		slog.String("secret", c.id), slog.String("user", l.Username), slog.String("server", l.plain().Address()),
		slog.String("version", l.VersionID), slog.String("answer", answer))
}

// recovered tells the operator that logins succeed again.
func (c *Connector) recovered(l Login, after time.Duration) {
	c.logger().Info("sqlcred: the database accepts logins again",
		slog.String("secret", c.id), slog.String("user", l.Username), slog.String("server", l.plain().Address()),
		slog.String("version", l.VersionID), slog.Duration("after", after))
}

func (c *Connector) logger() *slog.Logger {
	if c.options.Logger != nil {
		return c.options.Logger
	}
	return slog.Default()
}
