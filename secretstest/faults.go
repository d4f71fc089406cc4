package secretstest

import (
	"net/http"
	"time"
)

// Always as the Times of a Fault makes it strike until ClearFaults.
const Always = -1

// A Fault makes calls fail or misbehave. The fields up to Probability say which
// calls it strikes; the fields from Code on say what happens to them. A Fault
// that sets none of the latter throttles.
type Fault struct {
	// Op is the operation, for instance "GetSecretValue". Empty means any. A Fault
	// of GetSecretValue with an error also strikes the secrets of a
	// BatchGetSecretValue; the error is then one of the output's Errors.
	Op string
	// Secret is the name or the ARN of the secret. Empty means any. A
	// BatchGetSecretValue matches by any secret in its list.
	Secret string
	// Stage is the staging label that a GetSecretValue asks for. A request that
	// names no version asks for AWSCURRENT. Empty means any.
	Stage string
	// Region is the region of the call. Empty means any.
	Region string
	// Identity is the ARN of the caller. Empty means any.
	Identity string
	// Skip is how many matching calls pass before the fault strikes.
	Skip int
	// Times is how many calls the fault strikes. Zero means one, Always all.
	Times int
	// Probability is how likely the fault is to strike a matching call. Zero means
	// 1. The server's seed determines which calls are struck.
	Probability float64

	// Code is the error's code, such as "ThrottlingException". It need not be
	// one of the service's own.
	Code string
	// Message is the error's text. It defaults to AWS's for the known codes.
	Message string
	// Status is the HTTP status. It defaults to 400, or to 500 for
	// InternalServiceError. If Status is set and Code is not, the code is
	// InternalFailure.
	Status int
	// Latency is the delay before the call is executed or fails. The end of the
	// caller's context ends it.
	Latency time.Duration
	// Trickle sends the response body one byte at a time, with this pause before
	// each byte.
	Trickle time.Duration
	// Late executes the operation although its response is a failure.
	Late bool
	// Drop closes the connection without a response.
	Drop bool
	// Truncate closes the connection in the middle of the response.
	Truncate bool
	// Garbage sends an HTTP 200 whose body is not JSON.
	Garbage bool
	// Empty sends an HTTP 200 whose body is an empty object.
	Empty bool
	// Lag answers a read with the state of the secret this long ago.
	Lag time.Duration
	// Stale answers a read with the state before the secret's last change, so that
	// the caller sees a label move back.
	Stale bool
	// NoStages leaves VersionIdsToStages out of DescribeSecret.
	NoStages bool
}

// An armedFault is a fault and how much of it is left.
type armedFault struct {
	Fault
	skip  int
	times int // Always, or how many are left
}

// Fail arms faults. If several match a call, the one armed first strikes. A
// fault is removed after it has struck its last time.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(faults)
}

// failLocked arms faults and returns them as they are armed.
func (s *Server) failLocked(faults []Fault) []*armedFault {
	var armed []*armedFault
	for _, f := range faults {
		a := &armedFault{Fault: f, skip: f.Skip, times: f.Times}
		if a.times == 0 {
			a.times = 1
		}
		armed = append(armed, a)
	}
	s.faults = append(s.faults, armed...)
	return armed
}

// ClearFaults disarms all faults, including those of rotation steps.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.stepFaults = nil
}

// DenyPending returns a fault that denies reads of the pending version. A
// policy with the condition key secretsmanager:VersionStage does so. An empty
// name means every secret.
func DenyPending(secret string) Fault {
	return Fault{Op: "GetSecretValue", Secret: secret, Stage: stagePending, Times: Always, Code: "AccessDeniedException"}
}

// DenyDescribe returns a fault that denies DescribeSecret. An empty name means
// every secret.
func DenyDescribe(secret string) Fault {
	return Fault{Op: "DescribeSecret", Secret: secret, Times: Always, Code: "AccessDeniedException"}
}

// DenyKMS returns a fault that denies decryption of a secret. AWS does so if
// the caller lacks kms:Decrypt. An empty name means every secret.
func DenyKMS(secret string) Fault {
	return Fault{Op: "GetSecretValue", Secret: secret, Times: Always, Code: "AccessDeniedException", Message: "Access to KMS is not allowed"}
}

// Outage returns a fault that drops every connection.
func Outage() Fault { return Fault{Times: Always, Drop: true} }

// strikeLocked returns the fault that strikes a call, or nil.
func (s *Server) strikeLocked(c *call) *Fault {
	for i, f := range s.faults {
		if !f.matches(c) {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		if f.Probability > 0 && s.rng.Float64() >= f.Probability {
			continue
		}
		if f.times > 0 {
			f.times--
			if f.times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return f.prepared(c)
	}
	return nil
}

// matches reports whether the fault may strike a call.
func (f *Fault) matches(c *call) bool {
	return (f.Op == "" && !c.inBatch || f.Op == c.op.name) &&
		(f.Region == "" || f.Region == c.region) &&
		(f.Identity == "" || f.Identity == c.caller.arn) &&
		(f.Stage == "" || f.Stage == c.stageAsked()) &&
		(f.Secret == "" || c.isAbout(f.Secret))
}

// stageAsked returns the label that a call asks for.
func (c *call) stageAsked() string {
	switch {
	case c.entry.Stage != "":
		return c.entry.Stage
	case c.op.name == "BatchGetSecretValue", c.op.name == "GetSecretValue" && c.entry.VersionID == "":
		return stageCurrent
	}
	return ""
}

// isAbout reports whether a call is about a secret.
func (c *call) isAbout(secret string) bool {
	name := c.nameOf(secret)
	if c.entry.Secret == name || c.entry.SecretID == secret {
		return true
	}
	for _, id := range c.entry.SecretIDs {
		if c.nameOf(id) == name {
			return true
		}
	}
	return false
}

// prepared returns a copy of f with its defaults filled in for a call.
func (f Fault) prepared(c *call) *Fault {
	if f.Code == "" && f.Status == 0 && !f.harmless() {
		f.Code = "ThrottlingException"
	}
	if f.Code == "AccessDeniedException" && f.Message == "" {
		f.Message = c.deniedText(c.op.name, c.target(), noIdentityPolicy)
	}
	if f.Message == "" {
		f.Message = faultText[f.Code]
	}
	return &f
}

// harmless reports whether the fault does something other than respond with an
// error.
func (f *Fault) harmless() bool {
	return f.Latency > 0 || f.Trickle > 0 || f.Drop || f.Truncate || f.Garbage || f.Empty || f.Lag > 0 || f.Stale || f.NoStages
}

// faultText holds AWS's texts of errors that only faults cause.
var faultText = map[string]string{
	"ThrottlingException":       "Rate exceeded",
	"InternalServiceError":      "An error occurred on the server side.",
	"DecryptionFailure":         "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
	"EncryptionFailure":         "Secrets Manager can't encrypt the protected secret text using the provided KMS key.",
	"ExpiredTokenException":     "The security token included in the request is expired",
	"ResourceNotFoundException": "Secrets Manager can't find the specified secret.",
}

// err returns the error that the fault answers with, or nil.
func (f *Fault) err() error {
	if f.Code == "" && f.Status == 0 {
		return nil
	}
	e := &apiError{code: f.Code, message: f.Message, status: f.Status}
	if e.code == "" {
		e.code = "InternalFailure"
		e.status = f.Status
	}
	if e.code == "InternalServiceError" && e.status == 0 {
		e.status = http.StatusInternalServerError
	}
	return e
}

// reading returns the effect of the fault on reads.
func (f *Fault) reading() reading {
	return reading{lag: f.Lag, stale: f.Stale, noStages: f.NoStages}
}

// broken returns an answer that is as broken as the fault says. It works on a
// nil fault.
func (f *Fault) broken() answer {
	var a answer
	switch {
	case f == nil:
	case f.Drop:
		a.broken = dropped
	case f.Truncate:
		a.broken = truncated
	default:
		a.trickle = f.Trickle
	}
	return a
}

// outcome returns the Outcome in the ledger of a completed call.
func outcome(err error, a answer, f *Fault) string {
	if a.broken == dropped {
		return OutcomeDropped
	}
	if err != nil {
		if e, ok := err.(*apiError); ok {
			return e.code
		}
		return "InternalServiceError"
	}
	switch {
	case a.broken == truncated:
		return OutcomeTruncated
	case f != nil && (f.Garbage || f.Empty):
		return OutcomeGarbage
	}
	return OutcomeOK
}
