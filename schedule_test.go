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

// rotReadFor reads the secret every second for a while.
func rotReadFor(t *testing.T, c *secrets.Client, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		if _, err := c.Get(t.Context(), rotName); err != nil {
			t.Fatal(err)
		}
	}
}

// rotLooks returns when DescribeSecret was called since the given moment.
func rotLooks(srv *secretstest.Server, since time.Time) []time.Duration {
	var at []time.Duration
	for _, c := range srv.Calls(secretstest.Call{Op: "DescribeSecret"}) {
		if d := c.Time.Sub(since); d >= 0 {
			at = append(at, d)
		}
	}
	return at
}

// rotGap returns the shortest and the longest interval.
func rotGap(at []time.Duration) (shortest, longest time.Duration) {
	for i := 1; i < len(at); i++ {
		d := at[i] - at[i-1]
		if shortest == 0 || d < shortest {
			shortest = d
		}
		longest = max(longest, d)
	}
	return shortest, longest
}

func rotBetween(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: got %v, want %v to %v", what, got, low, high)
	}
}

// With the default TTL of 5 minutes a secret is looked at once in 243 to 297
// seconds when no rotation is near, scheduled or not.
func TestScheduleFarAway(t *testing.T) {
	for name, rules := range map[string]*types.RotationRulesType{
		"none":      nil,
		"in a week": {AutomaticallyAfterDays: aws.Int64(7), Duration: aws.String("2h")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
				if rules != nil {
					srv.SetRotation(rotName, nil, rules)
				}
				c := rotClient(t, srv, secrets.Options{})
				start := time.Now()
				rotReadFor(t, c, 12*time.Hour)
				shortest, longest := rotGap(rotLooks(srv, start))
				rotBetween(t, "shortest interval", shortest, 243*time.Second, 297*time.Second)
				rotBetween(t, "longest interval", longest, 243*time.Second, 298*time.Second)
			})
		})
	}
}

// In the window in which a rotation may begin the secret is looked at in a
// quarter of the TTL, soon after the window opens, and no longer after it.
func TestScheduleWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		srv.Rotation(rotName) // in hand: the schedule makes a pending version and no more
		srv.SetRotation(rotName, nil, &types.RotationRulesType{ScheduleExpression: aws.String("cron(0 10 * * ? *)"), Duration: aws.String("3h")})
		// The fake begins at the window's opening; AWS may take until its end.
		// A copy that stands still shows what the window alone does.
		rot, err := srv.Client().DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(rotName)})
		if err != nil {
			t.Fatal(err)
		}
		c, err := secrets.New(rotFrozen{srv.Client(), rot}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now() // midnight
		rotReadFor(t, c, 24*time.Hour)
		var before, within, after []time.Duration
		first := time.Duration(0)
		for _, at := range rotLooks(srv, start) {
			switch {
			case at < 10*time.Hour:
				before = append(before, at)
			case at < 13*time.Hour:
				within = append(within, at)
			case at > 13*time.Hour+5*time.Minute:
				after = append(after, at)
			}
			if first == 0 && at >= 10*time.Hour {
				first = at
			}
		}
		rotBetween(t, "first look in the window", first-10*time.Hour, 0, 90*time.Second)
		if n := len(within); n < 110 || n > 170 {
			t.Errorf("%d looks within the three hours, want one in about 75s", n)
		}
		if n := len(before); n < 120 || n > 150 {
			t.Errorf("%d looks in the ten hours before, want one in about 270s", n)
		}
		shortest, _ := rotGap(after)
		rotBetween(t, "shortest interval after the window", shortest, 243*time.Second, 297*time.Second)
	})
}

// rotFrozen is an endpoint whose DescribeSecret says the same forever.
type rotFrozen struct {
	*secretsmanager.Client
	says *secretsmanager.DescribeSecretOutput
}

func (f rotFrozen) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	if _, err := f.Client.DescribeSecret(ctx, in, o...); err != nil {
		return nil, err
	}
	return f.says, nil
}

// Many processes do not ask all at once when a window opens.
func TestScheduleWindowJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		srv.Rotation(rotName)
		srv.SetRotation(rotName, nil, &types.RotationRulesType{ScheduleExpression: aws.String("cron(0 10 * * ? *)"), Duration: aws.String("3h")})
		rot, _ := srv.Client().DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(rotName)})
		start := time.Now()
		time.Sleep(10*time.Hour - 4*time.Minute)
		for range 20 {
			c, err := secrets.New(rotFrozen{srv.Client(), rot}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go func() {
				c.Refresh(context.Background(), rotName) // the first one fetches only
				c.Refresh(context.Background(), rotName)
				c.Get(context.Background(), rotName)
			}()
		}
		time.Sleep(6 * time.Minute)
		moments := map[time.Duration]int{}
		for _, at := range rotLooks(srv, start) {
			if at >= 10*time.Hour {
				moments[at.Truncate(time.Second)]++
			}
		}
		for at, n := range moments {
			if n > 10 {
				t.Errorf("%d of 20 processes asked within the second %v", n, at)
			}
		}
		if len(moments) < 5 {
			t.Errorf("20 processes asked within %d seconds", len(moments))
		}
	})
}

// While a rotation is outstanding the looks come after 2, 4, 8 seconds and so
// on; a new pending version starts that over; when it is done all is as before.
func TestScheduleOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		c := rotClient(t, srv, secrets.Options{})
		c.Get(t.Context(), rotName)
		intervals := func() []time.Duration {
			start := time.Now()
			if err := c.Refresh(t.Context(), rotName); err != nil {
				t.Fatal(err)
			}
			rotReadFor(t, c, time.Hour)
			at := rotLooks(srv, start)
			for i := range at[1:] {
				at[i] = at[i+1] - at[i]
			}
			return at[:len(at)-1]
		}
		check := func(what string) {
			t.Helper()
			got := intervals()
			want := 2 * time.Second
			for i, d := range got {
				if low, high := want*8/10, want*11/10; d < low || d > high+time.Second {
					t.Errorf("%s: look %d after %v, want about %v", what, i+1, d, want)
				}
				want = min(2*want, 270*time.Second)
			}
			if len(got) < 15 || len(got) > 25 {
				t.Errorf("%s: %d looks in an hour, want about 20", what, len(got))
			}
		}
		srv.PutPending(rotName, "next")
		check("a pending version")
		srv.PutPending(rotName, "another")
		check("another pending version")
		srv.MoveStage(rotName, secrets.Current, srv.VersionID(rotName, secrets.Pending)) // AWSPENDING stays on it
		if got := intervals(); got[0] < 243*time.Second {
			t.Errorf("first look %v after the rotation, want a usual interval", got[0])
		}
	})
}

// A rotation that failed costs in a day what a secret at rest costs, give or
// take the first minutes.
func TestScheduleFailedRotationCost(t *testing.T) {
	day := func(t *testing.T, pending bool) int {
		srv := secretstest.New(t, secretstest.Secrets{rotName: "v"})
		c := rotClient(t, srv, secrets.Options{})
		c.Get(t.Context(), rotName)
		if pending {
			srv.PutPending(rotName, "never finished")
		}
		rotReadFor(t, c, 24*time.Hour)
		return srv.Count(secretstest.Call{Op: "DescribeSecret"})
	}
	synctest.Test(t, func(t *testing.T) {
		rest := day(t, false)
		failed := day(t, true)
		t.Logf("DescribeSecret calls in a day: at rest %d, with a rotation that failed %d", rest, failed)
		if failed > rest+25 || failed < rest-25 {
			t.Errorf("a failed rotation costs %d calls in a day, a secret at rest %d", failed, rest)
		}
	})
}

// A pending version that is found to work is watched from the start again: it
// may be about to become current.
func TestScheduleLooksSoonAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRotRotation(t, false)
		c, ref := rotBind(t, d.srv)
		rotUse(t, ref, d.db)
		d.create()
		rotReadFor(t, c, 3*time.Hour) // the rotation died; the looks are minutes apart
		start := time.Now()
		d.set() // and is retried
		rotUse(t, ref, d.db)
		rotReadFor(t, c, time.Minute)
		if at := rotLooks(d.srv, start); len(at) < 4 {
			t.Errorf("looks at %v after the pending version was found to work, want after 2, 4, 8 and so on", at)
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
			t.Errorf("%d looks in ten minutes while outstanding, want them to back off", len(at))
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
		rotated := time.Now()
		if _, err := srv.Client().CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String(rotName)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(72 * time.Hour)
		st, err := c.RotationState(t.Context(), rotName)
		if want := (secrets.RotationState{LastRotated: st.LastRotated}); err != nil || st != want || !st.LastRotated.Equal(rotated) {
			t.Errorf("RotationState = %+v, %v, want idle and rotated at %v", st, err, rotated)
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
