package secrets

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// The staging labels that Secrets Manager moves itself.
const (
	Current  = "AWSCURRENT"  // the version that readers get
	Pending  = "AWSPENDING"  // the version that a rotation has created
	Previous = "AWSPREVIOUS" // the version that was current before the present one
)

// A Selector names a version of a secret by a staging label or by its id. The
// zero Selector means [Current]. Create one with [Stage] or [VersionID].
type Selector struct {
	stage, id string
	empty     string // what the empty string was meant to be
}

// Stage selects the version that has a staging label.
func Stage(label string) Selector {
	if label == "" {
		return Selector{empty: "staging label"}
	}
	return Selector{stage: label}
}

// VersionID selects a version by its id.
func VersionID(id string) Selector {
	if id == "" {
		return Selector{empty: "version id"}
	}
	return Selector{id: id}
}

// check returns an error for a selector made from an empty string. Otherwise a
// variable that was never set would select the current version.
func (s Selector) check() error {
	if s.empty != "" {
		return fmt.Errorf("the %s is empty", s.empty)
	}
	return nil
}

// String returns the label, or "version" and the id.
func (s Selector) String() string {
	switch {
	case s.id != "":
		return "version " + s.id
	case s.stage != "":
		return s.stage
	case s.empty != "":
		return "empty " + s.empty
	}
	return Current
}

func (s Selector) isCurrent() bool { return s == Selector{} || s == Selector{stage: Current} }

// labels says which version id each staging label names.
type labels map[string]string

// labelsOf inverts the service's map from version ids to labels.
func labelsOf(stages map[string][]string) labels {
	l := make(labels, len(stages))
	for id, names := range stages {
		for _, name := range names {
			l[intern(name)] = id
		}
	}
	return l
}

// outstanding returns the version id that a rotation has created. It returns ""
// if no rotation is outstanding. AWSPENDING may stay on a version that has
// become current; then no rotation is outstanding.
func (l labels) outstanding() string {
	if p := l[Pending]; p != "" && p != l[Current] {
		return p
	}
	return ""
}

// of returns the labels of a version in order.
func (l labels) of(id string) []string {
	var names []string
	for name, v := range l {
		if v == id {
			names = append(names, name)
		}
	}
	sortLabels(names)
	return names
}

// ordered returns labels that name distinct versions: AWSCURRENT, AWSPENDING,
// AWSPREVIOUS, and then the custom ones by name. For a version with several
// labels it returns the first.
func (l labels) ordered() []string {
	names := slices.Collect(maps.Keys(l))
	sortLabels(names)
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		if seen[l[name]] {
			return true
		}
		seen[l[name]] = true
		return false
	})
}

func sortLabels(names []string) {
	rank := func(name string) int {
		switch name {
		case Current:
			return 0
		case Pending:
			return 1
		case Previous:
			return 2
		}
		return 3
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

// intern returns name, using the constant's memory if name is a standard label:
// thousands of secrets have the same few labels.
func intern(name string) string {
	switch name {
	case Current:
		return Current
	case Pending:
		return Pending
	case Previous:
		return Previous
	}
	return name
}

var onlyCurrent, noStages = []string{Current}, []string{}

// internStages returns stages in little memory, because most secrets have the
// same ones.
func internStages(stages []string) *[]string {
	if len(stages) == 0 {
		return &noStages
	}
	if len(stages) == 1 && stages[0] == Current {
		return &onlyCurrent
	}
	s := make([]string, len(stages))
	for i, name := range stages {
		s[i] = intern(name)
	}
	return &s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
