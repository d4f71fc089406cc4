package secrets

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/rotation"
)

// Rejected marks err as a rejection of the offered credentials by the resource.
// [Try] then offers the next version. If err is nil, Rejected returns nil.
//
// A use may also return a rejection without offering the version to the
// resource, because another use was just rejected with it. In that case an
// error in the chain should have a method NotOffered() bool that returns true,
// so that Stats.Rejections does not count it. An error with a method
// NextOffer() time.Time says when the resource may be offered the version
// again, unless it returns the zero time. A Try that is waiting then offers the
// version at that time, without waiting for its next request to the service,
// provided that TryOptions.Pause has passed.
func Rejected(err error) error {
	if err == nil {
		return nil
	}
	return &rejection{err}
}

// RejectedIf returns Rejected(err) if is(err) is true, and err otherwise. If
// err is nil, it returns nil and does not call is.
func RejectedIf(err error, is func(error) bool) error {
	if is == nil {
		panic("secrets: RejectedIf: is is nil")
	}
	if err != nil && is(err) {
		return Rejected(err)
	}
	return err
}

type rejection struct{ err error }

func (r *rejection) Error() string { return "rejected: " + r.err.Error() }
func (r *rejection) Unwrap() error { return r.err }

// isRejection reports whether a use returned an error made by Rejected. It does
// not look inside a RejectedError: a use may return one of another call, whose
// rejections count here only if the use marks the error itself.
func isRejection(err error) bool {
	switch e := err.(type) {
	case nil, *RejectedError:
		return false
	case *rejection:
		return true
	case interface{ Unwrap() error }:
		return isRejection(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), isRejection)
	}
	return false
}

// wasOffered reports whether the rejected version was really offered to the
// resource.
func wasOffered(err error) bool {
	var not interface{ NotOffered() bool }
	return !errors.As(err, &not) || !not.NotOffered()
}

// nextOffer returns when a rejected version may be offered again. It returns
// the zero time if that is not known.
func nextOffer(err error) time.Time {
	var next interface{ NextOffer() time.Time }
	if !errors.As(err, &next) {
		return time.Time{}
	}
	return next.NextOffer()
}

// An Attempt is one version that a use rejected.
type Attempt struct {
	VersionID string
	Stage     string // the label under which it was last offered
}

// A RejectedError says that a use rejected every version of a secret. errors.Is
// and errors.As find three errors: the complete error that the use returned at
// the last rejection; the error of the context, if it ended; and the service's
// error, if the service was unavailable for other versions. The first is not
// part of the message, and the message contains no value.
type RejectedError struct {
	SecretID string
	Attempts []Attempt // the versions that were rejected, in order

	asking string   // why the service was unavailable; "" if it answered
	causes *[]error // a pointer, so that nothing prints the errors of a use
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
		fmt.Fprintf(&b, "; asking the service for others failed: %s", e.asking)
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

// Format writes the error's message for every verb.
func (e *RejectedError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// rejectedError returns the error for the versions that were rejected. last is
// the error of the last rejection. end is what ended the waiting; it is nil for
// a call that does not wait. asking is why the service was unavailable, if it
// was.
func rejectedError(id string, all []rotation.Attempt, last, end, asking error) error {
	e := &RejectedError{SecretID: id}
	for _, a := range all {
		e.Attempts = append(e.Attempts, Attempt{VersionID: strings.TrimPrefix(a.ID, noVersionID), Stage: a.Stage})
	}
	var causes []error
	if last != nil {
		causes = append(causes, last)
	}
	if end != nil {
		causes = append(causes, end)
	}
	if asking != nil && !isContextError(asking) {
		e.asking = asking.Error()
		causes = append(causes, asking)
	}
	e.causes = &causes
	return e
}

// merged returns the attempts of both lists in order, with each version once.
func merged(a, b []rotation.Attempt) []rotation.Attempt {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b rotation.Attempt) int { return cmp.Compare(b.Seq, a.Seq) })
	var latest []rotation.Attempt
	for _, x := range all {
		if !slices.ContainsFunc(latest, func(y rotation.Attempt) bool { return x.ID == y.ID }) {
			latest = append(latest, x)
		}
	}
	slices.Reverse(latest)
	return latest
}
