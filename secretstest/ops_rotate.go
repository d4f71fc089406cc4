package secretstest

import (
	"slices"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/schedule"
)

// needRotationToken refuses a RotateSecret without a ClientRequestToken.
func needRotationToken(in input) error {
	if in.str("ClientRequestToken") == "" {
		return invalidParameter(missingToken)
	}
	return nil
}

var (
	errNoFunction = invalidRequest("No Lambda rotation function ARN is associated with this secret.")
	errInProgress = invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.")
)

func rotateSecret(c *call) (any, error) {
	s, id := c.secret, c.in.str("ClientRequestToken")
	out := answerOf(s)
	out.VersionID = id
	st, err := c.rotationSettings()
	if err != nil {
		return nil, err
	}
	if v := s.version(id); v != nil && (v.has(stagePending) || v.has(stageCurrent)) {
		return out, nil
	}
	r := c.srv.rotationLocked(s)
	if s.outstanding() != nil {
		r.startLocked("")
		return nil, errInProgress
	}
	c.change()
	*s.rotates() = st
	c.srv.planRotationLocked(s)
	if c.in.flag("RotateImmediately", true) {
		r.startLocked(id)
	} else {
		r.rehearseLocked(id)
	}
	return out, nil
}

// rotationSettings returns the settings of the secret with those of the call. A
// secret that another service owns, and a managed external secret, which has a
// type and a role, are rotated without a function.
func (c *call) rotationSettings() (rotationState, error) {
	st := c.secret.rotation()
	for _, m := range c.in.objects("ExternalSecretRotationMetadata") {
		item := metadataItem{m.str("Key"), m.str("Value")}
		if !slices.Contains(st.metadata, item) {
			st.metadata = append(slices.Clip(st.metadata), item)
		}
	}
	if arn := c.in.str("ExternalSecretRotationRoleArn"); arn != "" {
		st.roleARN = arn
	}
	if arn := c.in.str("RotationLambdaARN"); arn != "" {
		if c.secret.owningService != "" {
			return st, errOwned
		}
		st.function = arn
	}
	managed := c.secret.owningService != "" || c.secret.kind != "" && st.roleARN != ""
	if st.function == "" && !managed {
		return st, errNoFunction
	}
	if rules := c.in.object("RotationRules"); rules != nil {
		st.rules = schedule.Rules{
			AfterDays: rules.num("AutomaticallyAfterDays", 0),
			Duration:  rules.str("Duration"),
			Schedule:  rules.str("ScheduleExpression"),
		}
		var err error
		if st.schedule, err = scheduleOf(st.rules); err != nil {
			return st, err
		}
	}
	if st.function != "" && c.srv.functions[st.function] == nil && !c.srv.opts.AnyFunction {
		return st, errInvoke
	}
	st.configured, st.enabled = true, true
	return st, nil
}

// scheduleOf returns the schedule of rules, or nil if they set none.
func scheduleOf(rules schedule.Rules) (*schedule.Schedule, error) {
	sched, err := schedule.Parse(rules)
	if err != nil {
		return nil, invalidParameter("%s", err)
	}
	return sched, nil
}

func cancelRotateSecret(c *call) (any, error) {
	s := c.secret
	if !s.rotation().configured {
		return nil, errNoFunction
	}
	c.change()
	c.srv.stopRotationLocked(s.content)
	s.rotates().enabled = false
	out := answerOf(s)
	if v := s.outstanding(); v != nil {
		out.VersionID = v.id
	}
	return out, nil
}
