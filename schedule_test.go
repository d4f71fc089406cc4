package secrets_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
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
