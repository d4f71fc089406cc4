package secrets

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Rejected marks err as the answer of a resource that refused the credentials
// it was offered, so that [Try] goes on to the next version. A nil err stays
// nil.
func Rejected(err error) error {
	if err == nil {
		return nil
	}
	return &rejection{err}
}

// RejectedIf is [Rejected] if is(err) holds, and err otherwise. A nil err stays
// nil and is not asked about.
func RejectedIf(err error, is func(error) bool) error {
	if err != nil && is(err) {
		return Rejected(err)
	}
	return err
}

type rejection struct{ err error }

func (r *rejection) Error() string { return "rejected: " + r.err.Error() }
func (r *rejection) Unwrap() error { return r.err }

// An Attempt is a version that a use rejected.
type Attempt struct {
	VersionID string
	Stage     string // the label by which it was last offered
}

// A RejectedError says that no version of a secret was accepted. errors.Is and
// errors.As find the last rejection, as the use returned it, the error of the
// context that ended and, if the service could not be asked for other versions,
// why. The first is not part of the message, which holds no value.
type RejectedError struct {
	SecretID string
	Attempts []Attempt // the versions that were rejected, in order

	asking string   // why the service could not be asked; empty: it could
	causes *[]error // behind a pointer, so that nothing prints what a use returned
}

func (e *RejectedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "secrets: every version of %q that could be offered was rejected", e.SecretID)
	for i, a := range e.Attempts {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s (version %s)", sep, a.Stage, a.VersionID)
	}
	if e.asking != "" {
		fmt.Fprintf(&b, "; asking for others failed: %s", e.asking)
	}
	return b.String()
}

// Unwrap returns the last rejection, the context's error, and the service's.
func (e *RejectedError) Unwrap() []error {
	if e.causes == nil {
		return nil
	}
	return *e.causes
}

// Format writes the error's message, whatever the verb.
func (e *RejectedError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// A refused is the memory of a version's rejection.
type refused struct {
	stage string   // the label by which it was last offered
	under []string // the labels it was known to have when it was rejected
	at    time.Time
	seq   uint64 // its place among the handle's rejections
	n     int    // in a row, uses that were under way at once counted as one
	err   error
	fresh bool // the labels have not been looked at since

	// What it was rejected for may be over, so the prober may offer it:
	moved bool // it has come to another label
	other bool // the version that worked in its place was rejected
}

// How long a rejected version is left alone while its labels stay the same.
const (
	minRefused = time.Minute
	maxRefused = 15 * time.Minute
)

// again returns when the version may be offered again, the labels unmoved.
func (f *refused) again() time.Time {
	return f.at.Add(min(maxRefused, minRefused<<min(f.n-1, 10)))
}

// mayOffer reports whether the version may be offered. A nil f means that it
// was not rejected.
func (f *refused) mayOffer(now time.Time) bool {
	return f == nil || f.moved || f.other || !now.Before(f.again())
}

// relabel notes the label that the version has now. One that has none is
// offered by nobody.
func (f *refused) relabel(stage string) {
	switch {
	case f.fresh:
		f.fresh = false
		f.under = append(f.under, stage)
	case stage != "" && !slices.Contains(f.under, stage):
		f.moved = true
	}
}

// rejectedError makes the error of rejections, and of what ended the waiting
// and why the service could not be asked.
func rejectedError(id string, all map[string]*refused, end, asking error) error {
	e := &RejectedError{SecretID: id}
	ids := sortedKeys(all)
	slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(all[a].seq, all[b].seq) })
	var causes []error
	for _, id := range ids {
		e.Attempts = append(e.Attempts, Attempt{VersionID: id, Stage: all[id].stage})
		causes = []error{all[id].err}
	}
	causes = append(causes, end)
	if asking != nil && !isContextError(asking) {
		e.asking = asking.Error()
		causes = append(causes, asking)
	}
	e.causes = &causes
	return e
}
