package secrets

import (
	"context"
	"fmt"
	"time"
)

// An EventKind says what happened. See [Event] for the fields that every event
// has, and the constants for those that an event of a kind has besides.
type EventKind int

const (
	// EventAdopted: Version became the current version in the cache, in place of
	// From, which is empty for the first; How says what noticed it.
	EventAdopted EventKind = iota + 1

	// EventRefused: Version did not decode, or did not validate, as a Type, at
	// Field where that is known. Readers of that type keep From, the last version
	// that did; where From is empty they get the error. It is repeated once an hour,
	// at a check, for as long as that stands; Attempt counts.
	EventRefused

	// EventLeftOut: Version, which a read asked for by a label or its id, did not
	// decode as a Type, at Field where that is known. [Ref.GetVersion] returns the
	// error and [Ref.Versions] leaves it out. Stage is one of its labels.
	EventLeftOut

	// EventFailed: a refresh failed. Attempt counts the failures in a row, Since is
	// the first of them and Next is when the secret is tried again; Class and Err
	// say why. The cached version stays in service.
	EventFailed

	// EventStale: the TTL of a version ended at Since without an answer of the
	// service, and the version is served on.
	EventStale

	// EventRecovered: the service answered for a secret again after Attempt failures
	// in a row, the first of them at Since.
	EventRecovered

	// EventDropped: the service said no, with Class and Err, and the secret left the
	// cache.
	EventDropped

	// EventTooOld: Version was not confirmed within Options.MaxStale, last at Since,
	// and left the cache; reads fail until the service answers.
	EventTooOld

	// EventRecreated: the secret was deleted and another took over its name. What was
	// cached of the old one, ARN, left the cache.
	EventRecreated

	// EventEvicted: the secret left the cache for lack of room.
	EventEvicted

	// EventRejected: a use rejected Version, which it was offered by Stage. See [Try].
	EventRejected

	// EventPinned: a handle of Type uses Version, by the label Stage, in place of
	// From, the current version, which its use rejected.
	EventPinned

	// EventUnpinned: a handle of Type uses the current version again, no longer
	// Version; that was pinned since Since.
	EventUnpinned

	// EventRotating: AWSPENDING was seen on Version: a rotation is outstanding.
	EventRotating

	// EventRotated: the rotation that was making Version is no longer outstanding; it
	// was seen first at Since. Where it ended well an EventAdopted tells of
	// the same version.
	EventRotated

	// EventRotationStuck: AWSPENDING has been seen on Version for more than an hour,
	// since Since. A rotation takes seconds: its function has failed, and the
	// database may take the pending password alone. It is repeated once an hour, at
	// a check, for as long as that stands; Attempt counts.
	EventRotationStuck

	// EventUnavailable: Operation is not permitted or does not exist there, with
	// Class and Err; the client makes do without. Secret is empty if that holds for
	// every secret.
	EventUnavailable

	// EventRestored: nothing could be asked, and Version came from Options.Snapshot.
	// The service confirmed it last at Since.
	EventRestored

	// EventSnapshotFailed: the snapshot could not be used, for the reason Err;
	// Operation is "read", "write" or "write at Close". Secret is empty.
	EventSnapshotFailed

	// EventRegionFailed: Region did not answer, with Class and Err; the others of
	// Options.Replicas are asked until it does. Secret is empty.
	EventRegionFailed

	// EventRegionBack: Region answers again. Secret is empty.
	EventRegionBack

	// EventCall: a call of the API ended. Operation, Duration and Time, which is when it
	// began, say which; Class and Err are set if it failed. Call is its number. Secret
	// is the id that it asked for and ARN is set where the answer told it; a
	// BatchGetSecretValue asked for Secrets. Only Options.OnEvent is told.
	EventCall

	// EventWait: a read that could not be answered from memory has ended. Time is
	// when it began, Duration is how long it waited, Call is the number of the
	// call that served it, whoever caused that, 0 if none did or that is not known. Only
	// Options.OnEvent is told.
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

// An Event is something that happened to a cached secret, or a call of the API.
// Options.OnEvent is told of it. It holds no value. Fields that a kind does not
// name are zero.
type Event struct {
	Kind   EventKind
	Time   time.Time // when it happened
	Secret string    // its name, or the id by which it was asked for where that is not known
	ARN    string    // where it is known

	Version string // a version id
	From    string // the id of the version that it replaces, or stands in for
	Stage   string // a staging label
	Type    string // a Go type that a handle reads the secret as
	Field   string // the JSON path of the field at fault

	// How says what noticed a new version: "read" of a secret that was not cached,
	// "check" in the background, "refresh", "prefetch" or "try", calls of the program.
	How string

	Class   FailureClass
	Err     error // fit to be shown
	Attempt int
	Since   time.Time
	Next    time.Time

	Operation string // of the API: "GetSecretValue"
	Region    string // where the API was asked, if there are several
	Duration  time.Duration
	Call      uint64
	Secrets   []string // of a BatchGetSecretValue; not to be changed

	ctx *context.Context // behind a pointer, so that nothing prints what it carries
}

// Context returns the context of the call or read that the event tells of, for
// what it carries: the trace that it belongs to. It is never canceled. A call
// that serves several readers has the context of the first. Events of
// other kinds, and calls that nobody waits for, have the background context.
func (e Event) Context() context.Context {
	if e.ctx == nil {
		return context.Background()
	}
	return context.WithoutCancel(*e.ctx)
}
