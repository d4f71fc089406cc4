package secretsdebug

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A severity says how urgently a secret needs attention.
type severity int

const (
	fine     severity = iota // nothing to do
	notice                   // something is going on that ends by itself, as a rule
	warning                  // it serves, and would not for ever: somebody has to act
	critical                 // reads fail
)

var severities = [...]string{fine: "ok", notice: "notice", warning: "warning", critical: "critical"}

// String returns the level in a word.
func (w severity) String() string { return severities[w] }

// A reason says why a secret needs attention.
type reason struct {
	level severity
	text  string
	since time.Time // zero: not known
}

// stuckAfter is how long a rotation, which takes seconds, may be outstanding.
const stuckAfter = time.Hour

// judge returns the reasons why a secret needs attention, the worst first.
func judge(st *secrets.Status, now time.Time) []reason {
	var found []reason
	add := func(level severity, since time.Time, format string, args ...any) {
		found = append(found, reason{level, fmt.Sprintf(format, args...), since})
	}
	switch {
	case st.Version == "":
		add(critical, st.Confirmed, "no version can be served")
	case !st.StaleSince.IsZero():
		add(warning, st.StaleSince, "stale: served past its TTL, unconfirmed")
	}
	if st.Failures > 0 {
		level := notice
		if st.Version == "" {
			level = critical
		}
		add(level, st.FailingSince, "refresh fails: %s, %s", st.LastClass, plural(st.Failures, "time", "times"))
	}
	for _, e := range st.Refused {
		refused(&e, add)
	}
	for _, e := range st.Pins {
		add(notice, e.Time, "%s uses version %s (%s): the current one was rejected", cmp.Or(e.Type, "a handle"), short(e.Version), e.Stage)
	}
	rotating(st, now, add)
	slices.SortStableFunc(found, func(a, b reason) int { return cmp.Compare(b.level, a.level) })
	return found
}

type addFunc = func(level severity, since time.Time, format string, args ...any)

// refused is a version that a type does not decode.
func refused(e *secrets.Event, add addFunc) {
	field := ""
	if e.Field != "" {
		field = fmt.Sprintf(" (field %s)", e.Field)
	}
	if e.From == "" {
		add(critical, e.Time, "version %s does not decode as %s%s, and no other does", short(e.Version), e.Type, field)
		return
	}
	add(warning, e.Time, "%s still uses version %s: version %s does not decode%s", e.Type, short(e.From), short(e.Version), field)
}

func rotating(st *secrets.Status, now time.Time, add addFunc) {
	switch r := st.Rotation; {
	case r.Phase == secrets.RotationFailed || r.Phase == secrets.RotationInProgress && !r.Since.IsZero() && now.Sub(r.Since) > stuckAfter:
		add(warning, r.Since, "rotation is stuck: see its function's log")
	case r.Phase == secrets.RotationInProgress:
		add(notice, r.Since, "rotation under way")
	case r.Phase == secrets.RotationDue && !r.NextRotation.IsZero() && now.After(r.NextRotation):
		add(warning, r.NextRotation, "rotation is overdue")
	}
}

// level returns the level of the worst reason.
func level(reasons []reason) severity {
	if len(reasons) == 0 {
		return fine
	}
	return reasons[0].level
}

// worse compares two rows. The worse comes first, then the one that has lasted
// longer, then by name.
func worse(a, b *row) int {
	since := func(r *row) time.Time {
		if len(r.reasons) == 0 || r.reasons[0].since.IsZero() {
			return time.Unix(1<<40, 0)
		}
		return r.reasons[0].since
	}
	return cmp.Or(cmp.Compare(b.severity, a.severity), since(a).Compare(since(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// short returns the beginning of a version id, long enough to distinguish it.
func short(version string) string {
	if len(version) <= 8 {
		return version
	}
	return version[:8]
}
