package secretstest

import (
	"cmp"
	"slices"
	"time"
)

// maxHistory is how many older states of a secret are kept. A read that lags
// behind further changes sees the oldest of them.
const maxHistory = 4096

// A past is the state of a secret until a moment. It stores only versions with
// labels: a version without labels never changes, so it is read from the
// present state.
type past struct {
	until    time.Time
	metadata *content
	labelled []version
}

// remember keeps the present state for reads that lag. It is called before
// each change.
func (c *content) remember(now time.Time) {
	p := past{until: now, metadata: c.metadata(), labelled: make([]version, len(c.labelled))}
	for i, v := range c.labelled {
		p.labelled[i] = *v
		p.labelled[i].stages = slices.Clone(v.stages)
	}
	c.history = append(c.history, p)
	if len(c.history) >= 2*maxHistory {
		c.history = slices.Clone(c.history[maxHistory:])
	}
}

// before returns the state before the last change, which is c itself when
// nothing was ever changed.
func (c *content) before() *content {
	if len(c.history) == 0 {
		return c
	}
	return c.history[len(c.history)-1].of(c)
}

// at returns the state at time t.
func (c *content) at(t time.Time) *content {
	i, _ := slices.BinarySearchFunc(c.history, t, func(p past, t time.Time) int {
		if p.until.After(t) {
			return 1
		}
		return -1
	})
	if i == len(c.history) {
		return c
	}
	return c.history[i].of(c)
}

// of returns the whole of an older state of c. Versions that have been pruned
// since are missing, unless they had labels.
func (p *past) of(c *content) *content {
	d := *p.metadata
	all := slices.Clone(p.labelled)
	had := func(id string) bool {
		return slices.ContainsFunc(p.labelled, func(v version) bool { return v.id == id })
	}
	for _, v := range c.versions {
		if v.seq <= d.lastSeq && !had(v.id) {
			w := *v
			w.stages = nil
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(v, w version) int { return cmp.Compare(v.seq, w.seq) })
	d.hold(all)
	return &d
}
