package secretstest

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest/internal/schedule"
)

// HandleRotation registers a rotation function under an ARN for RotateSecret.
// It replaces the function that had the ARN before. A nil function removes
// that.
func (s *Server) HandleRotation(arn string, fn RotationFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fn == nil {
		delete(s.functions, arn)
		return
	}
	s.functions[arn] = fn
}

// SetRotation turns on the rotation of a secret without rotating it. It returns
// the ARN under which it registered the function. With a nil function the
// server makes each new value itself; nil rules set no schedule.
func (s *Server) SetRotation(name string, fn RotationFunc, rules *types.RotationRulesType) (functionARN string) {
	s.helper()()
	arn, err := s.trySetRotation(name, fn, rules)
	s.check(err, "set rotation of %q", name)
	return arn
}

func (s *Server) trySetRotation(name string, fn RotationFunc, rules *types.RotationRulesType) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.helperSecretLocked(name)
	if err != nil {
		return "", err
	}
	st := sec.rotation()
	if rules != nil {
		st.rules = schedule.Rules{
			AfterDays: int(aws.ToInt64(rules.AutomaticallyAfterDays)),
			Duration:  aws.ToString(rules.Duration),
			Schedule:  aws.ToString(rules.ScheduleExpression),
		}
		if st.schedule, err = scheduleOf(st.rules); err != nil {
			return "", err
		}
	}
	st.function = "arn:" + partition(sec.realm.region) + ":lambda:" + sec.realm.region + ":" + sec.realm.account + ":function:rotate-" + sec.suffix
	st.configured, st.enabled = true, true
	r := s.rotationLocked(sec)
	if fn == nil {
		fn = func(ctx context.Context, e rotate.Event) error { return r.builtIn(ctx, e) }
	}
	s.functions[st.function] = fn
	s.changeLocked(sec, now())
	*sec.rotates() = st
	s.planRotationLocked(sec)
	return st.function, nil
}

// Rotate rotates a secret and returns the id of the new version. It delivers
// the four steps and waits for them. A secret without a rotation function gets
// a new value as Rotation.SetValue describes.
func (s *Server) Rotate(name string) (versionID string) {
	s.helper()()
	s.mu.Lock()
	sec, err := s.helperSecretLocked(name)
	var r *Rotation
	if err == nil {
		r = s.rotationLocked(sec)
		versionID = r.announceLocked(newUUID())
	}
	s.mu.Unlock()
	if err == nil {
		err = r.Run()
	}
	s.check(err, "rotate %q", name)
	return versionID
}

// A RotationFunc is a rotation function, in place of a Lambda function. It is
// called once for each step, or more often if a fault requires it. Its context
// ends when the rotation is canceled, the secret deleted, or the server closed.
type RotationFunc func(ctx context.Context, e rotate.Event) error
