package secretstest

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// The scenarios are failures as they happen in production, each in one line.
// Each begins at once and returns a function that ends it, which may be called
// twice, and need not be called at all. Faults that were armed before strike
// first. ClearFaults ends those that are made of faults, Reset all of them.

// RegionOutage makes a region unreachable: every connection is reset.
//
// Symptom: calls fail with "connection reset by peer" after the SDK's retries,
// without an answer of the service (there is no smithy.APIError in the chain).
// Other regions, and replicas there, go on. Region.Down is the outage in which
// the endpoint still answers, with HTTP 503.
func (s *Server) RegionOutage(region string) (end func()) {
	return s.arm(Fault{Region: region, Times: Always, Drop: true})
}

// STSDenied makes the credentials of Client and ClientFor fail, as if the role
// that they assume had lost its trust policy.
//
// Symptom: every call fails before it is sent, so that none arrives. The error
// chain holds AccessDenied, of STS and not of Secrets Manager, and so says
// nothing about any secret: "get identity: get credentials: operation error
// STS: AssumeRole, ... api error AccessDenied".
func (s *Server) STSDenied() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stsDenied++
	return s.undo(func() { s.stsDenied-- })
}

// LaggingReplica makes the reads in a region see the state of so long ago.
//
// Symptom: after a rotation, readers in that region get the old value, which
// the database no longer takes, while DescribeSecret there still has the old
// labels. A new secret is not affected: a replica is there from its making.
func (s *Server) LaggingReplica(region string, lag time.Duration) (end func()) {
	return s.arm(Fault{Region: region, Times: Always, Lag: lag})
}

// RotationStuckAfterSet begins the rotation of a secret and stops it after
// setSecret, as a rotation function does that cannot reach the service any
// more. It returns the pending version. end delivers the remaining steps.
//
// Symptom: the password has changed where it is used, and AWSCURRENT still has
// the old one. Logins by the current value are refused until the rotation is
// tried again; RotateSecret is refused with "A previous rotation isn't
// complete. That rotation will be reattempted."
func (s *Server) RotationStuckAfterSet(name string) (versionID string, end func()) {
	s.helper()()
	r := s.Rotation(name)
	s.check(r.Step(rotate.CreateSecret, rotate.SetSecret), "rotate %q up to setSecret", name)
	ended := false
	return r.VersionID(), func() {
		s.helper()()
		if ended {
			return
		}
		ended = true
		s.check(r.Step(rotate.TestSecret, rotate.FinishSecret), "finish the rotation of %q", name)
		r.Release()
	}
}

// ThrottleStorm throttles nine calls of ten, drawn from the server's seed, as
// when a fleet starts at once, or somebody else uses up the account's rate.
//
// Symptom: ThrottlingException "Rate exceeded" after the SDK's three attempts
// for most calls, and slow success for some. Retries without backoff make it
// last.
func (s *Server) ThrottleStorm() (end func()) {
	return s.arm(Fault{Code: "ThrottlingException", Probability: 0.9, Times: Always})
}

// KMSRevoked takes away the KMS key of a secret, or of every secret if the name
// is empty.
//
// Symptom: GetSecretValue and PutSecretValue are AccessDeniedException "Access
// to KMS is not allowed", and in a batch one of its Errors, while DescribeSecret
// and the lists, which decrypt nothing, go on as if all were well.
func (s *Server) KMSRevoked(name string) (end func()) {
	put, update := DenyKMS(name), DenyKMS(name)
	put.Op, update.Op = "PutSecretValue", "UpdateSecret"
	return s.arm(DenyKMS(name), put, update)
}

// SlowTrickle sends every answer a byte at a time, with a pause before each.
//
// Symptom: the header arrives at once and the body does not end: a client that
// bounds only the connection and the header waits for minutes. A deadline of
// the caller's context ends the call.
func (s *Server) SlowTrickle(pause time.Duration) (end func()) {
	return s.arm(Fault{Trickle: pause, Times: Always})
}

// ClockSkew lets the client's clock differ from the server's, which is ahead by
// so much, or behind if it is negative. Beyond five minutes signatures are
// refused; the answers' Date header has the server's time.
//
// Symptom: InvalidSignatureException "Signature expired: ... is now earlier
// than ..." (or "not yet current"). An SDK that corrects its clock by the Date
// header recovers at the second attempt; without retries every call fails.
func (s *Server) ClockSkew(ahead time.Duration) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew.Add(int64(ahead))
	return s.undo(func() { s.skew.Add(-int64(ahead)) })
}

// BrokenJSON answers every call with HTTP 200 and a body that is no JSON, as a
// proxy's page of its own or a broken gateway does.
//
// Symptom: "deserialization failed, failed to decode response body": an error
// that is none of the service's, is not retried, and must not lead to the
// secret's value in a log. The operation has happened nevertheless.
func (s *Server) BrokenJSON() (end func()) {
	return s.arm(Fault{Garbage: true, Times: Always})
}

// arm arms faults and returns a function that disarms them.
func (s *Server) arm(faults ...Fault) (disarm func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	armed := s.failLocked(faults)
	return s.undo(func() {
		s.faults = slices.DeleteFunc(slices.Clone(s.faults), func(f *armedFault) bool { return slices.Contains(armed, f) })
	})
}

// undo returns a function that calls f under the lock, once, unless the server
// was reset meanwhile. The server's lock must be held.
func (s *Server) undo(f func()) func() {
	resets, undone := s.resets, false
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if undone || resets != s.resets {
			return
		}
		undone = true
		f()
	}
}

// clock returns the server's time, and whether it differs from the client's.
func (s *Server) clock() (at time.Time, skewed bool) {
	skew := time.Duration(s.skew.Load())
	return time.Now().Add(skew), skew != 0
}

// setHeader sets the header of an answer, with the server's date if that
// differs from the client's.
func (s *Server) setHeader(a *answer, h http.Header) {
	a.setHeader(h)
	if at, skewed := s.clock(); skewed {
		h.Set("Date", at.UTC().Format(http.TimeFormat))
	}
}

// credentials returns the credentials of a client, if STS gives them out.
func (s *Server) credentials(key, secret string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.stsDenied > 0 {
			return aws.Credentials{}, errSTS
		}
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, Source: "secretstest"}, nil
	})
}

// errSTS is what a provider of credentials returns that may not assume its role.
var errSTS = &smithy.OperationError{
	ServiceID: "STS", OperationName: "AssumeRole",
	Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusForbidden}},
		Err: &smithy.GenericAPIError{Code: "AccessDenied",
			Message: "User is not authorized to perform: sts:AssumeRole", Fault: smithy.FaultClient},
	},
}
