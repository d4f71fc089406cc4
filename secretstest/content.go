package secretstest

import (
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/filter"
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
type tag = filter.Tag

// A content is the part that a secret and its replicas share: everything but
// the region. The server's lock guards it.
type content struct {
	name          string
	description   string
	kind          string // the Type of a managed external secret
	owningService string
	primaryRegion string // "" until it is first replicated
	created       time.Time
	changed       time.Time
	tags          []tag               // nil until the first one
	versions      []*version          // in the order of their making
	labelled      []*version          // those that have labels
	index         map[string]*version // by id; nil while there are few
	policy        *policy.Policy      // nil when there is none
	policyText    string
	rotated       *rotationState // nil until there is something to know
	replicas      []*replication
	lastSeq       uint64                           // of the newest version
	onLabel       func(*content, string, *version) // called for labels that move; may be nil
	history       []past                           // older states, oldest first; see remember
}

// fewVersions is how many versions are searched one by one.
const fewVersions = 16

// version returns the version with an id, or nil.
func (c *content) version(id string) *version {
	if c.index != nil {
		return c.index[id]
	}
	for _, v := range c.versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

// clone returns a copy that shares nothing with c that changes. The copy has
// no history.
func (c *content) clone() *content {
	d := c.metadata()
	copies := make([]version, len(c.versions))
	for i, v := range c.versions {
		copies[i] = *v
		copies[i].stages = slices.Clone(v.stages)
	}
	d.hold(copies)
	return d
}

// metadata returns a copy of c without its versions and its history.
func (c *content) metadata() *content {
	d := *c
	d.versions, d.labelled, d.index, d.history = nil, nil, nil, nil
	d.tags = slices.Clone(c.tags)
	d.replicas = slices.Clone(c.replicas)
	if c.rotated != nil {
		st := *c.rotated
		st.metadata = slices.Clone(st.metadata)
		d.rotated = &st
	}
	return &d
}

// hold makes c hold versions, in ascending order, and no others.
func (c *content) hold(all []version) {
	c.versions = make([]*version, len(all))
	for i := range all {
		v := &all[i]
		c.versions[i] = v
		if len(v.stages) > 0 {
			c.labelled = append(c.labelled, v)
		}
	}
	c.reindex()
}

// reindex rebuilds the index if there are enough versions.
func (c *content) reindex() {
	c.index = nil
	if len(c.versions) <= fewVersions {
		return
	}
	c.index = make(map[string]*version, len(c.versions))
	for _, v := range c.versions {
		c.index[v.id] = v
	}
}

// holder returns the version that has a label, or nil.
func (c *content) holder(stage string) *version {
	for _, v := range c.labelled {
		if v.has(stage) {
			return v
		}
	}
	return nil
}

// add makes a new version without labels.
func (c *content) add(id string, val value, kmsKeyID string, now time.Time) *version {
	c.lastSeq++
	v := &version{id: id, seq: c.lastSeq, value: val, created: now, kmsKeyID: kmsKeyID}
	c.versions = append(c.versions, v)
	switch {
	case c.index != nil:
		c.index[id] = v
	case len(c.versions) > fewVersions:
		c.reindex()
	}
	return v
}

// drop removes a version and its labels.
func (c *content) drop(id string) {
	named := func(v *version) bool { return v.id == id }
	c.versions = slices.DeleteFunc(c.versions, named)
	c.labelled = slices.DeleteFunc(c.labelled, named)
	delete(c.index, id)
}

// detach takes a label off the version that has it and returns that version.
func (c *content) detach(stage string) *version {
	v := c.holder(stage)
	if v != nil {
		v.stages = slices.DeleteFunc(v.stages, func(s string) bool { return s == stage })
		if len(v.stages) == 0 {
			c.labelled = slices.DeleteFunc(c.labelled, func(w *version) bool { return w == v })
		}
	}
	return v
}

// label puts a label on a version, off which it was.
func (c *content) label(stage string, v *version) {
	if len(v.stages) == 0 {
		c.labelled = append(c.labelled, v)
	}
	v.stages = append(v.stages, stage)
	if c.onLabel != nil {
		c.onLabel(c, stage, v)
	}
}

// attach moves a label to v. Moving AWSCURRENT moves AWSPREVIOUS to the version
// that it leaves, and off v.
func (c *content) attach(stage string, v *version) {
	if v.has(stage) {
		return
	}
	from := c.detach(stage)
	c.label(stage, v)
	if stage == stageCurrent && from != nil {
		c.detach(stagePrevious)
		c.label(stagePrevious, from)
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
	for _, v := range c.labelled {
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
	if over <= 0 || now.Sub(c.versions[0].created) < keepVersionFor {
		return
	}
	kept := c.versions[:0]
	for i, v := range c.versions {
		if over <= 0 || now.Sub(v.created) < keepVersionFor {
			kept = append(kept, c.versions[i:]...)
			break
		}
		if len(v.stages) > 0 {
			kept = append(kept, v)
			continue
		}
		over--
		delete(c.index, v.id)
	}
	clear(c.versions[len(kept):])
	c.versions = kept
}

// stages returns the labels of each version that has any, or nil.
func (c *content) stages() map[string][]string {
	var m map[string][]string
	for _, v := range c.labelled {
		if m == nil {
			m = make(map[string][]string, len(c.labelled))
		}
		m[v.id] = slices.Clone(v.stages)
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

// newContent returns an empty secret.
func (s *Server) newContent(name string, now time.Time) *content {
	return &content{
		name:    name,
		created: now,
		changed: now,
		onLabel: s.onLabel,
	}
}
