package secrets_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A pending version that is found to work is watched from the start again: it
// may be about to become current.
func TestScheduleLooksSoonAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRotRotation(t, false)
		c, ref := rotBind(t, d.srv)
		rotUse(t, ref, d.db)
		d.create()
		rotReadFor(t, c, 3*time.Hour) // the rotation died; the checks are minutes apart
		start := time.Now()
		d.set() // and is retried
		rotUse(t, ref, d.db)
		rotReadFor(t, c, time.Minute)
		if at := rotLooks(d.srv, start); len(at) < 4 {
			t.Errorf("checks at %v after the pending version was found to work, want after 2, 4, 8 and so on", at)
		}
	})
}

// Where nothing runs in the background a read asks within seconds while a
// rotation is outstanding, and otherwise once in a TTL.
func TestScheduleOnRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		c := rotClient(t, srv, secrets.Options{Refresh: secrets.RefreshOnRead})
		start := time.Now()
		rotReadFor(t, c, time.Hour)
		shortest, longest := rotGap(rotLooks(srv, start))
		rotBetween(t, "shortest interval at rest", shortest, 270*time.Second, 330*time.Second)
		rotBetween(t, "longest interval at rest", longest, 270*time.Second, 331*time.Second)
		srv.PutPending(rotName, "next")
		rotReadFor(t, c, 10*time.Minute)
		began := time.Now()
		srv.PutPending(rotName, "another")
		rotReadFor(t, c, 10*time.Minute)
		at := rotLooks(srv, began)
		shortest, _ = rotGap(at)
		rotBetween(t, "shortest interval while outstanding", shortest, time.Second, 4*time.Second)
		if len(at) < 5 || len(at) > 12 {
			t.Errorf("%d checks in ten minutes while outstanding, want them to back off", len(at))
		}
	})
}

func TestRotationState(t *testing.T) {
	state := func(t *testing.T, c *secrets.Client) secrets.RotationState {
		t.Helper()
		st, err := c.RotationState(t.Context(), rotName)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		c := rotClient(t, srv, secrets.Options{})
		if st := state(t, c); st != (secrets.RotationState{}) || st.String() != "idle" {
			t.Errorf("never rotated: %+v", st)
		}
		r := srv.Rotation(rotName)
		srv.SetRotation(rotName, nil, &types.RotationRulesType{ScheduleExpression: aws.String("cron(0 10 * * ? *)"), Duration: aws.String("3h")})
		midnight := time.Now()
		st := state(t, c)
		if want := midnight.Add(13*time.Hour - time.Second); st.Phase != secrets.RotationIdle || !st.Enabled || !st.NextRotation.Equal(want) || st.Window != 3*time.Hour || !st.LastRotated.IsZero() {
			t.Errorf("scheduled: %v %v %v %v, want the next rotation at %v", st.Phase, st.Enabled, st.NextRotation, st.Window, want)
		}

		time.Sleep(9 * time.Hour)
		id := r.Start()
		announced := time.Now()
		st = state(t, c)
		if st.Phase != secrets.RotationInProgress || st.PendingVersion != id || !st.Since.Equal(announced) {
			t.Errorf("announced: %+v, want in progress since %v", st, announced)
		}
		if want := "in progress since 2000-01-01T09:00:00Z"; st.String() != want {
			t.Errorf("String() = %q, want %q", st, want)
		}
		time.Sleep(10 * time.Minute)
		r.Step("createSecret")
		if st = state(t, c); st.Phase != secrets.RotationInProgress || !st.Since.Equal(announced) {
			t.Errorf("created: %+v, want in progress since %v", st, announced)
		}
		time.Sleep(24*time.Hour - 10*time.Minute)
		if st = state(t, c); st.Phase != secrets.RotationInProgress {
			t.Errorf("after a day: %+v, want in progress", st)
		}
		time.Sleep(time.Second)
		if st = state(t, c); st.Phase != secrets.RotationFailed || st.PendingVersion != id || st.String() != "failed since 2000-01-01T09:00:00Z" {
			t.Errorf("after more than a day: %+v, want failed", st)
		}
		if err := r.Run(); err != nil {
			t.Fatal(err)
		}
		finished := time.Now()
		if st = state(t, c); st.Phase != secrets.RotationIdle || !st.LastRotated.Equal(finished) || st.PendingVersion != "" || !st.Since.IsZero() {
			t.Errorf("finished: %+v, want idle, rotated at %v", st, finished)
		}
	})
}

// A window that is open, or that has passed without a rotation, means due.
func TestRotationStateDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		srv.Rotation(rotName)
		srv.SetRotation(rotName, nil, &types.RotationRulesType{ScheduleExpression: aws.String("cron(0 10 * * ? *)"), Duration: aws.String("3h")})
		rot, _ := srv.Client().DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(rotName)})
		c, err := secrets.New(rotFrozen{srv.Client(), rot}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		phase := secrets.RotationIdle
		for _, wait := range []time.Duration{0, 10*time.Hour - time.Second, time.Second, 3 * time.Hour, 100 * time.Hour} {
			time.Sleep(wait)
			if wait == time.Second {
				phase = secrets.RotationDue
			}
			st, err := c.RotationState(t.Context(), rotName)
			if err != nil || st.Phase != phase {
				t.Errorf("at %v: %v, %v, want %v", time.Now(), st, err, phase)
			}
		}
	})
}

// The pending version may not be read, or has no value: the last change stands
// in for when it was made. One in memory is not fetched again, and the cache
// keeps nothing of it.
func TestRotationStatePendingOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		c := rotClient(t, srv, secrets.Options{})
		time.Sleep(time.Hour)
		id := srv.PutPending(rotName, "next")
		made := time.Now()
		time.Sleep(time.Hour)
		srv.Fail(secretstest.DenyPending(rotName))
		st, err := c.RotationState(t.Context(), rotName)
		if err != nil || st.PendingVersion != id || !st.Since.Equal(made) || st.Phase != secrets.RotationInProgress {
			t.Errorf("denied: %+v, %v", st, err)
		}
		srv.ClearFaults()
		if n := c.Stats().Secrets; n != 0 {
			t.Errorf("%d secrets cached by RotationState", n)
		}
		if _, err := c.GetVersion(t.Context(), rotName, secrets.Stage(secrets.Pending)); err != nil {
			t.Fatal(err)
		}
		if n := rotCalls(srv, func() { c.RotationState(t.Context(), rotName) }); n != 1 {
			t.Errorf("%d calls with the version in memory, want 1", n)
		}
		// A newer pending version is not taken for the one in memory.
		time.Sleep(time.Second)
		id = srv.PutPending(rotName, "newer")
		if st, err = c.RotationState(t.Context(), rotName); err != nil || st.PendingVersion != id || !st.Since.Equal(time.Now()) {
			t.Errorf("newer: %+v, %v", st, err)
		}
		// Nor is one that DescribeSecret, lagging, does not show yet.
		lagged, before := id, time.Now()
		time.Sleep(time.Hour)
		srv.PutPending(rotName, "newest")
		srv.Fail(secretstest.Fault{Op: "DescribeSecret", Stale: true})
		if st, err = c.RotationState(t.Context(), rotName); err != nil || st.PendingVersion != lagged || !st.Since.Equal(before) {
			t.Errorf("lagging: %+v, %v", st, err)
		}
	})
}

// Rotation that was turned off leaves when it last was.
func TestRotationStateTurnedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		c := rotClient(t, srv, secrets.Options{})
		srv.SetRotation(rotName, nil, &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(1)})
		srv.Rotate(rotName)
		if _, err := srv.Client().CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String(rotName)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(72 * time.Hour)
		st, err := c.RotationState(t.Context(), rotName)
		// DescribeSecret gives no LastRotatedDate of a secret that is not rotated.
		if err != nil || st != (secrets.RotationState{}) {
			t.Errorf("RotationState = %+v, %v, want idle", st, err)
		}
	})
}

func TestRotationStateErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		c := rotClient(t, srv, secrets.Options{})
		_, err := c.RotationState(t.Context(), "nobody")
		var notFound *types.ResourceNotFoundException
		if !errors.As(err, &notFound) {
			t.Errorf("of no secret: %v", err)
		}
		srv.Fail(secretstest.DenyDescribe(rotName))
		_, err = c.RotationState(t.Context(), rotName)
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" {
			t.Errorf("denied: %v", err)
		}
		srv.ClearFaults()
		srv.Fail(secretstest.Fault{Latency: time.Minute, Times: secretstest.Always})
		start := time.Now()
		if _, err = c.RotationState(rotWithin(time.Second), rotName); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("slow: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		time.AfterFunc(time.Second, func() { c.Close() })
		if _, err = c.RotationState(t.Context(), rotName); err != secrets.ErrClosed || time.Since(start) != time.Second {
			t.Errorf("during Close: %v after %v, want ErrClosed", err, time.Since(start))
		}
		if _, err = c.RotationState(t.Context(), rotName); err != secrets.ErrClosed {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	})
}
