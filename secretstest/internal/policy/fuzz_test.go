package policy

import (
	"testing"
)

// FuzzPolicy parses and decides any policy: it must not panic, and an explicit
// Deny of everything that is added to a policy must win.
func FuzzPolicy(f *testing.F) {
	f.Add(onePolicy(), alice, "secretsmanager:GetSecretValue", testSecret, "AWSCURRENT")
	f.Add(onePolicy(`Principal="*"`, `Condition={"StringLike":{"secretsmanager:VersionStage":"${a}*"}}`), bob, "secretsmanager:b", "*", "${")
	f.Add(onePolicy(`NotPrincipal={"AWS":"`+bob+`"}`, `Condition={"ForAllValues:ArnLike":{"k":["arn:${a:b}:c:d:e:f","*"]}}`), bob, "", "", "arn:::::")
	f.Add(onePolicy(`Condition={"DateLessThan":{"aws:CurrentTime":"2024-01-01"},"IpAddress":{"k":"::/0"},"NumericEquals":{"k":"1e999"}}`), bob, "", "", "::1")
	f.Add(`{"Statement":[]}`, "", "", "", "")
	f.Fuzz(func(t *testing.T, doc, principal, action, resource, value string) {
		p, err := Parse(doc)
		if err != nil {
			return
		}
		r := Request{Caller: caller(principal), Action: action, Resource: resource,
			Keys: map[string][]string{"k": {value}, "secretsmanager:versionstage": {value}, "aws:tagkeys": {value, "a"}, "none": {}}}
		p.Public("")
		p.Problems(resource)
		p.Decide(r)
		p.statements = append(p.statements, statement{deny: true, principals: principals{any: true},
			actions: []string{"*"}, resources: []string{"*"}})
		if got := p.Decide(r); got != ExplicitDeny {
			t.Errorf("got %d, want %d", got, ExplicitDeny)
		}
	})
}
