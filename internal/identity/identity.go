// Package identity decides which secret an answer of the service is about. A read
// may identify a secret by its name, by its ARN or by its ARN without the random
// suffix. A secret that is deleted and created again has the same name and another
// ARN. The package is pure: it takes what is known and returns a verdict.
package identity

import "strings"

// A Secret identifies one secret among all others.
type Secret struct {
	// Key is the part of the ARN that all replicas share, after the region:
	// "account:secret:name-suffix". If the service returns no ARN, Key is the
	// requested id.
	Key string

	// Named says that Key ends with a hyphen and six characters that are not
	// part of the name. The rest then names the secret in its account.
	Named bool
}

// suffix is the length of what Secrets Manager appends to the name in an ARN.
const suffix = len("-XXXXXX")

// Of returns the identity of the secret with this ARN and name, as reported by the
// service. Key shares the memory of arn. Of does not guess from the form of an ARN:
// if it is not the name and a suffix, the Space of the secret is its Key.
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

// Space returns an identifier that at most one secret has at a time: account and
// name or, if these are unknown, the key.
func (s Secret) Space() string {
	if !s.Named {
		return s.Key
	}
	return s.Key[:len(s.Key)-suffix]
}

// Known is a secret that is cached.
type Known struct {
	Secret
	Settled uint64   // number of the last check that found the secret under its name
	Former  []string // keys of the secrets that this one replaced
	Created int64    // when the service created its value, 0 if unknown
}

// A Question is a check whose answer Place assigns to a secret.
type Question struct {
	N       uint64 // the check's number; later checks have greater numbers
	Suspect string // the key of a replaced secret that an earlier check saw again
	Created int64  // when the service created the value that the check found, 0 if unknown
}

// A Verdict says what an answer means for the cached secrets.
type Verdict uint8

const (
	Found     Verdict = iota // the answer is about the cached secret at its space
	New                      // the answer is about a secret that is not cached; cached secrets with its names end
	Overtaken                // a later check found another secret under the name
	PutOff                   // the answer is about a replaced secret, which one check alone does not prove
)

// Place decides what an answer about the secret who means. named is the cached
// secret that the requested id has named so far. there is the cached secret at
// who's space. Either may be nil, and both may be the same. After Found and New,
// the id names who. If named or there has another key than who, that secret ends,
// together with everything known about it under any name.
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

// follows reports whether k replaced who, whose value was created at the given
// time. If both creation times are known, they decide: a secret that is created
// again has no value from an earlier time.
func (k *Known) follows(who Secret, created int64) bool {
	if created != 0 && k.Created != 0 && created != k.Created && who.Space() == k.Space() {
		return created < k.Created
	}
	return contains(k.Former, who.Key)
}

// Succeed returns the keys of the secrets that a new secret has replaced, the latest
// last: those that old replaced, and the key of old.
func Succeed(key string, old *Known) []string {
	former := make([]string, 0, maxFormer+1)
	for _, f := range append(append([]string{}, old.Former...), old.Key) {
		if f != key {
			former = append(former, f)
		}
	}
	return former[max(0, len(former)-maxFormer):]
}

// maxFormer is the maximum number of replaced secrets that are remembered.
const maxFormer = 4

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
