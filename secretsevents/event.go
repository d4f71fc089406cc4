package secretsevents

import (
	"errors"
	"time"
)

// A Kind is what an event says.
type Kind int

const (
	Unrelated    Kind = iota // nothing about a change of a secret
	LabelMoved               // a staging label is on another version: see Label and VersionID
	ValueChanged             // a version was added, or labels moved, not said which
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

// An Event is one change of one secret, as far as EventBridge tells. Everything
// in it is somebody's claim.
type Event struct {
	Kind Kind

	// SecretID names the secret: its full ARN where the event has it, otherwise
	// what the caller of the operation wrote, a name or a part of an ARN.
	SecretID string

	// Name is the secret's name. It is empty where the event does not say.
	Name string

	// Label is the staging label that moved, and VersionID the version that it
	// is on now. Both are empty where the event does not say.
	Label, VersionID string

	// Operation is what happened in CloudTrail's words, such as
	// UpdateSecretVersionStage or RotationSucceeded. It is empty for native
	// events.
	Operation string

	// Account and Region are where it happened. A replica region sends native
	// events of its own.
	Account, Region string

	// Time is when it happened, the zero time where that is not said.
	Time time.Time
}

// MaxSize is the size in bytes of the greatest message that Parse reads: SQS
// and SNS carry none that is greater.
const MaxSize = 1 << 20

// The errors of [Parse]. They quote nothing of the message.
var (
	ErrMalformed = errors.New("secretsevents: the message is not an event of EventBridge, bare or in an envelope of SQS or SNS")
	ErrTooLarge  = errors.New("secretsevents: the message is larger than a message of SQS can be")
)
