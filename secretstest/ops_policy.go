package secretstest

import (
	"github.com/seed-74dc7b3e/secrets/secretstest/internal/policy"
)

func getResourcePolicy(c *call) (any, error) {
	return &policyAnswer{c.secret.arn, c.secret.name, c.secret.policyText}, nil
}

func putResourcePolicy(c *call) (any, error) {
	text := c.in.str("ResourcePolicy")
	p, err := policy.Parse(text)
	if err != nil {
		return nil, &apiError{code: "MalformedPolicyDocumentException", message: err.Error()}
	}
	if c.in.flag("BlockPublicPolicy", false) && p.Public(c.secret.arn) {
		return nil, &apiError{code: "PublicPolicyException", message: "The BlockPublicPolicy parameter is set to true, and the resource policy did not prevent broad access to the secret."}
	}
	c.change()
	c.secret.policy, c.secret.policyText = p, text
	return answerOf(c.secret), nil
}

func deleteResourcePolicy(c *call) (any, error) {
	c.change()
	c.secret.policy, c.secret.policyText = nil, ""
	return answerOf(c.secret), nil
}

// validationAnswer is the answer to ValidateResourcePolicy.
type validationAnswer struct {
	PolicyValidationPassed bool
	ValidationErrors       []policy.Problem
}

func validateResourcePolicy(c *call) (any, error) {
	arn := ""
	if id := c.in.str("SecretId"); id != "" {
		if err := c.lookUp(); err != nil {
			return nil, err
		}
		arn = c.secret.arn
	} else if err := c.authorize("ValidateResourcePolicy", nil, "*"); err != nil {
		return nil, err
	}
	p, err := policy.Parse(c.in.str("ResourcePolicy"))
	if err != nil {
		return nil, &apiError{code: "MalformedPolicyDocumentException", message: err.Error()}
	}
	out := &validationAnswer{ValidationErrors: []policy.Problem{}}
	out.ValidationErrors = append(out.ValidationErrors, p.Problems(arn)...)
	out.PolicyValidationPassed = len(out.ValidationErrors) == 0
	return out, nil
}

// policyAnswer is the answer to GetResourcePolicy.
type policyAnswer struct {
	ARN            string
	Name           string
	ResourcePolicy string `json:",omitempty"`
}
