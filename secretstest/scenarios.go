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

// The scenarios are failures that happen in production. Each begins at once and
// returns a function that ends it. That function may be called twice, or not at
// all. Faults that were armed before strike first. ClearFaults ends the
// scenarios made of faults; Reset ends all.

// RegionOutage makes a region unreachable: it resets every connection.
//
// Symptom: calls fail with "connection reset by peer" after the SDK's retries,
// without a response from the service (there is no smithy.APIError in the
// chain). Other regions, and replicas there, still work. Region.Down is another
// kind of outage: the endpoint still answers, with HTTP 503.
func (s *Server) RegionOutage(region string) (end func()) {
	return s.arm(Fault{Region: region, Times: Always, Drop: true})
}

// STSDenied makes the credentials of Client and ClientFor fail. This happens
// when the trust policy of a role no longer allows a program to assume it.
//
// Symptom: every call fails before it is sent, so none arrives. The
// AccessDenied in the error chain is from STS and not from Secrets Manager, so
// it says nothing about any secret: "get identity: get credentials: operation
// error STS: AssumeRole, ... api error AccessDenied".
func (s *Server) STSDenied() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stsDenied++
	return s.undo(func() { s.stsDenied-- })
}

// LaggingReplica makes reads in a region lag behind writes.
//
// Symptom: after a rotation, readers in that region get the old value, which
// the database no longer accepts, and DescribeSecret there still has the old
// labels. A new secret is not affected: its replica exists at once.
func (s *Server) LaggingReplica(region string, lag time.Duration) (end func()) {
	return s.arm(Fault{Region: region, Times: Always, Lag: lag})
}

// RotationStuckAfterSet begins the rotation of a secret and stops it after
// setSecret. This happens when a rotation function can no longer reach the
// service. It returns the id of the pending version. end delivers the remaining
// steps.
//
// Symptom: the database has the new password, and AWSCURRENT still has the old
// one. The database refuses logins with the current value until the rotation is
// tried again. RotateSecret fails with "A previous rotation isn't complete.
// That rotation will be reattempted."
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

// ThrottleStorm throttles nine of ten calls, chosen by the server's seed. This
// happens when a fleet starts at once, or when another program uses up the
// account's rate.
//
// Symptom: most calls fail with ThrottlingException "Rate exceeded" after the
// SDK's three attempts, and some succeed slowly. Retries without backoff
// prolong it.
func (s *Server) ThrottleStorm() (end func()) {
	return s.arm(Fault{Code: "ThrottlingException", Probability: 0.9, Times: Always})
}

// KMSRevoked revokes access to the KMS key of a secret. An empty name means
// every secret.
//
// Symptom: GetSecretValue and PutSecretValue fail with AccessDeniedException
// "Access to KMS is not allowed"; in a BatchGetSecretValue it is one of the
// Errors. DescribeSecret and the lists decrypt nothing and still succeed.
func (s *Server) KMSRevoked(name string) (end func()) {
	put, update := DenyKMS(name), DenyKMS(name)
	put.Op, update.Op = "PutSecretValue", "UpdateSecret"
	return s.arm(DenyKMS(name), put, update)
}

// SlowTrickle sends every response one byte at a time, with a pause before
// each.
//
// Symptom: the header arrives at once, but the body takes very long. A client
// that has timeouts only for the connection and the header waits for minutes. A
// deadline of the caller's context ends the call.
func (s *Server) SlowTrickle(pause time.Duration) (end func()) {
	return s.arm(Fault{Trickle: pause, Times: Always})
}

// ClockSkew sets the server's clock ahead of the client's, or behind if
// negative. Beyond five minutes the server refuses signatures. The Date header
// of responses has the server's time.
//
// Symptom: InvalidSignatureException "Signature expired: ... is now earlier
// than ..." (or "not yet current"). An SDK that corrects its clock by the Date
// header succeeds at the second attempt. Without retries every call fails.
func (s *Server) ClockSkew(ahead time.Duration) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew.Add(int64(ahead))
	return s.undo(func() { s.skew.Add(-int64(ahead)) })
}

// BrokenJSON answers every call with HTTP 200 and a body that is not JSON. A
// broken gateway, or a proxy with its own error page, does so.
//
// Symptom: "deserialization failed, failed to decode response body". This is
// not an error of the service and is not retried. It must not put the secret's
// value in a log. The operation was executed all the same.
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

// errSTS is the error of a credentials provider that may not assume its role.
var errSTS = &smithy.OperationError{
	ServiceID: "STS", OperationName: "AssumeRole",
	Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusForbidden}},
		Err: &smithy.GenericAPIError{Code: "AccessDenied",
			Message: "User is not authorized to perform: sts:AssumeRole", Fault: smithy.FaultClient},
	},
}
