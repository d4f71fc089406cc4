package secretsevents

import (
	"errors"
	"time"
)

// A Kind is the kind of change that an event reports.
type Kind int

const (
	Unrelated    Kind = iota // not about a change of a secret
	LabelMoved               // a staging label moved to another version: see Label and VersionID
	ValueChanged             // a version was added, or labels moved; the event does not say which
	Rotation                 // a rotation started, ended, failed or was canceled
	Deletion                 // the secret was scheduled for deletion, restored or deleted
)

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case Unrelated:
		return "unrelated"
	case LabelMoved:
		return "label moved"
	case ValueChanged:
		return "value changed"
	case Rotation:
		return "rotation"
	case Deletion:
		return "deletion"
	}
	return "unknown"
}

// An Event describes one change of one secret. Nothing in it is verified.
type Event struct {
	Kind Kind

	// SecretID identifies the secret. It is the full ARN if the event has it,
	// otherwise the name or partial ARN in the request of the operation.
	SecretID string

	// Name is the secret's name, or empty if the event does not have it.
	Name string

	// Label is the staging label that moved, and VersionID the version that it
	// moved to. Both are empty if the event does not have them.
	Label, VersionID string

	// Operation is CloudTrail's name for what happened, such as
	// UpdateSecretVersionStage or RotationSucceeded. It is empty for native
	// events.
	Operation string

	// Account and Region are where it happened. A replica region sends its own
	// native events.
	Account, Region string

	// Time is when it happened, or the zero time if the event does not have it.
	Time time.Time
}

// MaxSize is the size in bytes of the largest message that Parse accepts. SQS
// and SNS carry no larger messages.
const MaxSize = 1 << 20

// The errors of [Parse]. They do not quote the message.
var (
	ErrMalformed = errors.New("secretsevents: the message is not an EventBridge event, bare or in an SQS or SNS envelope")
	ErrTooLarge  = errors.New("secretsevents: the message is larger than an SQS message can be")
)
