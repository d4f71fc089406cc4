package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const (
	east = secretstest.DefaultRegion
	west = "us-west-2"
	eu   = "eu-west-1"
)

// replicate replicates secrets of the default region to others.
func replicate(t testing.TB, srv *secretstest.Server, names []string, regions ...string) {
	t.Helper()
	for _, name := range names {
		in := &secretsmanager.ReplicateSecretToRegionsInput{SecretId: &name}
		for _, r := range regions {
			in.AddReplicaRegions = append(in.AddReplicaRegions, types.ReplicaRegionType{Region: aws.String(r)})
		}
		if _, err := srv.Client().ReplicateSecretToRegions(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	srv.ResetCalls()
}

// numbered returns names with numbers, and a server that has them in the default
// region and in two more.
func numbered(t *testing.T, n int) ([]string, *secretstest.Server) {
	t.Helper()
	srv := secretstest.New(t, nil)
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("s%d", i))
		srv.Put(names[i], "one")
	}
	replicate(t, srv, names, west, eu)
	return names, srv
}

// outages are the ways in which a region may be down.
var outages = map[string]func(*secretstest.Server, string) (end func()){
	"connections are reset": (*secretstest.Server).RegionOutage,
	"HTTP 503": func(srv *secretstest.Server, region string) func() {
		srv.Region(region).Down()
		return srv.Region(region).Up
	},
	"no answer": func(srv *secretstest.Server, region string) func() {
		srv.Fail(secretstest.Fault{Region: region, Times: secretstest.Always, Latency: time.Hour, Drop: true})
		return srv.ClearFaults
	},
}

// inEachOutage runs fn in a bubble for every kind of outage and refresh mode.
func inEachOutage(t *testing.T, fn func(t *testing.T, down func(*secretstest.Server, string) func(), mode secrets.RefreshMode)) {
	for name, down := range outages {
		inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
			t.Logf("%s", name)
			fn(t, down, mode)
		})
	}
}

// The primary is down for an hour: no read fails, not even of secrets that were
// never read before, the first one waits for one region's timeout, a rotation
// arrives by the replica, and within a minute of the end all is as it was.
func TestPrimaryIsDownForAnHour(t *testing.T) {
	inEachOutage(t, func(t *testing.T, down func(*secretstest.Server, string) func(), mode secrets.RefreshMode) {
		names, srv := numbered(t, 90)
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west, eu}, Refresh: mode})
		warm, cold := names[:20], names[20:]
		for _, name := range warm {
			text(t, c, name)
		}
		if n := srv.Count(secretstest.Call{Region: west}, secretstest.Call{Region: eu}); n != 0 {
			t.Errorf("%d calls of replicas while the primary is well, want 0", n)
		}
		end := down(srv, east)
		began := time.Now()
		text(t, c, cold[0])
		if took := time.Since(began); took > secrets.DefaultRegionTimeout {
			t.Errorf("the first cold read took %v, want at most one region's timeout", took)
		}
		srv.Put(warm[0], "two")
		for minute := range 60 {
			for range 6 {
				time.Sleep(10 * time.Second)
				for _, name := range warm {
					text(t, c, name)
				}
			}
			began := time.Now()
			text(t, c, cold[1+minute])
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("the cold read after %d minutes took %v", minute, took)
			}
		}
		checkText(t, c, "rotated during the outage", warm[0], "two")
		if n := srv.Count(secretstest.Call{Region: east}); n > 20+60*60/10 {
			t.Errorf("%d calls of a region that is down for an hour, want a probe now and then", n)
		}
		end()
		time.Sleep(time.Minute)
		text(t, c, cold[61])
		synctest.Wait() // for a replica that was asked beside a probe
		srv.ResetCalls()
		for _, name := range cold[62:] {
			text(t, c, name)
			time.Sleep(time.Minute)
		}
		if n := srv.Count(secretstest.Call{Region: west}, secretstest.Call{Region: eu}); n != 0 {
			t.Errorf("%d calls of replicas a minute after the end, want none", n)
		}
		if st := c.Stats(); st.Denials != 0 || st.Failovers == 0 {
			t.Errorf("%d secrets dropped, %d failovers; want none and some", st.Denials, st.Failovers)
		}
	})
}

// Both are down: what is cached stays in service, as without replicas, and a cold
// read says what is wrong in each.
func TestAllRegionsAreDown(t *testing.T) {
	inEachOutage(t, func(t *testing.T, down func(*secretstest.Server, string) func(), mode secrets.RefreshMode) {
		names, srv := numbered(t, 2)
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Refresh: mode})
		text(t, c, names[0])
		for _, region := range []string{east, west} {
			defer down(srv, region)()
		}
		began := time.Now()
		_, err := c.Get(t.Context(), names[1])
		if err == nil || time.Since(began) > secrets.DefaultFetchTimeout {
			t.Errorf("a cold Get = %v after %v, want an error within FetchTimeout", err, time.Since(began))
		}
		for range 35 {
			time.Sleep(time.Hour)
			text(t, c, names[0])
		}
		time.Sleep(time.Minute)
		_, err = c.Get(t.Context(), names[1])
		if err == nil || !strings.Contains(err.Error(), east) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a cold Get = %v, want an error that names the regions", err)
		}
	})
}

// What the client's own region says is final: no other is asked.
func TestNoOfThePrimaryIsFinal(t *testing.T) {
	for _, code := range []string{"ResourceNotFoundException", "AccessDeniedException", "InvalidParameterException"} {
		synctest.Test(t, func(t *testing.T) {
			names, srv := numbered(t, 2)
			c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}})
			text(t, c, names[0])
			srv.Fail(secretstest.Fault{Region: east, Times: secretstest.Always, Code: code})
			if _, err := c.Get(t.Context(), names[1]); errorCode(err) != code {
				t.Errorf("a cold Get = %v, want %s", err, code)
			}
			if err := c.Refresh(t.Context(), names[0]); errorCode(err) != code {
				t.Errorf("Refresh = %v, want %s", err, code)
			}
			if n := srv.Count(secretstest.Call{Region: west}); n != 0 {
				t.Errorf("after %s of the primary the replica got %d calls, want none", code, n)
			}
		})
	}
}

// The no of a replica is none: a cold read fails with it, what is cached stays, and
// another replica may have the secret.
func TestNoOfAReplica(t *testing.T) {
	for _, code := range []string{"ResourceNotFoundException", "AccessDeniedException"} {
		inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
			names, srv := numbered(t, 4)
			c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west, eu}, Refresh: mode})
			text(t, c, names[0])
			defer srv.RegionOutage(east)()
			srv.Fail(secretstest.Fault{Region: west, Times: secretstest.Always, Code: code})
			text(t, c, names[1])
			if err := c.Refresh(t.Context(), names[0]); err != nil {
				t.Errorf("Refresh = %v, want the answer of the second replica", err)
			}
			srv.Fail(secretstest.Fault{Region: eu, Times: secretstest.Always, Code: code})
			if _, err := c.Get(t.Context(), names[2]); errorCode(err) != code || !strings.Contains(err.Error(), west) {
				t.Errorf("a cold Get = %v, want %s and the region that says so", err, code)
			}
			if err := c.Prefetch(t.Context(), names[2], names[3]); errorCode(err) != code {
				t.Errorf("Prefetch = %v, want %s", err, code)
			}
			for range 24 {
				time.Sleep(time.Hour)
				text(t, c, names[0])
			}
			if st := c.Stats(); st.Denials != 0 {
				t.Errorf("the no of a replica dropped %d secrets", st.Denials)
			}
		})
	}
}

// A replica that lags never takes a newer version back, however often it says so,
// and takes nobody's call for it.
func TestReplicaThatLags(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		names, srv := numbered(t, 2)
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Refresh: mode})
		time.Sleep(time.Second)
		text(t, c, names[0])
		srv.Put(names[0], "two")
		srv.Put(names[1], "two")
		if err := c.Refresh(t.Context(), names[0]); err != nil {
			t.Fatal(err)
		}
		text(t, c, names[1]) // whose first version the client never saw
		endLag := srv.LaggingReplica(west, 90*time.Minute)
		end := srv.RegionOutage(east)
		srv.ResetCalls()
		for range 60 {
			time.Sleep(time.Minute)
			for _, name := range names {
				checkText(t, c, "while the replica lags", name, "two")
				if err := c.Refresh(t.Context(), name); err == nil {
					t.Error("Refresh succeeded where a replica has an older version and nobody else answers")
				}
			}
		}
		if n := srv.Count(); n > 800 {
			t.Errorf("%d calls in an hour of two secrets that are refreshed every minute, want about 500", n)
		}
		end()
		time.Sleep(time.Minute)
		for _, name := range names {
			if err := c.Refresh(t.Context(), name); err != nil {
				t.Errorf("Refresh by the primary = %v", err)
			}
			checkText(t, c, "home again", name, "two")
		}
		endLag()
	})
}

// A version that really went back is taken from the primary, by two checks, also
// where a replica was asked in between.
func TestRollbackAtThePrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 1)
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}})
		first, _ := c.Get(t.Context(), names[0])
		srv.Put(names[0], "two")
		if err := c.Refresh(t.Context(), names[0]); err != nil {
			t.Fatal(err)
		}
		srv.MoveStage(names[0], secrets.Current, first.VersionID())
		end := srv.RegionOutage(east)
		for range 3 {
			c.Refresh(t.Context(), names[0])
			checkText(t, c, "on the replica's word", names[0], "two")
			time.Sleep(time.Minute)
		}
		end()
		for range 65 {
			text(t, c, names[0])
			time.Sleep(time.Second)
		}
		checkText(t, c, "on the primary's word", names[0], "one")
	})
}

// A cold read is not kept waiting by a region that is slow: the next one is asked
// as well. One in good health is asked alone.
func TestHedging(t *testing.T) {
	for _, tt := range []struct {
		slow, delay, deadline, want time.Duration
		replicas                    int // calls of the replica
	}{
		{slow: 500 * time.Millisecond, want: 500 * time.Millisecond},
		{slow: 1500 * time.Millisecond, want: time.Second, replicas: 1},
		{slow: 500 * time.Millisecond, delay: 100 * time.Millisecond, want: 100 * time.Millisecond, replicas: 1},
		{slow: 1500 * time.Millisecond, delay: -1, want: 1500 * time.Millisecond},
		{slow: 3 * time.Second, delay: -1, want: 2 * time.Second, replicas: 1},
		{slow: 3 * time.Second, deadline: time.Second, want: 500 * time.Millisecond, replicas: 1},
		{slow: 200 * time.Millisecond, deadline: 300 * time.Millisecond, want: 200 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			names, srv := numbered(t, 1)
			srv.Fail(secretstest.Fault{Region: east, Times: secretstest.Always, Latency: tt.slow})
			c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, HedgeDelay: tt.delay})
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if tt.deadline > 0 {
				ctx, cancel = context.WithTimeout(ctx, tt.deadline)
			}
			defer cancel()
			began := time.Now()
			_, err := c.Get(ctx, names[0])
			if took := time.Since(began); err != nil || took != tt.want {
				t.Errorf("%+v: Get took %v, %v", tt, took, err)
			}
			if n := srv.Count(secretstest.Call{Region: west}); n != tt.replicas {
				t.Errorf("%+v: %d calls of the replica", tt, n)
			}
		})
	}
}

// With replicas a client whose own region is well makes the same calls as
// without.
func TestReplicasCostNoCalls(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		var calls [2]int
		for i, replicas := range [][]string{nil, {west, eu}} {
			names, srv := numbered(t, 30)
			srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: 100 * time.Millisecond})
			c := newClient(t, srv.Client(), &secrets.Options{Replicas: replicas, Refresh: mode, TTL: time.Hour})
			if err := c.Prefetch(t.Context(), names...); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Versions(t.Context(), names[0]); err != nil {
				t.Fatal(err)
			}
			for range 24 {
				time.Sleep(time.Hour)
				for _, name := range names {
					text(t, c, name)
				}
			}
			calls[i] = srv.Count()
			if n := srv.Count(secretstest.Call{Region: east}); n != calls[i] {
				t.Errorf("%d calls of %d at the primary", n, calls[i])
			}
		}
		if diff := calls[1] - calls[0]; diff < -30 || diff > 30 {
			t.Errorf("%d calls with replicas, %d without", calls[1], calls[0])
		}
	})
}

// Every operation is answered by the replica: batches, versions, Try's labels,
// and ids that are ARNs of any of the regions.
func TestEveryReadFailsOver(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
		names, srv := numbered(t, 50)
		srv.PutPending(names[0], "next")
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Refresh: mode})
		defer srv.RegionOutage(east)()
		ids := append([]string{srv.ARN(names[45]), strings.Replace(srv.ARN(names[46]), east, west, 1)}, names[:40]...)
		if err := c.Prefetch(t.Context(), ids...); err != nil {
			t.Errorf("Prefetch = %v", err)
		}
		if n := srv.Count(secretstest.Call{Op: "GetSecretValue", Region: west, Outcome: secretstest.OutcomeOK}); n > 3 {
			t.Errorf("%d secrets were fetched one by one, want batches", n)
		}
		calls := srv.Count()
		for _, id := range ids {
			s, err := c.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(id, "arn:") && s.ARN() != id {
				t.Errorf("asked for %s and got %s", id, s.ARN())
			}
		}
		if n := srv.Count(); n != calls {
			t.Errorf("%d calls for what Prefetch cached", n-calls)
		}
		all, err := c.Versions(t.Context(), names[0])
		if err != nil || len(all) != 2 {
			t.Errorf("Versions = %v, %v; want two", all, err)
		}
		if s, err := c.GetVersion(t.Context(), names[0], secrets.Stage(secrets.Pending)); err != nil || string(s.Bytes()) != "next" {
			t.Errorf("GetVersion = %v, %v; want the pending one", s, err)
		}
		if s, err := c.Get(t.Context(), srv.ARN(names[47])); err != nil || s.ARN() != srv.ARN(names[47]) {
			t.Errorf("Get by the primary's ARN = %v, %v", s, err)
		}
	})
}

// A region that is slow for one call is not given up for those that it answers.
func TestRegionComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 40)
		var lines journal
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Logger: lines.logger()})
		for i, name := range names {
			if i%10 == 5 {
				srv.Fail(secretstest.Fault{Region: east, Times: 3, Drop: true})
			}
			text(t, c, name)
			time.Sleep(time.Second)
		}
		if n := srv.Count(secretstest.Call{Region: west}); n > 12 {
			t.Errorf("%d calls of the replica for 4 lost connections in 40 calls", n)
		}
		logged := lines.String()
		if lost, back := strings.Count(logged, "region does not answer"), strings.Count(logged, "region answers again"); lost == 0 || lost > 4 || back != lost {
			t.Errorf("logged %d losses and %d recoveries of 4:\n%s", lost, back, logged)
		}
	})
}

// Close ends calls that a faster region has made superfluous, and waits for them.
func TestCloseEndsLateCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, srv := numbered(t, 1)
		srv.Fail(secretstest.Fault{Region: east, Times: secretstest.Always, Latency: 1900 * time.Millisecond})
		c := newClient(t, srv.Client(), &secrets.Options{Replicas: []string{west}})
		text(t, c, names[0])
		began := time.Now()
		c.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %v", took)
		}
		if calls := srv.Calls(secretstest.Call{Region: east}); len(calls) != 1 || calls[0].Outcome != secretstest.OutcomeCanceled {
			t.Errorf("calls of the slow region: %v, want one that was canceled", calls)
		}
	})
}
