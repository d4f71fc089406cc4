package sqlcred

import (
	"fmt"
	"sync"
	"time"
)

// A state is what a connector remembers of the server's refusals, for messages.
// It is safe for concurrent use by multiple goroutines.
type state struct {
	mu   sync.Mutex // guards the fields below
	last string     // the server's last answer, and to whom
	at   time.Time  // when it came
}

// refused notes that the server refused a version. err is free of passwords.
func (s *state) refused(v *version, stage string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = fmt.Sprintf("the server's last answer to %s: %v", v.login.target(), err)
	s.at = time.Now()
}

// accepted notes that the server accepted a version.
func (s *state) accepted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = ""
}

// answer returns what the server said last, if it has accepted nothing since.
func (s *state) answer() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// target describes the account and the server.
func (l Login) target() string {
	return fmt.Sprintf("user %q at %s", l.Username, l.plain().Address())
}
