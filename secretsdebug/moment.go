package secretsdebug

import (
	"cmp"
	"fmt"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// group says which color an event has on a timeline.
func (m *moment) group() string {
	switch m.Kind {
	case secrets.EventAdopted, secrets.EventRecovered, secrets.EventRotated, secrets.EventUnpinned:
		return "good"
	case secrets.EventDropped, secrets.EventTooOld, secrets.EventRefused, secrets.EventRotationStuck:
		return "bad"
	case secrets.EventFailed, secrets.EventStale, secrets.EventRejected, secrets.EventPinned, secrets.EventUnavailable:
		return "warn"
	}
	return "plain"
}

// sentence describes the event.
func (m *moment) sentence() string {
	s := m.plain()
	if m.times > 1 && m.Kind != secrets.EventFailed {
		s += fmt.Sprintf(" (%d times)", m.times)
	}
	if m.text != "" {
		s += ": " + m.text
	}
	return s
}

func (m *moment) plain() string {
	v, from := short(m.Version), short(m.From)
	switch m.Kind {
	case secrets.EventAdopted:
		return "version " + v + " adopted" + optional(", in place of ", from) + optional(", noticed by ", m.How)
	case secrets.EventRefused:
		return "version " + v + " does not decode as " + m.Type + optional(", field ", m.Field) + optional(": kept ", from)
	case secrets.EventFailed:
		return "refresh failed" + optional(": ", string(m.Class)) + ", " + plural(m.Attempt, "time", "times in a row")
	case secrets.EventStale:
		return "stale: still served past its TTL"
	case secrets.EventRecovered:
		return "the service answers again, after " + plural(m.Attempt, "failure", "failures")
	case secrets.EventDropped:
		return "left the cache, the service refused it" + optional(": ", string(m.Class))
	case secrets.EventTooOld:
		return "version " + v + " left the cache: not confirmed for too long"
	case secrets.EventRecreated:
		return "deleted and recreated: what was cached left the cache"
	case secrets.EventEvicted:
		return "evicted: the cache was full"
	case secrets.EventUnavailable:
		return cmp.Or(m.Operation, "an operation") + " is not permitted, or does not exist"
	}
	return m.rotationPlain(v, from)
}

func (m *moment) rotationPlain(v, from string) string {
	switch m.Kind {
	case secrets.EventRejected:
		return "version " + v + optional(", ", m.Stage) + ", rejected in use"
	case secrets.EventPinned:
		return cmp.Or(m.Type, "a handle") + " uses version " + v + optional(", ", m.Stage) + optional(", in place of ", from)
	case secrets.EventUnpinned:
		return cmp.Or(m.Type, "a handle") + " uses the current version again" + optional(", no longer ", v)
	case secrets.EventRotating:
		return "rotation began: AWSPENDING on version " + v
	case secrets.EventRotated:
		return "rotation ended: version " + v + " is no longer pending" + lasted(m.Time, m.Since)
	case secrets.EventRotationStuck:
		return "rotation stuck: AWSPENDING still on version " + v + lasted(m.Time, m.Since)
	}
	return m.Kind.String()
}

// optional returns prefix and s, or nothing if s is empty.
func optional(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func lasted(now, since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return ", after " + span(now.Sub(since))
}

// span returns a duration in its largest two units.
func span(d time.Duration) string {
	if d < 0 {
		return "-" + span(-d)
	}
	switch {
	case d < time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Minute:
		return d.Round(time.Second / 10).String()
	case d < time.Hour:
		return units(d, time.Minute, "m", time.Second, "s")
	case d < 48*time.Hour:
		return units(d, time.Hour, "h", time.Minute, "m")
	}
	return units(d, 24*time.Hour, "d", time.Hour, "h")
}

// units returns d in two units, or in one if the other is zero.
func units(d, large time.Duration, l string, small time.Duration, s string) string {
	text := fmt.Sprintf("%d%s", d/large, l)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf("%d%s", rest, s)
	}
	return text
}
