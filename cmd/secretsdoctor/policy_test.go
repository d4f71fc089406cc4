package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// live runs a client as a caller with a policy: it prefetches, reads, refreshes,
// and reads the other labels, through a rotation. It returns the operations of
// which some were refused, and whether everything could be read.
func live(t *testing.T, srv *secretstest.Server, document string, ids ...string) (refused []string, ok bool) {
	srv.ResetCalls()
	client, err := secrets.New(srv.ClientFor(secretstest.Identity{ARN: "arn:aws:iam::123456789012:user/app", Policies: []string{document}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := t.Context()
	ok = client.Prefetch(ctx, ids...) == nil
	for _, id := range ids {
		_, err := client.Get(ctx, id)
		ok = ok && err == nil && client.Refresh(ctx, id) == nil
		for _, label := range []string{secrets.Pending, secrets.Previous} {
			_, err := client.GetVersion(ctx, id, secrets.Stage(label))
			ok = ok && err == nil
		}
	}
	for _, call := range srv.Calls(secretstest.Call{Outcome: "AccessDeniedException"}) {
		refused = append(refused, call.Op)
	}
	slices.Sort(refused)
	return slices.Compact(refused), ok
}

// TestPolicySuffices runs the library as a caller who has the printed policy and
// nothing else, and then without each statement of it.
func TestPolicySuffices(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": "1", "prod/key": "1", "unrelated": "1"})
	ids := []string{"prod/db", "prod/key"}
	for _, id := range ids {
		srv.Put(id, value)
		srv.PutPending(id, value)
	}
	pointAt(t, srv.URL(), "AKIAIOSFODNN7EXAMPLE")
	out, err := doctor(t, ids...)
	if err != nil {
		t.Fatal(err)
	}
	document, p := policyOf(t, out)
	if refused, ok := live(t, srv, document, ids...); !ok || len(refused) > 0 {
		t.Errorf("with the policy all could be read: %v, refused: %v", ok, refused)
	}
	if _, ok := live(t, srv, document, "unrelated"); ok {
		t.Error("the policy allows to read another secret")
	}
	for _, tt := range []struct {
		sid, op string
		ok      bool
	}{{"Read", "GetSecretValue", false}, {"Check", "DescribeSecret", true}, {"Prefetch", "BatchGetSecretValue", true}} {
		less := p
		less.Statement = slices.DeleteFunc(slices.Clone(p.Statement), func(s statement) bool { return s.Sid == tt.sid })
		if len(less.Statement) != len(p.Statement)-1 {
			t.Fatalf("no statement %s in %s", tt.sid, document)
		}
		without, _ := json.Marshal(less)
		refused, ok := live(t, srv, string(without), ids...)
		if ok != tt.ok || !slices.Contains(refused, tt.op) {
			t.Errorf("without %s all could be read: %v, want %v; refused: %v", tt.sid, ok, tt.ok, refused)
		}
	}
}

func TestMinimalPolicy(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": value})
	srv.Put("prod/db", value)
	srv.PutPending("prod/db", value)
	pointAt(t, srv.URL(), "AKIAIOSFODNN7EXAMPLE")
	out, err := doctor(t, "-minimal", "prod/db")
	if err != nil {
		t.Fatal(err)
	}
	document, p := policyOf(t, out)
	if len(p.Statement) != 1 || !slices.Equal(p.Statement[0].Action, []string{"secretsmanager:GetSecretValue"}) {
		t.Errorf("the minimal policy is %s", document)
	}
	if _, ok := live(t, srv, document, "prod/db"); !ok {
		t.Error("the minimal policy does not suffice to read")
	}
}

// TestPolicyOfUnknown is what is printed where the caller may not even see the
// secret: granted to it, the secret can be read.
func TestPolicyOfUnknown(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": value})
	arn := srv.ARN("prod/db")
	for _, id := range []string{"prod/db", arn, arn[:strings.LastIndexByte(arn, '-')]} {
		pointAt(t, srv.URL(), srv.AddIdentity(secretstest.Identity{Allow: []string{}}))
		out, _ := doctor(t, id)
		document, _ := policyOf(t, out)
		pointAt(t, srv.URL(), srv.AddIdentity(secretstest.Identity{Policies: []string{document}}))
		if out, err := doctor(t, id); err != nil {
			t.Errorf("with the policy for %s: %v\n%s", id, err, out)
		}
	}
}

func TestKeyStatements(t *testing.T) {
	const (
		me  = "123456789012"
		kms = "arn:aws:kms:us-east-1:" + me + ":"
		id  = "1234abcd-12ab-34cd-56ef-1234567890ab"
	)
	for _, tt := range []struct{ key, want, condition string }{
		{"", "", ""},
		{"alias/aws/secretsmanager", "", ""},
		{kms + "key/" + id, kms + "key/" + id, ""},
		{id, kms + "key/" + id, ""},
		{"alias/mine", kms + "key/*", "alias/mine"},
		{kms + "alias/mine", kms + "key/*", "alias/mine"},
	} {
		d := &diagnosis{id: "s", caller: caller{region: "us-east-1"}, desc: &secretsmanager.DescribeSecretOutput{
			ARN: aws.String("arn:aws:secretsmanager:us-east-1:" + me + ":secret:s-AbCdEf"), KmsKeyId: aws.String(tt.key)}}
		p := leastPolicy([]*diagnosis{d}, true)
		if tt.want == "" {
			if len(p.Statement) != 1 {
				t.Errorf("key %q: %v, want no statement about keys", tt.key, p)
			}
			continue
		}
		if len(p.Statement) != 2 || !slices.Equal(p.Statement[1].Resource, []string{tt.want}) ||
			p.Statement[1].Condition["StringEquals"]["kms:ViaService"] != "secretsmanager.us-east-1.amazonaws.com" ||
			p.Statement[1].Condition["ForAnyValue:StringEquals"]["kms:ResourceAliases"] != tt.condition {
			t.Errorf("key %q: %+v, want %s and %q", tt.key, p.Statement, tt.want, tt.condition)
		}
	}
	refused := &diagnosis{id: "s", caller: caller{region: "cn-north-1"}, current: probe{keyDenied, ""}}
	if got := leastPolicy([]*diagnosis{refused}, true).Statement; len(got) != 2 || got[1].Resource[0] != "arn:aws-cn:kms:cn-north-1:*:key/*" {
		t.Errorf("a key that is not known: %+v", got)
	}
}

// TestCallsADay compares what is foretold with what the library does in a day.
func TestCallsADay(t *testing.T) {
	for _, tt := range []struct {
		ttl      time.Duration
		describe bool
	}{{5 * time.Minute, true}, {5 * time.Minute, false}, {30 * time.Minute, true}, {2 * time.Hour, true}} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": value})
			who := secretstest.Identity{Allow: []string{"secretsmanager:GetSecretValue"}}
			if tt.describe {
				who.Allow = append(who.Allow, "secretsmanager:DescribeSecret")
			}
			const days = 10
			client, err := secrets.New(srv.ClientFor(who), &secrets.Options{TTL: tt.ttl})
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(days * 24 * time.Hour); time.Now().Before(end); time.Sleep(tt.ttl / 16) {
				if _, err := client.Get(t.Context(), "s"); err != nil {
					t.Fatal(err)
				}
			}
			client.Close()
			describes, fetches := callsADay(tt.ttl, tt.describe)
			near(t, tt.ttl, "GetSecretValue", srv.Count(secretstest.Call{Op: "GetSecretValue"})/days, fetches)
			near(t, tt.ttl, "DescribeSecret", srv.Count(secretstest.Call{Op: "DescribeSecret", Outcome: secretstest.OutcomeOK})/days, describes)
		})
	}
}

// near checks that a count of a day is within 8 % of what was foretold, or one.
func near(t *testing.T, ttl time.Duration, op string, got int, want float64) {
	t.Helper()
	if off := max(1, want*0.08); float64(got) < want-off || float64(got) > want+off {
		t.Errorf("TTL %v: got %d %s a day, foretold %.1f", ttl, got, op, want)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Minute: "1h30m", 10 * time.Second: "10s",
		13500 * time.Millisecond: "13.5s", 256500 * time.Millisecond: "4m17s", time.Hour + 10*time.Second: "1h0m10s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %q, want %q", d, got, want)
		}
	}
}
