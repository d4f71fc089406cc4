package secretstest

import (
	"strings"
	"testing"
	"time"
)

// FuzzPolicy parses and decides any policy: it must not panic, and an explicit
// Deny of everything that is added to a policy must win.
func FuzzPolicy(f *testing.F) {
	f.Add(onePolicy(), alice, "secretsmanager:GetSecretValue", testSecret, "AWSCURRENT")
	f.Add(onePolicy(`Principal="*"`, `Condition={"StringLike":{"secretsmanager:VersionStage":"${a}*"}}`), bob, "a:b", "*", "${")
	f.Add(onePolicy(`NotPrincipal={"AWS":"`+bob+`"}`, `Condition={"ForAllValues:ArnLike":{"k":["arn:${a:b}:c:d:e:f","*"]}}`), bob, "", "", "arn:::::")
	f.Add(onePolicy(`Condition={"DateLessThan":{"aws:CurrentTime":"2024-01-01"},"IpAddress":{"k":"::/0"},"NumericEquals":{"k":"1e999"}}`), bob, "", "", "::1")
	f.Add(`{"Statement":[]}`, "", "", "", "")
	f.Fuzz(func(t *testing.T, doc, principal, action, resource, value string) {
		p, err := parsePolicy(doc)
		if err != nil {
			return
		}
		parts := append(strings.Split(principal, ":"), "", "", "", "", "")
		r := request{principalARN: principal, account: parts[4], action: action, resource: resource,
			keys: map[string][]string{"k": {value}, "secretsmanager:versionstage": {value}, "aws:tagkeys": {value, "a"}, "none": {}}}
		p.public()
		p.validationErrors()
		p.decide(r)
		p.statements = append(p.statements, statement{deny: true, principals: principals{any: true},
			actions: []string{"*"}, resources: []string{"*"}})
		if got := p.decide(r); got != explicitDeny {
			t.Errorf("got %d, want %d", got, explicitDeny)
		}
	})
}

// FuzzCron parses any schedule: the windows of one that is good must follow one
// another, begin on the hour, and end on the day they begin.
func FuzzCron(f *testing.F) {
	for _, s := range []string{"cron(0 8 1 * ? *)", "cron(0 4/12 * * ? *)", "cron(0 8 ? 1/3 2#3 *)", "cron(0 22 L * ? *)", "cron(0 22 ? * 6L *)",
		"cron(0 9 ? JAN-MAR,DEC MON-FRI,L *)", "cron(0 0,8,16 29 2 ? *)", "rate(4 hours)", "rate(23 hours)", "rate(999 days)", "cron(0 8 ? 2 SUN#5 *)"} {
		for _, d := range []string{"", "1h", "8h", "24h"} {
			f.Add(s, d, int64(1_715_769_000))
		}
	}
	f.Fuzz(func(t *testing.T, expression, duration string, unix int64) {
		s, err := parseRules(rotationRules{Schedule: expression, Duration: duration})
		if err != nil || s == nil {
			return
		}
		after := time.Unix(unix%8_000_000_000, 0).UTC()
		for range 3 {
			start, end := s.nextWindow(after)
			switch {
			case start.IsZero() || !start.After(after):
				t.Fatalf("window after %v: got %v", after, start)
			case start.Minute() != 0 || start.Second() != 0:
				t.Fatalf("window begins at %v", start)
			case !end.After(start) || !midnight(start).Equal(midnight(end)):
				t.Fatalf("window from %v: got end %v", start, end)
			}
			if s.daysBetween(after) < 1 {
				t.Fatalf("days between windows after %v: got %d", after, s.daysBetween(after))
			}
			after = start
		}
	})
}
