package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// rotatorFuncs is a Rotator of three functions.
type rotatorFuncs struct {
	create    func(context.Context, *rotate.Rotation) (rotate.Value, error)
	set, test func(context.Context, *rotate.Rotation) error
}

func (f rotatorFuncs) Create(ctx context.Context, r *rotate.Rotation) (rotate.Value, error) {
	return f.create(ctx, r)
}
func (f rotatorFuncs) Set(ctx context.Context, r *rotate.Rotation) error  { return f.set(ctx, r) }
func (f rotatorFuncs) Test(ctx context.Context, r *rotate.Rotation) error { return f.test(ctx, r) }

func exampleSecrets() *secretstest.Server {
	return secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/db": `{"engine":"postgres","host":"db.internal","port":5432,"username":"app","password":"old","dbname":"shop"}`,
		"admin":   `{"username":"root","password":"toor"}`,
		"partner": "k-1",
	}})
}

// partner is a Rotator for a key of a partner's API.
var partner = rotate.APIKey{
	Make:  func(context.Context, rotate.Value) (rotate.Value, error) { return rotate.Text("k-2"), nil },
	Check: func(context.Context, rotate.Value) error { return nil },
}

// A custom Rotator reads the versions of the secret, and other secrets, from
// the Rotation.
func ExampleRotation() {
	srv := exampleSecrets()
	defer srv.Close()

	rotator := rotatorFuncs{
		create: func(ctx context.Context, r *rotate.Rotation) (rotate.Value, error) {
			password, err := r.NewPassword(ctx, rotate.Password{Length: 40})
			if err != nil {
				return rotate.Value{}, err
			}
			current, err := r.Current(ctx)
			if err != nil {
				return rotate.Value{}, err
			}
			return current.WithField("password", password)
		},
		set: func(ctx context.Context, r *rotate.Rotation) error {
			admin, err1 := r.Other(ctx, "admin")
			pending, err2 := r.Pending(ctx)
			fmt.Println("set", r.SecretID(), "as", admin, "to", pending, r.VersionID() != "")
			return errors.Join(err1, err2)
		},
		test: func(ctx context.Context, r *rotate.Rotation) error {
			previous, err := r.Previous(ctx)
			fmt.Println("there is an older one:", !previous.IsZero())
			return err
		},
	}
	fmt.Println(rotate.Run(context.Background(), srv.Client(), "prod/db", rotator))
	// Output:
	// set prod/db as [redacted] to [redacted] true
	// there is an older one: false
	// <nil>
}

// Run rotates now, from a program or a runbook, without AWS Lambda.
func ExampleRun() {
	srv := exampleSecrets()
	defer srv.Close()
	old := srv.VersionID("partner", "AWSCURRENT")

	if err := rotate.Run(context.Background(), srv.Client(), "partner", partner); err != nil {
		var failed *rotate.Error
		if errors.As(err, &failed) {
			log.Fatal("rotation stopped in ", failed.Step)
		}
		log.Fatal(err)
	}
	fmt.Println(srv.VersionID("partner", "AWSPREVIOUS") == old)
	// Output: true
}

// Another rotation is running. Run does not touch it until it is old.
func ExampleHandler_Run() {
	srv := exampleSecrets()
	defer srv.Close()
	srv.PutPending("partner", "k-other")
	handler := rotate.Handler{API: srv.Client(), Rotator: partner, ResumeAfter: time.Hour}

	_, err := handler.Run(context.Background(), "partner")
	var busy *rotate.InProgressError
	fmt.Println(errors.As(err, &busy))

	handler.ResumeAfter = -1 // a person has made sure that nothing is running
	id, err := handler.Run(context.Background(), "partner")
	fmt.Println(id == srv.VersionID("partner", "AWSCURRENT"), err)
	// Output:
	// true
	// true <nil>
}

// In a Lambda function the last line of main is lambda.Start(handler.Handle).
// Events may come twice.
func ExampleHandler_Handle() {
	srv := exampleSecrets()
	defer srv.Close()
	handler := rotate.Handler{API: srv.Client(), Rotator: partner}
	id := srv.Rotation("partner").Start() // RotateSecret

	for _, step := range rotate.Steps() {
		event := rotate.Event{Step: step, SecretID: srv.ARN("partner"), ClientRequestToken: id}
		for range 2 {
			if err := handler.Handle(context.Background(), event); err != nil {
				log.Fatal(err)
			}
		}
	}
	fmt.Println(srv.VersionID("partner", "AWSCURRENT") == id)
	// Output: true
}

func ExampleSteps() {
	fmt.Println(rotate.Steps())
	// Output: [createSecret setSecret testSecret finishSecret]
}

// A Rotator may do more after it has set a password, for instance update a
// pooler.
func ExampleSQL() {
	db := rotate.Postgres(newPostgresDB(map[string][]string{"app": {"old"}}).open, nil)
	reload := func(context.Context) error { return nil } // of the pooler

	rotator := rotatorFuncs{
		create: db.Create,
		set: func(ctx context.Context, r *rotate.Rotation) error {
			if err := db.Set(ctx, r); err != nil {
				return err
			}
			return reload(ctx) // Set may be called again, and so may this
		},
		test: func(ctx context.Context, r *rotate.Rotation) error { return db.Test(ctx, r) },
	}
	user, err := created("postgres", rotator).Field("username")
	fmt.Println(user, err)
	// Output: app <nil>
}

// A rotation function that writes a line to an audit log.
func ExampleRedisACL() {
	acl := rotate.Redis(nil)
	rotator := rotatorFuncs{
		create: func(ctx context.Context, r *rotate.Rotation) (rotate.Value, error) {
			fmt.Println(r.SecretID(), "gets version", r.VersionID() != "")
			return acl.Create(ctx, r)
		},
		set:  func(ctx context.Context, r *rotate.Rotation) error { return acl.Set(ctx, r) },
		test: func(ctx context.Context, r *rotate.Rotation) error { return acl.Test(ctx, r) },
	}
	password, err := created("redis", rotator).Field("password")
	fmt.Println(len(password), err)
	// Output:
	// prod/db gets version true
	// 32 <nil>
}

// The check of a new key is repeated, because the partner needs some time to
// activate it.
func ExampleAPIKey_retry() {
	srv := exampleSecrets()
	defer srv.Close()
	checks := 0
	key := partner
	key.Check = func(context.Context, rotate.Value) error {
		if checks++; checks < 3 {
			return errors.New("401")
		}
		return nil
	}

	rotator := rotatorFuncs{create: key.Create, set: key.Set, test: func(ctx context.Context, r *rotate.Rotation) (err error) {
		for range 3 {
			if err = key.Test(ctx, r); err == nil {
				break
			} // real code waits here, until ctx ends at the latest
		}
		return err
	}}
	fmt.Println(rotate.Run(context.Background(), srv.Client(), "partner", rotator), checks)
	// Output: <nil> 3
}

// A Value never prints its content.
func ExampleValue() {
	v := rotate.Text(`{"username":"app","password":"hunter2"}`)
	fmt.Println(v, v.IsBinary(), v.IsZero())
	fmt.Printf("%#v %+v\n", v, struct{ V rotate.Value }{v})
	// Output:
	// [redacted] false false
	// [redacted] {V:[redacted]}
}

func ExampleText() {
	v := rotate.Text("k-2")
	text, err := v.Text()
	fmt.Println(len(text), v.IsBinary(), err)
	// Output: 3 false <nil>
}

// A key store that is rotated as a whole.
func ExampleBinary() {
	b := []byte{0xfe, 0xed}
	v := rotate.Binary(b)
	clear(b) // the Value has a copy
	fmt.Println(v.IsBinary(), v.Bytes()[0] == 0xfe)
	// Output: true true
}

// A text secret has bytes too. A binary secret has no text.
func ExampleValue_Text() {
	for _, v := range []rotate.Value{rotate.Text("k-2"), rotate.Binary([]byte{0xfe})} {
		text, err := v.Text()
		fmt.Println(len(text), len(v.Bytes()), err != nil)
	}
	// Output:
	// 3 3 false
	// 0 1 true
}

// Bytes returns a copy, which may be erased.
func ExampleValue_Bytes() {
	v := rotate.Text("k-2")
	b := v.Bytes()
	clear(b)
	fmt.Println(v.Bytes()[0] == 'k')
	// Output: true
}

// The error names the field and quotes nothing of the value.
func ExampleValue_Field() {
	v := rotate.Text(`{"key":"k-2","limit":3}`)
	key, err := v.Field("key")
	fmt.Println(len(key), err)
	_, err = v.Field("token")
	fmt.Println(err != nil)
	// Output:
	// 3 <nil>
	// true
}

// A password for a mainframe.
func ExamplePassword_Generate() {
	p := rotate.Password{Length: 8, ExcludePunctuation: true, ExcludeLowercase: true, ExcludeCharacters: "O0I1"}
	s, err := p.Generate()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(s))
	_, err = rotate.Password{Length: 2}.Generate() // four classes, two characters
	fmt.Println(err != nil)
	// Output:
	// 8
	// true
}
