package secrets

import (
	"context"
	"fmt"
	"time"
)

// An EventKind says what an [Event] reports. Each constant names the fields
// that are set for its kind, in addition to those that all events have.
type EventKind int

const (
	// EventAdopted: Version became the current version in the cache and replaced
	// From. From is empty for the first version. How says what noticed the new
	// version.
	EventAdopted EventKind = iota + 1

	// EventRefused: Version could not be decoded or validated as a Type. Field
	// is the faulty field, if known. Readers of that type keep From, the last
	// good version; if From is empty, they get the error. While this lasts, the
	// event is repeated once an hour, at a check; Attempt counts.
	EventRefused

	// EventLeftOut: Version, read by a label or by its id, could not be decoded
	// as a Type. Field is the faulty field, if known. [Ref.Version] returns the
	// error and [Ref.Versions] omits the version. Stage is one of its labels.
	EventLeftOut

	// EventFailed: a refresh failed. Attempt counts the failures in a row, Since
	// is the time of the first of them, and Next is the time of the next
	// attempt. Class and Err say why. The cached version stays in service.
	EventFailed

	// EventStale: the TTL of a version ended at Since, the service has not
	// answered, and the version stays in service.
	EventStale

	// EventRecovered: the service answered again for a secret after Attempt
	// failures in a row. The first failure was at Since.
	EventRecovered

	// EventDropped: the service answered with a definite error, such as not
	// found or access denied, and the secret left the cache. Class and Err say
	// why.
	EventDropped

	// EventTooOld: Version left the cache because it was not confirmed within
	// Options.MaxStale. The last confirmation was at Since. Reads fail until the
	// service answers.
	EventTooOld

	// EventRecreated: the secret was deleted and another one was created under
	// its name. The versions of the old secret, with the ARN in ARN, left the
	// cache.
	EventRecreated

	// EventEvicted: the secret left the cache because the cache was full.
	EventEvicted

	// EventRejected: a use rejected Version, which was offered under the label
	// Stage. See [Try].
	EventRejected

	// EventPinned: a handle of Type uses Version, with the label Stage, in place
	// of the current version From, which its use rejected.
	EventPinned

	// EventUnpinned: a handle of Type uses the current version again, in place
	// of Version, which was pinned at Since.
	EventUnpinned

	// EventRotating: Version has the label AWSPENDING: a rotation is
	// outstanding.
	EventRotating

	// EventRotated: the rotation that created Version is no longer outstanding.
	// It was first seen at Since. If it succeeded, there is an EventAdopted for
	// the same version.
	EventRotated

	// EventRotationStuck: Version has had the label AWSPENDING for more than an
	// hour, since Since. A rotation takes seconds, so its function has failed,
	// and the database may accept only the pending password. While this lasts,
	// the event is repeated once an hour, at a check; Attempt counts.
	EventRotationStuck

	// EventUnavailable: Operation is not permitted, or the endpoint does not
	// have it. Class and Err say why. The client works without it. Secret is
	// empty if this holds for every secret.
	EventUnavailable

	// EventRestored: the service was unavailable, and Version was read from
	// Options.Snapshot. The service last confirmed it at Since.
	EventRestored

	// EventSnapshotFailed: the snapshot could not be used; Err says why.
	// Operation is "read", "write" or "write at Close". Secret is empty.
	EventSnapshotFailed

	// EventRegionFailed: Region did not answer; Class and Err say why. The other
	// regions in Options.Replicas are asked until it does. Secret is empty.
	EventRegionFailed

	// EventRegionBack: Region answers again. Secret is empty.
	EventRegionBack

	// EventCall: a call of the API ended. Operation is the call, Time is when it
	// began, Duration is how long it took, and Call is its number. Class and Err
	// are set if it failed. Secret is the id that was asked for; ARN is set if
	// the answer contained it. For BatchGetSecretValue, Secrets are the ids.
	// Only Options.OnEvent receives this event.
	EventCall

	// EventWait: a read that could not be answered from memory ended. Time is
	// when it began and Duration is how long it waited. Call is the number of
	// the call that answered it, which another reader may have caused; it is 0
	// if there was none or it is not known. Only Options.OnEvent receives this
	// event.
	EventWait
)

// kindNames are the kinds in words, in their order.
var kindNames = [...]string{
	EventAdopted:        "adopted",
	EventRefused:        "refused",
	EventLeftOut:        "left out",
	EventFailed:         "failed",
	EventStale:          "stale",
	EventRecovered:      "recovered",
	EventDropped:        "dropped",
	EventTooOld:         "too old",
	EventRecreated:      "recreated",
	EventEvicted:        "evicted",
	EventRejected:       "rejected",
	EventPinned:         "pinned",
	EventUnpinned:       "unpinned",
	EventRotating:       "rotating",
	EventRotated:        "rotated",
	EventRotationStuck:  "rotation stuck",
	EventUnavailable:    "unavailable",
	EventRestored:       "restored",
	EventSnapshotFailed: "snapshot failed",
	EventRegionFailed:   "region failed",
	EventRegionBack:     "region back",
	EventCall:           "call",
	EventWait:           "wait",
}

// String returns the kind in words: "adopted", "rotation stuck".
func (k EventKind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("EventKind(%d)", int(k))
}

// An Event reports something that happened to a cached secret, or a call of the
// API. Options.OnEvent receives it. It contains no secret value. Fields that
// the description of a kind does not name are zero.
type Event struct {
	Kind   EventKind
	Time   time.Time // when it happened
	Secret string    // its name, or the id that was asked for if the name is not known
	ARN    string    // if known

	Version string // a version id
	From    string // the id of the version that Version replaces, or is used in place of
	Stage   string // a staging label
	Type    string // the Go type that a handle decodes the secret into
	Field   string // the JSON path of the faulty field

	// How says what noticed a new version: a "read" of a secret that was not
	// cached, a "check" in the background, or a call of the program: "refresh",
	// "prefetch" or "try".
	How string

	Class   FailureClass
	Err     error // contains no secret value
	Attempt int
	Since   time.Time
	Next    time.Time

	Operation string // of the API, for instance "GetSecretValue"
	Region    string // the region that was asked, if there are several
	Duration  time.Duration
	Call      uint64
	Secrets   []string // the ids of a BatchGetSecretValue; do not modify

	ctx *context.Context // a pointer, so that printing an event does not print the values in the context
}

// Context returns the context of the call or read that the event reports. Use
// its values, for instance to find the trace. It is never canceled. If a call
// serves several readers, it is the context of the first. Events of other
// kinds, and calls that no reader waits for, have the background context.
func (e Event) Context() context.Context {
	if e.ctx == nil {
		return context.Background()
	}
	return context.WithoutCancel(*e.ctx)
}
