package secretstest

import (
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/schedule"
)

// A rotationState is the state of a secret's rotation.
type rotationState struct {
	configured bool // RotateSecret has succeeded once
	enabled    bool
	function   string // ARN
	rules      schedule.Rules
	schedule   *schedule.Schedule // nil without rules
	last       time.Time          // when a rotation last succeeded
	next       time.Time          // the end of the next window; zero without one
	metadata   []metadataItem
	roleARN    string
}

// rotation returns the state of the secret's rotation, for reading.
func (c *content) rotation() rotationState {
	if c.rotated == nil {
		return rotationState{}
	}
	return *c.rotated
}

// rotates returns the same to be changed.
func (c *content) rotates() *rotationState {
	if c.rotated == nil {
		c.rotated = new(rotationState)
	}
	return c.rotated
}

// rulesBody is the RotationRules of an answer.
type rulesBody struct {
	AutomaticallyAfterDays int    `json:",omitempty"`
	Duration               string `json:",omitempty"`
	ScheduleExpression     string `json:",omitempty"`
}

// A metadataItem belongs to the rotation of a managed external secret.
type metadataItem struct {
	Key   string
	Value string
}

// describe adds the rotation to a description. If rotation is turned off,
// DescribeSecret omits the time of the last rotation; ListSecrets does not.
func (r *rotationState) describe(out *description, listed bool) {
	if listed || r.enabled || !r.configured {
		out.LastRotatedDate = epoch(r.last)
	}
	if !r.configured {
		return
	}
	enabled := r.enabled
	out.RotationEnabled = &enabled
	out.RotationLambdaARN = r.function
	out.ExternalMetadata = r.metadata
	out.ExternalRoleARN = r.roleARN
	if r.rules != (schedule.Rules{}) {
		out.RotationRules = r.rulesBody()
	}
	if r.enabled {
		out.NextRotationDate = epoch(r.next)
	}
}

// rulesBody returns the rules as they are shown. Once the secret was rotated,
// a schedule is shown in days as well.
func (r *rotationState) rulesBody() *rulesBody {
	b := &rulesBody{r.rules.AfterDays, r.rules.Duration, r.rules.Schedule}
	if r.schedule != nil && !r.last.IsZero() {
		b.AutomaticallyAfterDays = r.schedule.Days(r.last)
	}
	return b
}
