package secrets

// A FailureClass says what kind of failure an error is. The classes are few and
// stable: they serve as a label of metrics and as error.type of log records.
type FailureClass string

// The classes of failures.
const (
	ClassNetwork     FailureClass = "network"     // no answer: a connection, a name, or time ran out
	ClassThrottled   FailureClass = "throttled"   // the service asked for fewer calls
	ClassDenied      FailureClass = "denied"      // not permitted, or the KMS key refused
	ClassCredentials FailureClass = "credentials" // no credentials could be had, or the service did not take them
	ClassServer      FailureClass = "server"      // the service failed
	ClassMissing     FailureClass = "missing"     // no such secret or version, or it is scheduled for deletion
	ClassDecode      FailureClass = "decode"      // a version did not decode or validate for a type
	ClassRejected    FailureClass = "rejected"    // every version was rejected by a use, see Try
	ClassCanceled    FailureClass = "canceled"    // the caller's context ended, or the client was closed
	ClassOther       FailureClass = "other"       // what is none of these
)
