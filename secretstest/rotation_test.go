package secretstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const lambda = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

// rotator returns a rotation function that works through the API, and the steps
// that it was called for.
func rotator(c *secretsmanager.Client) (secretstest.RotationFunc, *[]string) {
	var steps []string
	n := 0
	return func(ctx context.Context, e rotate.Event) error {
		steps = append(steps, string(e.Step))
		switch e.Step {
		case rotate.CreateSecret:
			n++
			_, err := c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
				SecretId: &e.SecretID, ClientRequestToken: &e.ClientRequestToken, RotationToken: &e.RotationToken,
				SecretString: aws.String(fmt.Sprintf("value %d", n)), VersionStages: []string{"AWSPENDING"}})
			var exists *types.ResourceExistsException
			if errors.As(err, &exists) {
				return nil
			}
			return err
		case rotate.FinishSecret:
			d, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &e.SecretID})
			if err != nil {
				return err
			}
			for id, stages := range d.VersionIdsToStages {
				if !slices.Contains(stages, "AWSCURRENT") {
					continue
				}
				if id == e.ClientRequestToken {
					return nil
				}
				_, err = c.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
					SecretId: &e.SecretID, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &e.ClientRequestToken, RemoveFromVersionId: &id})
			}
			return err
		}
		return nil
	}, &steps
}

var fourSteps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

func TestRotateSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := srv.Client()
		in := &secretsmanager.RotateSecretInput{SecretId: aws.String("s")}
		_, err := c.RotateSecret(t.Context(), in)
		wantError(t, err, "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
		in.RotationLambdaARN = aws.String(lambda)
		in.RotationRules = &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)}
		_, err = c.RotateSecret(t.Context(), in)
		wantError(t, err, "AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function.")
		d, _ := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: in.SecretId})
		if d.RotationEnabled != nil || d.RotationRules != nil || d.RotationLambdaARN != nil {
			t.Errorf("a refused RotateSecret left %v", d)
		}

		fn, steps := rotator(c)
		srv.HandleRotation(lambda, fn)
		old := srv.VersionID("s", "AWSCURRENT")
		out, err := c.RotateSecret(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !slices.Equal(*steps, fourSteps) {
			t.Errorf("got steps %q, want %q", *steps, fourSteps)
		}
		if got := srv.VersionID("s", "AWSCURRENT"); got != *out.VersionId {
			t.Errorf("AWSCURRENT: got %s, want %s", got, *out.VersionId)
		}
		if got := srv.VersionID("s", "AWSPREVIOUS"); got != old {
			t.Errorf("AWSPREVIOUS: got %s, want %s", got, old)
		}
		d, _ = c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: in.SecretId})
		if !aws.ToBool(d.RotationEnabled) || aws.ToInt64(d.RotationRules.AutomaticallyAfterDays) != 30 || d.LastRotatedDate == nil {
			t.Errorf("got %+v", d)
		}
		want := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 31).Add(-time.Second)
		if !d.NextRotationDate.Equal(want) {
			t.Errorf("NextRotationDate: got %v, want %v", d.NextRotationDate, want)
		}

		// The schedule rotates by itself.
		time.Sleep(30*24*time.Hour + time.Minute)
		synctest.Wait()
		if got := len(*steps); got != 8 {
			t.Errorf("got %d steps after 30 days, want 8", got)
		}
		if got := *get(t, c, "s").SecretString; got != "value 2" {
			t.Errorf("got %q, want value 2", got)
		}
		if _, err := c.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: in.SecretId}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * 24 * time.Hour)
		if got := len(*steps); got != 8 {
			t.Errorf("got %d steps after CancelRotateSecret, want 8", got)
		}
		d, _ = c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: in.SecretId})
		if d.RotationEnabled == nil || *d.RotationEnabled || d.NextRotationDate != nil {
			t.Errorf("after CancelRotateSecret got %v, %v", d.RotationEnabled, d.NextRotationDate)
		}
	})
}

func TestRotationStepByStep(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": `{"username":"app","password":"old","port":5432}`})
	c := srv.Client()
	r := srv.Rotation("s")
	id := r.Start()
	pending := &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: aws.String("AWSPENDING")}
	_, err := c.GetSecretValue(t.Context(), pending)
	wantError(t, err, "ResourceNotFoundException", "staging label: AWSPENDING")
	if err := r.Step(rotate.CreateSecret); err != nil {
		t.Fatal(err)
	}
	out, err := c.GetSecretValue(t.Context(), pending)
	if err != nil || *out.VersionId != id {
		t.Fatalf("got %v, %v, want version %s", out, err, id)
	}
	var login struct {
		Username, Password string
		Port               int
	}
	if err := json.Unmarshal([]byte(*out.SecretString), &login); err != nil || login.Username != "app" || login.Password == "old" || login.Port != 5432 {
		t.Errorf("got %+v, %v", login, err)
	}
	if err := r.Step(rotate.SetSecret, rotate.TestSecret); err != nil {
		t.Fatal(err)
	}
	if got := srv.VersionID("s", "AWSCURRENT"); got == id {
		t.Error("AWSCURRENT moved before finishSecret")
	}
	if got := r.VersionID(); got != id {
		t.Errorf("VersionID: got %q, want %q", got, id)
	}
	if err := r.Step(rotate.FinishSecret); err != nil {
		t.Fatal(err)
	}
	if got := srv.VersionID("s", "AWSCURRENT"); got != id {
		t.Errorf("AWSCURRENT: got %q, want %q", got, id)
	}
	if got := r.VersionID(); got != "" {
		t.Errorf("VersionID: got %q, want none", got)
	}
	if err := r.Redeliver(rotate.FinishSecret); err != nil {
		t.Errorf("redelivered: %v", err)
	}
	r.SetValue("plain")
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
	if got := *get(t, c, "s").SecretString; got != "plain" {
		t.Errorf("got %q, want plain", got)
	}
	if err := r.Step("nonsense"); err == nil {
		t.Error("got no error for a step that there is not")
	}
}

// After a successful rotation no version has AWSPENDING, regardless of who
// delivered its steps. After a failed rotation it is on the new version.
func TestRotationTakesPendingOff(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	c := srv.Client()
	fn, _ := rotator(c)
	srv.SetRotation("s", fn, nil)
	r := srv.Rotation("s")
	old := srv.VersionID("s", "AWSCURRENT")
	check := func(what, id string) {
		t.Helper()
		want := map[string][]string{old: {"AWSPREVIOUS"}, id: {"AWSCURRENT"}}
		if got := srv.Stages("s"); !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
		old = id
	}

	id := r.Start()
	srv.FailStep(secretstest.StepFault{Step: rotate.FinishSecret, Err: errors.New("late"), Late: true})
	if err := r.Run(); err == nil {
		t.Fatal("got no error from finishSecret")
	}
	if got := srv.VersionID("s", "AWSPENDING"); got != id {
		t.Errorf("after finishSecret failed: AWSPENDING is on %q, want %s", got, id)
	}
	if err := r.Redeliver(rotate.FinishSecret); err != nil {
		t.Fatal(err)
	}
	check("Redeliver", id)
	id = r.Start()
	if err := r.Step(rotate.Steps()...); err != nil {
		t.Fatal(err)
	}
	check("Step", id)
	check("Rotate", srv.Rotate("s"))
	r.Release()
	out, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s")})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	check("RotateSecret", *out.VersionId)
}

func TestRotationInHandIsNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := srv.Client()
		fn, steps := rotator(c)
		srv.HandleRotation(lambda, fn)
		r := srv.Rotation("s")
		out, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s"), RotationLambdaARN: aws.String(lambda)})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(*steps) != 0 || r.VersionID() != *out.VersionId {
			t.Errorf("got steps %q of version %s, want none of %s", *steps, r.VersionID(), *out.VersionId)
		}
		_, err = c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s")})
		wantError(t, err, "InvalidRequestException", "A previous rotation isn't complete.")
		if err := r.Run(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(*steps, fourSteps) {
			t.Errorf("got steps %q", *steps)
		}
	})
}

func TestStepFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := srv.Client()
		fn, steps := rotator(c)
		srv.SetRotation("s", fn, nil)
		boom := errors.New("boom")
		srv.FailStep(
			secretstest.StepFault{Step: rotate.SetSecret, Err: boom},
			secretstest.StepFault{Step: rotate.TestSecret, Err: boom, Late: true},
			secretstest.StepFault{Step: rotate.CreateSecret, Twice: true},
		)
		out, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s")})
		if err != nil {
			t.Fatal(err)
		}
		r := srv.Rotation("s")
		r.Release()
		if err := r.Wait(); !errors.Is(err, boom) {
			t.Errorf("first run: got %v, want boom", err)
		}
		if got := strings.Join(*steps, " "); got != "createSecret createSecret" {
			t.Errorf("first run: got steps %q", got)
		}
		_, err = c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s")}) // sets the rotation going again
		wantError(t, err, "InvalidRequestException", "That rotation will be reattempted.")
		if err := r.Wait(); !errors.Is(err, boom) {
			t.Errorf("second run: got %v, want boom", err)
		}
		if err := r.Run(); err != nil {
			t.Errorf("third run: %v", err)
		}
		if got := srv.VersionID("s", "AWSCURRENT"); got != *out.VersionId {
			t.Errorf("AWSCURRENT: got %s, want %s", got, *out.VersionId)
		}
	})
}

func TestHangingStepIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := srv.Client()
		srv.SetRotation("s", func(ctx context.Context, e rotate.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}, nil)
		start := time.Now()
		if _, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		out, err := c.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("s")})
		r := srv.Rotation("s")
		if err != nil || aws.ToString(out.VersionId) != r.VersionID() {
			t.Errorf("got %v, %v, want version %s", out, err, r.VersionID())
		}
		if err := r.Wait(); !errors.Is(err, context.Canceled) || time.Since(start) != time.Minute {
			t.Errorf("got %v after %v, want it cancelled after a minute", err, time.Since(start))
		}
		// Without CancelRotateSecret a function has a quarter of an hour.
		if err := r.Run(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		srv.FailStep(secretstest.StepFault{Hang: true})
		go func() {
			time.Sleep(time.Second)
			srv.Close()
		}()
		if err := r.Run(); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want it cancelled by Close", err)
		}
	})
}

func TestRotateLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
		c := srv.Client()
		fn, steps := rotator(c)
		srv.HandleRotation(lambda, fn)
		_, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
			SecretId: aws.String("s"), RotationLambdaARN: aws.String(lambda), RotateImmediately: aws.Bool(false),
			RotationRules: &types.RotationRulesType{ScheduleExpression: aws.String("rate(12 hours)")}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := strings.Join(*steps, " "); got != "testSecret" {
			t.Errorf("got steps %q, want testSecret", got)
		}
		if got := srv.Stages("s"); len(got) != 1 {
			t.Errorf("got versions %v, want one", got)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := len(*steps); got < 5 {
			t.Errorf("got %d steps after a day, want a rotation", got)
		}
	})
}

func TestRotateHelper(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	id := srv.Rotate("s")
	if got := *get(t, srv.Client(), "s").VersionId; got != id {
		t.Errorf("got version %s, want %s", got, id)
	}
	if n := srv.Count(); n != 1 {
		t.Errorf("got %d calls, want 1", n)
	}
	if again := srv.Rotate("s"); again == id {
		t.Error("the second rotation made no version")
	}
}
