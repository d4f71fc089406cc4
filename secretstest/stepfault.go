package secretstest

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest/internal/password"
)

// A StepFault makes rotation steps fail or misbehave.
type StepFault struct {
	// Secret is the name or the ARN of the secret. Empty means any.
	Secret string
	// Step is the step. Empty means any.
	Step rotate.Step
	// Times is how many deliveries the fault strikes. Zero means one, Always all.
	Times int

	// Delay is the delay before the step.
	Delay time.Duration
	// Hang makes the step last until the rotation is canceled or the server
	// closed.
	Hang bool
	// Twice delivers the step a second time if the first delivery succeeded.
	Twice bool
	// Err is the error of the step. The step fails before the function is called,
	// or after it if Late is set.
	Err  error
	Late bool
}

// FailStep arms faults of rotation steps. If several match a delivery, the one
// armed first strikes.
func (s *Server) FailStep(faults ...StepFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		s.stepFaults = append(s.stepFaults, &f)
	}
}

// strikeStepLocked returns the fault of a delivery; the zero fault is none.
func (s *Server) strikeStepLocked(sec *secret, step rotate.Step) StepFault {
	for i, f := range s.stepFaults {
		if f.Step != "" && f.Step != step || f.Secret != "" && f.Secret != sec.name && f.Secret != sec.arn {
			continue
		}
		if f.Times > 0 {
			f.Times--
			if f.Times == 0 {
				s.stepFaults = append(s.stepFaults[:i:i], s.stepFaults[i+1:]...)
			}
		}
		return *f
	}
	return StepFault{}
}

// deliver calls the rotation function for one step.
func (r *Rotation) deliver(ctx context.Context, id string, step rotate.Step) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	s := r.srv
	s.mu.Lock()
	fn, err := r.functionLocked()
	f := s.strikeStepLocked(r.secret, step)
	e := rotate.Event{Step: step, SecretID: r.secret.arn, ClientRequestToken: id, RotationToken: r.token}
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case f.Delay > 0 && !sleep(ctx, f.Delay):
		return ctx.Err()
	case f.Hang:
		<-ctx.Done()
		return ctx.Err()
	case f.Err != nil && !f.Late:
		return f.Err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if err := fn(ctx, e); err != nil {
		return err
	}
	if f.Twice {
		if err := fn(ctx, e); err != nil {
			return err
		}
	}
	return f.Err
}

// functionLocked returns the function that rotates the secret.
func (r *Rotation) functionLocked() (RotationFunc, error) {
	arn := r.secret.rotation().function
	if fn := r.srv.functions[arn]; fn != nil {
		return fn, nil
	}
	if arn != "" && !r.srv.opts.AnyFunction {
		return nil, errInvoke
	}
	return r.builtIn, nil
}

// builtIn is the rotation function of secrets that have none. It changes the
// store directly: no call of it is in the ledger.
func (r *Rotation) builtIn(_ context.Context, e rotate.Event) error {
	s := r.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	v := r.secret.version(e.ClientRequestToken)
	if v == nil {
		return errors.New("secretstest: the version of the rotation is gone")
	}
	switch {
	case e.Step == rotate.CreateSecret && v.value.empty():
		val := r.nextValueLocked()
		s.changeLocked(r.secret, now())
		v.value = val
	case e.Step == rotate.FinishSecret && !v.has(stageCurrent):
		if v.value.empty() {
			return errors.New("secretstest: the version of the rotation has no value")
		}
		s.changeLocked(r.secret, now())
		r.secret.attach(stageCurrent, v)
	}
	return nil
}

// nextValueLocked returns the value for a new version.
func (r *Rotation) nextValueLocked() value {
	if r.value != nil {
		v := *r.value
		r.value = nil
		return v
	}
	pw, err := password.New(password.Input{ExcludePunctuation: true})
	if err != nil {
		panic("secretstest: " + err.Error())
	}
	cur := r.secret.holder(stageCurrent)
	if cur == nil || cur.value.text == nil {
		return textValue(pw)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(*cur.value.text), &object) != nil || object == nil {
		return textValue(pw)
	}
	object["password"] = marshal(pw)
	return textValue(string(marshal(object)))
}
