package secretstest

import (
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/policy"
)

// Limits of the service.
const (
	maxStages      = 20    // staging labels over all versions of a secret
	maxVersions    = 100   // versions above which unlabelled ones are removed
	maxValue       = 65536 // bytes of a value
	maxTags        = 50
	maxSecrets     = 500_000 // in a region
	keepVersionFor = 24 * time.Hour
)

// A tag is a key and its value.
type tag struct {
	Key   string
	Value string
}

// A content is what a secret and its replicas share: everything but the
// region. The server's lock guards it.
type content struct {
	name          string
	description   string
	kind          string // the Type of a managed external secret
	owningService string
	primaryRegion string // "" until it is first replicated
	created       time.Time
	changed       time.Time
	tags          []tag // nil until the first one
	versions      []*version
	byID          map[string]*version
	policy        *policy.Policy // nil when there is none
	policyText    string
	rotation      rotationState
	replicas      []*replication
	lastSeq       uint64 // of the newest version
	history       []past // older states, oldest first; see remember
}

// A past is a state that a secret was in until a moment.
type past struct {
	until time.Time
	state *content
}

// clone returns a copy that shares nothing with c that changes. The copy has
// no history.
func (c *content) clone() *content {
	d := *c
	d.history = nil
	d.tags = slices.Clone(c.tags)
	d.replicas = slices.Clone(c.replicas)
	d.versions = make([]*version, len(c.versions))
	d.byID = make(map[string]*version, len(c.byID))
	for i, v := range c.versions {
		w := *v
		w.stages = slices.Clone(v.stages)
		d.versions[i] = &w
		d.byID[w.id] = &w
	}
	d.rotation.metadata = slices.Clone(c.rotation.metadata)
	return &d
}

// remember keeps the present state for reads that lag. It is called before
// each change. Only the last state is kept, and those younger than keep.
func (c *content) remember(now time.Time, keep time.Duration) {
	c.history = append(c.history, past{now, c.clone()})
	old := 0
	for old < len(c.history)-1 && now.Sub(c.history[old].until) > keep {
		old++
	}
	c.history = slices.Delete(c.history, 0, old)
}

// before returns the state before the last change, which is c itself when
// nothing was ever changed.
func (c *content) before() *content {
	if len(c.history) == 0 {
		return c
	}
	return c.history[len(c.history)-1].state
}

// at returns the state at time t.
func (c *content) at(t time.Time) *content {
	for _, p := range c.history {
		if p.until.After(t) {
			return p.state
		}
	}
	return c
}

// holder returns the version that has a label, or nil.
func (c *content) holder(stage string) *version {
	for i := len(c.versions) - 1; i >= 0; i-- {
		if c.versions[i].has(stage) {
			return c.versions[i]
		}
	}
	return nil
}

// add makes a new version without labels.
func (c *content) add(id string, val value, kmsKeyID string, now time.Time) *version {
	c.lastSeq++
	v := &version{id: id, seq: c.lastSeq, value: val, created: now, kmsKeyID: kmsKeyID}
	c.versions = append(c.versions, v)
	c.byID[id] = v
	return v
}

// drop removes a version and its labels.
func (c *content) drop(id string) {
	delete(c.byID, id)
	c.versions = slices.DeleteFunc(c.versions, func(v *version) bool { return v.id == id })
}

// detach takes a label off the version that has it and returns that version.
func (c *content) detach(stage string) *version {
	v := c.holder(stage)
	if v != nil {
		v.stages = slices.DeleteFunc(v.stages, func(s string) bool { return s == stage })
	}
	return v
}

// attach moves a label to v. Moving AWSCURRENT moves AWSPREVIOUS to the version
// that it leaves, and off v.
func (c *content) attach(stage string, v *version) {
	if v.has(stage) {
		return
	}
	from := c.detach(stage)
	v.stages = append(v.stages, stage)
	if stage == stageCurrent && from != nil {
		c.detach(stagePrevious)
		from.stages = append(from.stages, stagePrevious)
	}
}

// supersede moves AWSCURRENT to v, the newest version, and takes AWSPENDING off
// the version that it leaves.
func (c *content) supersede(v *version) {
	if old := c.holder(stageCurrent); old != nil && old != v && old.has(stagePending) {
		c.detach(stagePending)
	}
	c.attach(stageCurrent, v)
}

// stageCount returns the number of labels that are attached once extra are
// attached too.
func (c *content) stageCount(extra []string) int {
	all := map[string]bool{}
	for _, v := range c.versions {
		for _, s := range v.stages {
			all[s] = true
		}
	}
	for _, s := range extra {
		all[s] = true
	}
	return len(all)
}

// prune removes the oldest versions without labels while there are more than a
// hundred, but never one younger than a day.
func (c *content) prune(now time.Time) {
	over := len(c.versions) - maxVersions
	if over <= 0 {
		return
	}
	c.versions = slices.DeleteFunc(c.versions, func(v *version) bool {
		if over <= 0 || len(v.stages) > 0 || now.Sub(v.created) < keepVersionFor {
			return false
		}
		over--
		delete(c.byID, v.id)
		return true
	})
}

// stages returns the labels of each version that has any, or nil.
func (c *content) stages() map[string][]string {
	var m map[string][]string
	for _, v := range c.versions {
		if len(v.stages) > 0 {
			if m == nil {
				m = make(map[string][]string)
			}
			m[v.id] = slices.Clone(v.stages)
		}
	}
	return m
}

// outstanding returns the version that a rotation is making: the one with
// AWSPENDING, unless it is current as well. It is nil when no rotation is
// outstanding.
func (c *content) outstanding() *version {
	v := c.holder(stagePending)
	if v == nil || v.has(stageCurrent) {
		return nil
	}
	return v
}

// tagMap returns the tags by key.
func (c *content) tagMap() map[string]string {
	m := make(map[string]string, len(c.tags))
	for _, t := range c.tags {
		m[t.Key] = t.Value
	}
	return m
}

// newContent returns an empty secret.
func newContent(name string, now time.Time) *content {
	return &content{
		name:    name,
		created: now,
		changed: now,
		byID:    make(map[string]*version),
	}
}
