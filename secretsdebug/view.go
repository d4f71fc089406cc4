package secretsdebug

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A source provides the data of a page. *secrets.Client implements it.
type source interface {
	Stats() secrets.Stats
	Statuses() iter.Seq[secrets.Status]
}

// A row is one secret in the list. It is encoded to JSON unchanged.
type row struct {
	Key        string    `json:"key"` // its ARN, or its id
	Name       string    `json:"name"`
	ARN        string    `json:"arn,omitempty"`
	Alias      []string  `json:"aliases,omitempty"`
	Severity   string    `json:"severity"`
	Why        []why     `json:"why,omitempty"`
	Cached     bool      `json:"cached"`
	Version    string    `json:"version,omitempty"`
	Stages     []string  `json:"stages,omitempty"`
	Created    time.Time `json:"created,omitzero"`
	Adopted    time.Time `json:"adopted,omitzero"`
	Fetched    time.Time `json:"fetched,omitzero"`
	Confirmed  time.Time `json:"confirmed,omitzero"`
	Expires    time.Time `json:"expires,omitzero"`
	NextCheck  time.Time `json:"nextCheck,omitzero"`
	Checking   bool      `json:"checking,omitempty"`
	StaleSince time.Time `json:"staleSince,omitzero"`
	Failures   int       `json:"failures,omitempty"`
	Failing    time.Time `json:"failingSince,omitzero"`
	LastClass  string    `json:"lastFailureClass,omitempty"`
	LastFailed time.Time `json:"lastFailure,omitzero"`
	Rotation   rotation  `json:"rotation"`
	Watchers   int       `json:"watchers,omitempty"`
	Events     []happens `json:"events,omitempty"` // of a single secret only

	severity severity
	reasons  []reason
}

type why struct {
	Severity string    `json:"severity"`
	Text     string    `json:"text"`
	Since    time.Time `json:"since,omitzero"`
}

type rotation struct {
	Phase   string        `json:"phase"`
	Enabled bool          `json:"enabled"`
	Pending string        `json:"pendingVersion,omitempty"`
	Since   time.Time     `json:"since,omitzero"`
	Last    time.Time     `json:"last,omitzero"`
	Next    time.Time     `json:"next,omitzero"`
	Window  time.Duration `json:"windowNanoseconds,omitempty"`
}

// A happens is one event of a timeline.
type happens struct {
	Time  time.Time `json:"time"`
	Kind  string    `json:"kind"`
	Text  string    `json:"text"`
	Class string    `json:"class,omitempty"`
	Times int       `json:"times"`
	Group string    `json:"-"`
	After string    `json:"-"` // how long after the event before it
}

// rowOf makes the row of a cached secret.
func rowOf(st *secrets.Status, now time.Time) *row {
	r := &row{
		Key: cmp.Or(st.ARN, st.ID), Name: cmp.Or(st.Name, st.ID), ARN: st.ARN, Alias: st.Alias, Cached: true,
		Version: st.Version, Stages: st.Stages, Created: st.Created, Adopted: st.Adopted, Fetched: st.Fetched,
		Confirmed: st.Confirmed, Expires: st.Expires, NextCheck: st.NextCheck, Checking: st.Checking, StaleSince: st.StaleSince,
		Failures: st.Failures, Failing: st.FailingSince, LastClass: string(st.LastClass), LastFailed: st.LastFailure,
		Rotation: rotationOf(st.Rotation), Watchers: st.Watchers,
	}
	r.judged(judge(st, now))
	return r
}

func rotationOf(s secrets.RotationState) rotation {
	return rotation{Phase: s.Phase.String(), Enabled: s.Enabled, Pending: s.PendingVersion, Since: s.Since, Last: s.LastRotated, Next: s.NextRotation, Window: s.Window}
}

// judged fills in why the row needs attention.
func (r *row) judged(reasons []reason) {
	r.reasons, r.severity = reasons, level(reasons)
	r.Severity = r.severity.String()
	for _, re := range reasons {
		r.Why = append(r.Why, why{re.level.String(), re.text, re.since})
	}
}

// lostRow makes the row of a secret that left the cache because of a refusal.
func lostRow(m moment) *row {
	r := &row{Key: cmp.Or(m.ARN, m.Secret), Name: cmp.Or(m.Secret, m.ARN), ARN: m.ARN, LastClass: string(m.Class), LastFailed: m.Time,
		Rotation: rotationOf(secrets.RotationState{})}
	r.judged([]reason{{critical, m.sentence(), m.Time}})
	return r
}

// rows returns the rows of all secrets, starting with the most urgent.
func rows(src source, log *Log, now time.Time) []*row {
	var all []*row
	cached := make(map[string]bool)
	for st := range src.Statuses() {
		r := rowOf(&st, now)
		all = append(all, r)
		for _, name := range append([]string{st.ID, st.ARN, st.Name}, st.Alias...) {
			cached[name] = true
		}
	}
	if log != nil {
		for _, m := range log.lost(now) {
			if r := lostRow(m); !cached[r.Key] && !cached[r.Name] {
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, worse)
	return all
}

// find returns the row of one secret, with its timeline, or nil if there is
// none.
func find(src source, log *Log, now time.Time, key string) *row {
	for st := range src.Statuses() {
		if key != st.ARN && key != st.ID && !slices.Contains(st.Alias, key) {
			continue
		}
		r := rowOf(&st, now)
		r.Events = timeline(log, st.Recent, append([]string{st.ARN, st.ID, st.Name}, st.Alias...))
		return r
	}
	if log == nil {
		return nil
	}
	for _, m := range log.lost(now) {
		if r := lostRow(m); r.Key == key || r.Name == key {
			r.Events = timeline(log, nil, []string{m.ARN, m.Secret})
			return r
		}
	}
	return nil
}

// timeline returns the events of a secret, the latest first, from the log or
// else from the client.
func timeline(log *Log, recent []secrets.Event, names []string) []happens {
	var events []moment
	if log != nil {
		events = log.timeline(slices.DeleteFunc(names, func(s string) bool { return s == "" })...)
	}
	if len(events) == 0 {
		for _, e := range recent {
			events = append(events, keep(e))
		}
	}
	return told(events)
}

// told describes events in words, the latest first.
func told(events []moment) []happens {
	var list []happens
	for i, m := range events {
		h := happens{Time: m.Time, Kind: m.Kind.String(), Text: m.sentence(), Class: string(m.Class), Times: m.times, Group: m.group()}
		if i > 0 {
			h.After = span(m.Time.Sub(events[i-1].Time))
		}
		list = append(list, h)
	}
	slices.Reverse(list)
	return list
}

// matches reports whether a row matches the query: by a part of its name, in
// any case, or the beginning of its ARN.
func (r *row) matches(text string, attention bool) bool {
	if attention && r.severity == fine {
		return false
	}
	if strings.HasPrefix(text, "arn:") {
		return strings.HasPrefix(r.ARN, text)
	}
	contains := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(text)) }
	return text == "" || contains(r.Name) || slices.ContainsFunc(r.Alias, contains)
}

// totals are about all secrets together.
type totals struct {
	Secrets  int `json:"secrets"`
	Critical int `json:"critical"`
	Warning  int `json:"warning"`
	Notice   int `json:"notice"`
	Failing  int `json:"failing"`
	Stale    int `json:"stale"`
	Rotating int `json:"rotating"`

	Stats        secrets.Stats `json:"stats"`
	Reads        uint64        `json:"reads"`
	Calls        uint64        `json:"calls"`
	Cost         float64       `json:"costDollars"`
	UncachedCost float64       `json:"uncachedCostDollars"` // had each read been a call

	Operations map[string]callTotals `json:"operations,omitempty"`
	Since      time.Time             `json:"since,omitzero"` // of Operations
}

func totalsOf(src source, log *Log, all []*row) totals {
	t := totals{Stats: src.Stats()}
	for _, r := range all {
		switch r.severity {
		case critical:
			t.Critical++
		case warning:
			t.Warning++
		case notice:
			t.Notice++
		}
		t.Secrets += count(r.Cached)
		t.Failing += count(r.Failures > 0)
		t.Stale += count(!r.StaleSince.IsZero())
		t.Rotating += count(r.Rotation.Pending != "")
	}
	s := t.Stats
	t.Reads = s.Hits + s.Misses + s.Stale + s.Negative
	t.Calls, t.Cost = s.Calls(), s.Cost()
	t.UncachedCost = secrets.Stats{GetSecretValue: t.Reads}.Cost()
	if log != nil {
		t.Operations, t.Since = log.totals()
	}
	return t
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}
