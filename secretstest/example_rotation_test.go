package secretstest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Rotate changes the password at once.
func ExampleServer_Rotate() {
	srv := secretstest.NewServer(&secretstest.Options{
		Secrets: secretstest.Secrets{"prod/db": `{"username":"app","password":"old"}`},
	})
	defer srv.Close()
	old := srv.VersionID("prod/db", "AWSCURRENT")

	id := srv.Rotate("prod/db") // makes a password of its own
	stages := srv.Stages("prod/db")
	fmt.Println(stages[id], stages[old])
	// Output: [AWSCURRENT] [AWSPREVIOUS]
}

// The test examines the labels between two steps of a rotation.
func ExampleServer_Rotation() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()

	r := srv.Rotation("prod/db")
	if err := r.Step(rotate.CreateSecret, rotate.SetSecret); err != nil {
		log.Fatal(err)
	}
	fmt.Println(srv.Stages("prod/db")[r.VersionID()]) // the password has changed, the label has not moved
	if err := r.Step(rotate.TestSecret, rotate.FinishSecret); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", r.VersionID()) // no rotation is outstanding
	// Output:
	// [AWSPENDING]
	// ""
}

// Run repeats all four steps, as AWS does after a failed rotation.
func ExampleRotation_Run() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	srv.FailStep(secretstest.StepFault{Step: rotate.TestSecret, Err: errors.New("the database is down")})

	r := srv.Rotation("prod/db")
	r.SetValue("new")
	fmt.Println(r.Run() != nil)
	fmt.Println(r.Run())
	fmt.Println(value(srv.Client(), "prod/db"))
	// Output:
	// true
	// <nil>
	// new <nil>
}

// SetValue sets the value that createSecret puts into the pending version.
func ExampleRotation_SetValue() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/api-key": "k-1"}})
	defer srv.Close()

	srv.Rotation("prod/api-key").SetValue("k-2")
	srv.Rotate("prod/api-key")
	fmt.Println(value(srv.Client(), "prod/api-key"))
	// Output: k-2 <nil>
}

// A rotation has begun, and no step of it has been delivered.
func ExampleRotation_Start() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()

	r := srv.Rotation("prod/db")
	id := r.Start()
	fmt.Println(srv.Stages("prod/db")[id], r.Start() == id)
	// Output: [AWSPENDING] true
}

// A step that fails returns what the rotation function returned.
func ExampleRotation_Step() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	errDatabase := errors.New("the database is down")
	srv.SetRotation("prod/db", func(_ context.Context, e rotate.Event) error {
		if e.Step == rotate.SetSecret {
			return errDatabase
		}
		return nil
	}, nil)

	err := srv.Rotation("prod/db").Step(rotate.CreateSecret, rotate.SetSecret)
	fmt.Println(errors.Is(err, errDatabase))
	// Output: true
}

// AWS may deliver a step more than once, and a rotation function must handle
// that.
func ExampleRotation_Redeliver() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()

	r := srv.Rotation("prod/db")
	if err := r.Run(); err != nil {
		log.Fatal(err)
	}
	id := srv.VersionID("prod/db", "AWSCURRENT")
	fmt.Println(r.Redeliver(rotate.FinishSecret))
	fmt.Println(srv.VersionID("prod/db", "AWSCURRENT") == id)
	// Output:
	// <nil>
	// true
}

// After Release, RotateSecret delivers the steps by itself.
func ExampleRotation_Release() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	srv.SetRotation("prod/db", nil, nil)
	old := srv.VersionID("prod/db", "AWSCURRENT")

	r := srv.Rotation("prod/db") // in the test's hands
	r.Release()
	_, err := srv.Client().RotateSecret(context.Background(), &secretsmanager.RotateSecretInput{SecretId: aws.String("prod/db")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Wait(), srv.VersionID("prod/db", "AWSPREVIOUS") == old)
	// Output: <nil> true
}

// RotateSecret returns before the steps are done. Wait does not.
func ExampleRotation_Wait() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	srv.SetRotation("prod/db", nil, nil)
	srv.FailStep(secretstest.StepFault{Step: rotate.SetSecret, Times: secretstest.Always, Err: errors.New("no route")})

	_, err := srv.Client().RotateSecret(context.Background(), &secretsmanager.RotateSecretInput{SecretId: aws.String("prod/db")})
	if err != nil {
		log.Fatal(err)
	}
	r := srv.Rotation("prod/db")
	fmt.Println(r.Wait() != nil, r.VersionID() != "") // it failed and is outstanding
	// Output: true true
}

// VersionID returns the id of the pending version, for a reader that asks for
// it by id.
func ExampleRotation_VersionID() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()

	r := srv.Rotation("prod/db")
	r.Start()
	fmt.Println(r.VersionID() == srv.VersionID("prod/db", "AWSPENDING"))
	// Output: true
}

// A rotation function of package rotate, called as Secrets Manager calls it.
func ExampleServer_HandleRotation() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"partner/key": "k-1"}})
	defer srv.Close()
	handler := rotate.Handler{API: srv.Client(), Rotator: rotate.APIKey{
		Make:  func(context.Context, rotate.Value) (rotate.Value, error) { return rotate.Text("k-2"), nil },
		Check: func(context.Context, rotate.Value) error { return nil },
	}}
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:rotate-partner"
	srv.HandleRotation(arn, handler.Handle)

	_, err := srv.Client().RotateSecret(context.Background(), &secretsmanager.RotateSecretInput{
		SecretId: aws.String("partner/key"), RotationLambdaARN: aws.String(arn),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.Rotation("partner/key").Wait(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(value(srv.Client(), "partner/key"))
	// Output: k-2 <nil>
}

// A secret with a schedule: in a synctest bubble it rotates when its time comes.
func ExampleServer_SetRotation() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	srv.SetRotation("prod/db", nil, &types.RotationRulesType{
		ScheduleExpression: aws.String("rate(10 days)"), Duration: aws.String("3h"),
	})

	out, err := srv.Client().DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*out.RotationEnabled, time.Until(*out.NextRotationDate) > 9*24*time.Hour)
	// Output: true true
}

// A step that arrives twice, and one that fails although its work was done.
func ExampleServer_FailStep() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()
	var delivered []rotate.Step
	srv.SetRotation("prod/db", func(_ context.Context, e rotate.Event) error {
		delivered = append(delivered, e.Step)
		return nil
	}, nil)

	srv.FailStep(
		secretstest.StepFault{Step: rotate.CreateSecret, Twice: true},
		secretstest.StepFault{Step: rotate.SetSecret, Err: errors.New("timed out"), Late: true},
	)
	err := srv.Rotation("prod/db").Step(rotate.CreateSecret, rotate.SetSecret)
	fmt.Println(delivered, err != nil)
	// Output: [createSecret createSecret setSecret] true
}

// The rotation stops after the password has changed and before the label moves.
func ExampleServer_RotationStuckAfterSet() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"prod/db": "old"}})
	defer srv.Close()

	pending, end := srv.RotationStuckAfterSet("prod/db")
	fmt.Println(srv.Stages("prod/db")[pending])
	end()
	fmt.Println(srv.Stages("prod/db")[pending])
	// Output:
	// [AWSPENDING]
	// [AWSCURRENT]
}

// A secret that RDS makes for a master user has no host.
func ExampleServer_RDSSecret() {
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	name := srv.RDSSecret("admin")

	_, err := srv.Client(noRetry).PutSecretValue(context.Background(),
		&secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: aws.String("mine")})
	fmt.Println(err != nil) // RDS owns it
	old := srv.VersionID(name, "AWSCURRENT")
	srv.Rotate(name)
	fmt.Println(srv.VersionID(name, "AWSPREVIOUS") == old)
	// Output:
	// true
	// true
}

// Secrets that other services manage can be read like others, but not deleted.
func ExampleServer_SetOwner() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{"events!connection/crm": "x"}})
	defer srv.Close()
	srv.SetOwner("events!connection/crm", "events", map[string]string{"team": "crm"})

	client := srv.Client(noRetry)
	_, err := value(client, "events!connection/crm")
	fmt.Println(err)
	_, err = client.DeleteSecret(context.Background(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("events!connection/crm")})
	fmt.Println(err != nil)
	// Output:
	// <nil>
	// true
}
