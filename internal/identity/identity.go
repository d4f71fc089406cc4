// Package identity decides which secret an answer of the service is about. A
// secret may be asked for by its name, by its ARN and by its ARN without the
// random suffix; deleted and made again it keeps its name and has another ARN.
// The package is pure: it is told what is known and returns a verdict.
package identity

import "strings"

// A Secret is what tells one secret from all others.
type Secret struct {
	// Key is the ARN without what replicas differ in: the part after the
	// region, "account:secret:name-suffix". Where the service gives no ARN it
	// is the id that was asked for.
	Key string

	// Named says that Key ends with a hyphen and six characters which are not
	// part of the name, so that the rest names the secret in its account.
	Named bool
}

// suffix is the length of what Secrets Manager appends to the name in an ARN.
const suffix = len("-XXXXXX")

// Of returns the identity of the secret that the service says has this ARN and
// name. Key lies in the memory of arn. Nothing is guessed from the form of an
// ARN: where it is not the name and a suffix, the secret has no Space.
func Of(arn, name, asked string) Secret {
	rest, ok := strings.CutPrefix(arn, "arn:")
	for range 3 { // partition, service, region
		_, rest, _ = strings.Cut(rest, ":")
	}
	if !ok || rest == "" {
		return Secret{Key: asked}
	}
	_, resource, _ := strings.Cut(rest, ":secret:")
	named := name != "" && len(resource) == len(name)+suffix && resource[:len(name)] == name && resource[len(name)] == '-'
	return Secret{Key: rest, Named: named}
}

// Space returns what at most one secret at a time is known by: account and
// name, or the key of a secret of which that is not known.
func (s Secret) Space() string {
	if !s.Named {
		return s.Key
	}
	return s.Key[:len(s.Key)-suffix]
}

// Known is a secret that is cached.
type Known struct {
	Secret
	Settled uint64   // number of the last check that found it under its name
	Former  []string // keys of secrets that it took the place of
	Created int64    // when the service made its value, 0 if that is not known
}

// A Question is a check whose answer is to be placed.
type Question struct {
	N       uint64 // its number; later checks have greater ones
	Suspect string // the key that was suspected of coming back when it began
	Created int64  // when the service made the value that it found, 0 if that is not known
}

// A Verdict says what an answer means for what is cached.
type Verdict uint8

const (
	Found     Verdict = iota // it is about the cached secret at its space
	New                      // it is about a secret that is not cached; what is, and has its names, ends
	Overtaken                // a later check found another secret under the name
	PutOff                   // a secret came back that was replaced, which one check alone does not prove
)

// Place decides what an answer about the secret who means. named is the cached
// secret that the id asked for has named so far, there the one that is cached
// at who's space; either may be nil, and both the same. After Found and New,
// the id names who, and what was cached as named or there under another key has
// ended: with it everything known by whatever name.
func Place(q Question, who Secret, named, there *Known) Verdict {
	for _, k := range [...]*Known{named, there} {
		switch {
		case k == nil || k.Key == who.Key:
		case k.Settled > q.N:
			return Overtaken
		case k.follows(who, q.Created) && q.Suspect != who.Key:
			return PutOff
		}
	}
	if there != nil && there.Key == who.Key {
		return Found
	}
	return New
}

// follows reports whether k took the place of who, whose value was made at the
// given moment. Where both moments are known they decide: what is created again
// has no value from before that.
func (k *Known) follows(who Secret, created int64) bool {
	if created != 0 && k.Created != 0 && created != k.Created && who.Space() == k.Space() {
		return created < k.Created
	}
	return contains(k.Former, who.Key)
}

// Succeed returns the keys of which a secret is to remember that it took their
// place, the latest last: old's, and old's own.
func Succeed(key string, old *Known) []string {
	former := make([]string, 0, maxFormer+1)
	for _, f := range append(append([]string{}, old.Former...), old.Key) {
		if f != key {
			former = append(former, f)
		}
	}
	return former[max(0, len(former)-maxFormer):]
}

// maxFormer is how many replaced secrets are remembered.
const maxFormer = 4

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
