package secretstest

import (
	"net/http"
	"time"
)

// Always, as the Times of a Fault, makes it strike until ClearFaults.
const Always = -1

// A Fault is something that goes wrong with calls. Its first part says which
// calls it strikes, its second what happens to them. A Fault whose second part
// is empty throttles.
type Fault struct {
	// Op is the operation, "GetSecretValue" for instance. Empty: any. An error
	// of GetSecretValue is met by the secrets of a BatchGetSecretValue as well,
	// and is then one of the answer's Errors.
	Op string
	// Secret is the name or the ARN of the secret. Empty: any. A
	// BatchGetSecretValue is about each secret of its list.
	Secret string
	// Stage is the staging label that a GetSecretValue asks for, which is
	// AWSCURRENT if it asks for no version at all. Empty: any.
	Stage string
	// Region is the region of the call. Empty: any.
	Region string
	// Identity is the ARN of the caller. Empty: any.
	Identity string
	// Skip is how many matching calls pass before the first is struck.
	Skip int
	// Times is how many calls are struck: 0 means one, Always all of them.
	Times int
	// Probability is that of a matching call being struck. Zero means 1. It is
	// drawn from the server's seed.
	Probability float64

	// Code is the error's code, such as "ThrottlingException". It need not be
	// one of the service's own.
	Code string
	// Message is the error's text. It defaults to AWS's for the known codes.
	Message string
	// Status is the HTTP status. It defaults to 400, or to 500 for
	// InternalServiceError. Without a Code it makes one of InternalFailure.
	Status int
	// Latency passes before the call is carried out, or fails. The caller's
	// context ends it.
	Latency time.Duration
	// Trickle sends the body of the answer a byte at a time, with such a pause
	// before each.
	Trickle time.Duration
	// Late makes the operation happen although its answer fails.
	Late bool
	// Drop closes the connection without an answer.
	Drop bool
	// Truncate ends the connection in the middle of the answer.
	Truncate bool
	// Garbage sends an HTTP 200 whose body is not JSON.
	Garbage bool
	// Empty sends an HTTP 200 whose body is an empty object.
	Empty bool
	// Lag answers a read from the state that the secret had so long ago.
	Lag time.Duration
	// Stale answers a read from the state before the secret's last change: to
	// the caller, a label goes back.
	Stale bool
	// NoStages leaves VersionIdsToStages out of DescribeSecret.
	NoStages bool
}

// An armedFault is a fault and how much of it is left.
type armedFault struct {
	Fault
	skip  int
	times int // Always, or what is left
}

// Fail arms faults. Of all that match a call the one armed first strikes; when
// it has struck its last time it is gone.
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

// ClearFaults disarms all faults, those of rotation steps too.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.stepFaults = nil
}

// DenyPending returns a fault that refuses to give out the pending version of a
// secret, as a policy with the condition key secretsmanager:VersionStage does.
// An empty name means every secret.
func DenyPending(secret string) Fault {
	return Fault{Op: "GetSecretValue", Secret: secret, Stage: stagePending, Times: Always, Code: "AccessDeniedException"}
}

// DenyDescribe returns a fault that refuses DescribeSecret. An empty name means
// every secret.
func DenyDescribe(secret string) Fault {
	return Fault{Op: "DescribeSecret", Secret: secret, Times: Always, Code: "AccessDeniedException"}
}

// DenyKMS returns a fault that refuses to decrypt a secret, as AWS does to a
// caller without kms:Decrypt. An empty name means every secret.
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

// matches reports whether a call is one that the fault may strike.
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

// harmless reports whether the fault does something other than answer with an
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

// reading returns what the fault makes of reads.
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

// outcome returns what the ledger says of an answered call.
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
