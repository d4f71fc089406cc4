package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// inRegion makes a client's calls in another region.
func inRegion(region string) func(*secretsmanager.Options) {
	return func(o *secretsmanager.Options) { o.Region = region }
}

// create makes a secret as client does and returns its ARN.
func create(t testing.TB, client *secretsmanager.Client, name, value string) string {
	t.Helper()
	out, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.ARN)
}

// A secret is asked for in the region that its ARN names, by every operation.
func TestARNChoosesTheRegion(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		srv := secretstest.New(t, secretstest.Secrets{"here": "v", "here2": "v"})
		ids := []string{"here", srv.ARN("here2")}
		for i := range 3 {
			ids = append(ids, create(t, srv.Client(inRegion(eu)), fmt.Sprint("there", i), "v"))
		}
		srv.ResetCalls()
		c := newClient(t, srv.Client(), &secrets.Options{Refresh: mode})
		text(t, c, ids[2])
		if err := c.Prefetch(t.Context(), ids...); err != nil {
			t.Errorf("Prefetch = %v", err)
		}
		for range 3 {
			for _, id := range ids {
				text(t, c, id)
			}
			if err := c.Refresh(t.Context(), ids[2]); err != nil {
				t.Errorf("Refresh = %v", err)
			}
			time.Sleep(time.Hour)
		}
		if all, err := c.Versions(t.Context(), ids[2]); err != nil || len(all) != 1 {
			t.Errorf("Versions = %v, %v", all, err)
		}
		for _, call := range srv.Calls() {
			want := east
			if strings.HasPrefix(call.Secret, "there") || len(call.SecretIDs) > 0 && strings.Contains(call.SecretIDs[0], eu) {
				want = eu
			}
			if call.Region != want || call.Outcome != secretstest.OutcomeOK {
				t.Errorf("%v in %s: %s; want it in %s", call, call.Region, call.Outcome, want)
			}
		}
		if n := srv.Count(secretstest.Call{Op: "BatchGetSecretValue"}); n != 2 {
			t.Errorf("%d batches, want one for each region", n)
		}
	})
}

// The primary and its replica are one secret, whose value is cached once.
func TestReplicaSharesItsPrimarysEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
		replicate(t, srv, []string{"s"}, eu)
		c := newClient(t, srv.Client(), nil)
		for range 2 {
			text(t, c, "s")
			text(t, c, srv.ARN("s"))
			text(t, c, strings.Replace(srv.ARN("s"), east, eu, 1))
		}
		if st := c.Stats(); st.Secrets != 1 || st.Calls() != 2 {
			t.Errorf("%d secrets by %d calls, want one by 2, one for each region", st.Secrets, st.Calls())
		}
	})
}

// An id that leads nowhere is an error at once, which says where the client is.
func TestARNsThatLeadNowhere(t *testing.T) {
	for id, want := range map[string]string{
		"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:s-AAAAAA":        "another partition",
		"arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:s-AAAAAA": "another partition",
		"arn:aws-us-gov:secretsmanager:eu-west-1:123456789012:secret:s-AAAAAA":     "another partition",
		"arn:aws-eusc:secretsmanager:eusc-de-east-1:123456789012:secret:s-AAAAAA":  "another partition",
		"arn:aws:secretmanager:us-east-1:123456789012:secret:s-AAAAAA":             `"secretmanager"`,
		"arn:aws:ssm:us-east-1:123456789012:parameter:s":                           `"ssm"`,
		"arn:aws:secretsmanager:us-east-1:123456789012:secrets:s-AAAAAA":           `"secrets"`,
		"arn:aws:secretsmanager:us-east-1:123456789012:secret":                     "not the ARN of a secret",
		"arn:aws:secretsmanager:ap-southeast-2:123456789012:secret:s-AAAAAA":       "Options.Regions",
		"arn:":                                   "not the ARN of a secret",
		"arn:aws:secretsmanager:us-east-1:1:s:x": `"s"`,
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
			o := &secrets.Options{}
			if want == "Options.Regions" {
				o.Regions = []string{eu}
			}
			c := newClient(t, srv.Client(), o)
			for what, err := range everyRead(t.Context(), c, id) {
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "client's region is us-east-1") {
					t.Errorf("%s of %s = %v; want an error with %s and the client's region", what, id, err, want)
				}
			}
			if n := srv.Count(); n != 0 {
				t.Errorf("%s: %d calls, want none", id, n)
			}
		})
	}
}

// What is not found, or denied, was not found in some region: the error names it.
func TestErrorsNameTheRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
		c := newClient(t, srv.Client(), nil)
		for id, region := range map[string]string{
			"none": east, srv.ARN("s") + "x": east, strings.Replace(srv.ARN("s"), east, eu, 1): eu,
		} {
			for what, err := range everyRead(t.Context(), c, id) {
				var missing *types.ResourceNotFoundException
				if !errors.As(err, &missing) || !strings.Contains(err.Error(), "in "+region+": ") {
					t.Errorf("%s of %s = %v, want ResourceNotFoundException in %s", what, id, err, region)
				}
			}
		}
	})
}

// An ARN without a region, and endpoints that do not tell their region, are left
// to the service.
func TestUnknownRegions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService("a", "b")
		c := newClient(t, s, nil)
		arn := s.secrets["a"].arn
		text(t, c, arn)
		s.secrets["arn:aws:secretsmanager:::secret:b"] = s.secrets["b"]
		text(t, c, "arn:aws:secretsmanager:::secret:b")
		if n := s.calls(); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
	})
}

// roles is an Options.APIFor with a client for each of some accounts.
type roles struct {
	clients map[string]secrets.API // by account

	mu    sync.Mutex // guards asked
	asked []string
}

func (r *roles) apiFor(account, region string) secrets.API {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, account+" "+region)
	if api := r.clients[account]; api != nil {
		return api
	}
	return nil
}

const otherAccount = "210987654321"

// roleIn returns the identity of a role's session in an account.
func roleIn(account string) secretstest.Identity {
	return secretstest.Identity{ARN: "arn:aws:sts::" + account + ":assumed-role/reader/1"}
}

// The secrets of each account are asked for by the API of that account, and all
// are cached in one place.
func TestAccounts(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		srv := secretstest.New(t, secretstest.Secrets{"mine": "v"})
		role := roleIn(otherAccount)
		other := srv.ClientFor(role)
		theirs := create(t, other, "theirs", "v")
		abroad := create(t, srv.ClientFor(roleIn(otherAccount), inRegion(eu)), "abroad", "v")
		also := create(t, other, "also", "v")
		srv.ResetCalls()
		r := &roles{clients: map[string]secrets.API{otherAccount: other}}
		c := newClient(t, srv.Client(), &secrets.Options{Refresh: mode, APIFor: r.apiFor})
		if err := c.Prefetch(t.Context(), theirs, also, "mine"); err != nil {
			t.Errorf("Prefetch = %v", err)
		}
		for range 5 {
			for _, id := range []string{"mine", srv.ARN("mine"), theirs, abroad} {
				text(t, c, id)
				if err := c.Refresh(t.Context(), id); err != nil {
					t.Errorf("Refresh(%s) = %v", id, err)
				}
			}
			time.Sleep(time.Hour)
		}
		for _, call := range srv.Calls() {
			if foreign := call.Identity == role.ARN; foreign == strings.Contains(call.SecretID, "mine") || call.Outcome != secretstest.OutcomeOK {
				t.Errorf("%v by %s: %s", call, call.Identity, call.Outcome)
			}
		}
		if got := strings.Join(r.asked, ", "); strings.Count(got, otherAccount) != 2 || strings.Contains(got, eu+" ") {
			t.Errorf("asked for the APIs of %s; want each account and region once", got)
		}
		if n := c.Stats().Secrets; n != 4 {
			t.Errorf("%d secrets, want 4", n)
		}
	})
}

// The replicas of another account's secrets are asked for by its API.
func TestReplicasOfAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"mine": "v"})
		other := srv.ClientFor(roleIn(otherAccount))
		theirs := create(t, other, "theirs", "v")
		in := &secretsmanager.ReplicateSecretToRegionsInput{SecretId: &theirs, AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String(west)}}}
		if _, err := other.ReplicateSecretToRegions(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		replicate(t, srv, []string{"mine"}, west)
		r := &roles{clients: map[string]secrets.API{otherAccount: other}}
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, APIFor: r.apiFor})
		srv.RegionOutage(east)
		text(t, c, "mine")
		text(t, c, theirs)
		want := " us-west-2, 210987654321 us-east-1, 210987654321 us-west-2"
		if got := strings.Join(r.asked, ", "); got != want {
			t.Errorf("asked for the APIs of %q, want %q", got, want)
		}
	})
}

// Credentials that fail in one region do not fail a replica that has its own.
func TestReplicaWithCredentialsOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "v", "b": "v"})
		replicate(t, srv, []string{"a", "b"}, west)
		failing := srv.Client(func(o *secretsmanager.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, errors.New("scripted: the token has expired")
			})
		})
		own := srv.Client(inRegion(west))
		for name, apiFor := range map[string]func(account, region string) secrets.API{
			"shared": nil,
			"own":    func(string, string) secrets.API { return own },
		} {
			c := newClient(t, failing, &secrets.Options{Replicas: []string{west}, APIFor: apiFor})
			if _, err := c.Get(t.Context(), "a"); (err == nil) != (name == "own") {
				t.Errorf("%s credentials: Get = %v", name, err)
			}
			if n := srv.Count(); name == "shared" && n != 0 {
				t.Errorf("%d calls without credentials", n)
			}
			srv.ResetCalls()
		}
	})
}

// APIFor is the user's code: what it panics with fails the read, and is not shown.
func TestAPIForThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
		c := newClient(t, srv.Client(), &secrets.Options{APIFor: func(string, string) secrets.API { panic("hunter2") }})
		for what, err := range everyRead(t.Context(), c, srv.ARN("s")) {
			if err == nil || !strings.Contains(err.Error(), "APIFor panicked") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s = %v, want an error that says that APIFor panicked", what, err)
			}
		}
		text(t, c, "s")
	})
}

// A region that throttles is helped out by another, and not taken for one that is
// down.
func TestThrottledRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 20)
		var lines journal
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Logger: lines.logger()})
		srv.Fail(secretstest.Fault{Region: east, Times: secretstest.Always, Code: "ThrottlingException"})
		for _, name := range names[:10] {
			text(t, c, name)
		}
		srv.ClearFaults()
		srv.ResetCalls()
		for _, name := range names[10:] {
			text(t, c, name)
		}
		if n := srv.Count(secretstest.Call{Region: west}); n != 0 {
			t.Errorf("%d calls of the replica once the primary throttles no more", n)
		}
		if st := c.Stats(); st.Failovers != 10 || strings.Contains(lines.String(), "does not answer") {
			t.Errorf("%d failovers, want 10; logged:\n%s", st.Failovers, lines.String())
		}
	})
}

// A region that fails is reported at once, also by a call that nobody waits for
// any more.
func TestRegionThatFailsIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 1)
		var lines journal
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Logger: lines.logger()})
		srv.Fail(secretstest.Fault{Region: east, Times: secretstest.Always, Latency: time.Hour})
		text(t, c, names[0])
		time.Sleep(secrets.DefaultRegionTimeout)
		synctest.Wait()
		if !strings.Contains(lines.String(), "region does not answer") || !strings.Contains(lines.String(), east) {
			t.Errorf("logged %q, want the region that does not answer", lines.String())
		}
	})
}

// A secret that is read by a replica's ARN is asked for there, and the client's own
// region decides where the replica says that a version went back.
func TestReplicaReadByItsARN(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		names, srv := numbered(t, 1)
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Refresh: mode})
		there := strings.Replace(srv.ARN(names[0]), east, west, 1)
		text(t, c, there)
		text(t, c, names[0])
		first := srv.Stages(names[0])
		srv.Put(names[0], "two")
		if err := c.Refresh(t.Context(), names[0]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		end := srv.LaggingReplica(west, time.Hour)
		for range 20 {
			if err := c.Refresh(t.Context(), there); err != nil {
				t.Errorf("Refresh = %v", err)
			}
			checkText(t, c, "while the replica lags", there, "two")
			checkText(t, c, "while the replica lags", names[0], "two")
			time.Sleep(time.Minute)
		}
		end()
		for id := range first {
			srv.MoveStage(names[0], secrets.Current, id)
		}
		for range 2 {
			c.Refresh(t.Context(), there)
			time.Sleep(10 * time.Second)
			text(t, c, there)
		}
		synctest.Wait()
		checkText(t, c, "after a rollback", there, "one")
	})
}

// A caller that leaves fails no region, and ends its calls.
func TestCallerLeavesWhileARegionIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 1)
		var lines journal
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Logger: lines.logger()})
		text(t, c, names[0])
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if err := c.Refresh(ctx, names[0]); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("Refresh = %v after %v, want the context's error after 1s", err, time.Since(began))
		}
		time.Sleep(time.Minute)
		if n := srv.Count(secretstest.Call{Outcome: secretstest.OutcomeCanceled}); n != 1 || strings.Contains(lines.String(), "does not answer") {
			t.Errorf("%d canceled calls, want 1; logged:\n%s", n, lines.String())
		}
	})
}

// FetchTimeout bounds all regions together, and the error tells of the first.
func TestFetchTimeoutBoundsAllRegions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 1)
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, FetchTimeout: 3 * time.Second})
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: time.Hour})
		began := time.Now()
		_, err := c.Get(t.Context(), names[0])
		if took := time.Since(began); took != 3*time.Second || !strings.Contains(err.Error(), "in "+east) || !strings.Contains(err.Error(), "RegionTimeout") {
			t.Errorf("Get = %v after %v, want the first region's timeout after 3s", err, took)
		}
	})
}
