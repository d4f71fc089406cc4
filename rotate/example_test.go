package rotate_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A rotation function for a PostgreSQL user. In a Lambda function the last
// line of main is lambda.Start(handler.Handle).
func Example() {
	var client *secretsmanager.Client // secretsmanager.NewFromConfig(cfg)

	rotator := rotate.Postgres(rotate.Driver("pgx", url.Values{"sslrootcert": {"rds-ca.pem"}}), nil)
	handler := rotate.Handler{API: client, Rotator: rotator}

	_ = handler.Handle
}

// Two users alternate, so the old password continues to work.
func ExampleSQLOptions_alternating() {
	open := unconnected // rotate.Driver("mysql", nil)
	v := created("mysql", rotate.MySQL(open, &rotate.SQLOptions{
		Alternating: true,
		Password:    rotate.Password{Length: 48, ExcludePunctuation: true},
	}))
	user, err1 := v.Field("username")
	password, err2 := v.Field("password")
	fmt.Println(user, len(password), errors.Join(err1, err2))
	// Output: app_clone 48 <nil>
}

// A rotator can use a driver's connector instead of a registered driver's name.
func ExampleOpenFunc() {
	open := func(l rotate.Login) (driver.Connector, error) {
		// cfg, err := pgx.ParseConfig(l.PostgresURL(nil))
		// if err != nil {
		// 	return nil, err
		// }
		// cfg.ConnectTimeout = 5 * time.Second
		// return stdlib.GetConnector(*cfg), nil
		return nil, nil
	}
	_ = rotate.Postgres(open, nil)
}

// A key that an API makes and checks is rotated step by step.
func ExampleAPIKey() {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"billing": `{"endpoint": "https://api.example.com", "key": "k-1", "limit": 1.50}`,
	}})
	defer srv.Close()

	issue := func(context.Context) (string, error) { return "k-2", nil } // asks the other side
	check := func(_ context.Context, key string) (int, error) { return http.StatusOK, nil }

	rotator := rotate.APIKey{
		Make: func(ctx context.Context, current rotate.Value) (rotate.Value, error) {
			key, err := issue(ctx)
			if err != nil {
				return rotate.Value{}, err
			}
			return current.WithField("key", key)
		},
		Check: func(ctx context.Context, pending rotate.Value) error {
			key, err := pending.Field("key")
			if err != nil {
				return err
			}
			status, err := check(ctx, key)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("status %d", status)
			}
			return err
		},
	}
	ctx := context.Background()
	if err := rotate.Run(ctx, srv.Client(), "billing", rotator); err != nil {
		fmt.Println(err)
	}

	id := "billing"
	out, err := srv.Client().GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*out.SecretString)
	// Output: {"endpoint": "https://api.example.com", "key": "k-2", "limit": 1.50}
}

// A user of MongoDB or Amazon DocumentDB, with any driver. updateUser replaces
// the only password, so until finishSecret only AWSPENDING logs in. A user with
// the privilege changeOwnPassword can change its own password.
func ExampleAPIKey_mongoDB() {
	password := "old"                                        // the server's
	login := func(_ context.Context, l rotate.Value) error { // mongo.Connect and Ping, with what l says
		if p, err := l.Field("password"); err != nil || p != password {
			return errAuthenticationFailed
		}
		return nil
	}
	updateUser := func(_ context.Context, as, to rotate.Value) (err error) {
		// db.RunCommand(ctx, bson.D{{"updateUser", user}, {"pwd", password}}), logged in as as says
		password, err = to.Field("password")
		return err
	}

	rotator := rotate.APIKey{
		Make: func(_ context.Context, current rotate.Value) (rotate.Value, error) {
			p, err := rotate.Password{ExcludePunctuation: true}.Generate()
			if err != nil {
				return rotate.Value{}, err
			}
			return current.WithField("password", p)
		},
		Apply: func(ctx context.Context, current, pending rotate.Value) error {
			err := login(ctx, pending)
			if !errors.Is(err, errAuthenticationFailed) {
				return err // done before, or the server cannot be asked
			}
			return updateUser(ctx, current, pending)
		},
		Check: login,
	}
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{
		"prod/mongo": `{"engine":"mongo","username":"app","password":"old"}`,
	}})
	defer srv.Close()
	err := rotate.Run(context.Background(), srv.Client(), "prod/mongo", rotator)
	fmt.Println(password != "old", err)
	// Output: true <nil>
}

var errAuthenticationFailed = errors.New("(AuthenticationFailed) 18")

// A user of Redis, whose password a master changes on every node of a cluster.
// The old password continues to work until the next rotation.
func ExampleRedis() {
	v := created("redis", rotate.Redis(&rotate.RedisOptions{
		Password: rotate.Password{Length: 64, ExcludePunctuation: true},
	}))
	password, err := v.Field("password")
	fmt.Println(len(password), err)
	// Output: 64 <nil>
}

// One field of a secret is replaced in place.
func ExampleValue_WithField() {
	v := rotate.Text(`{ "port": 5432.0, "password": "old", "tags": ["a" , "b"] }`)
	v, err := v.WithField("password", "new")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v) // a Value does not print
	text, _ := v.Text()
	fmt.Println(text)
	// Output:
	// [redacted]
	// { "port": 5432.0, "password": "new", "tags": ["a" , "b"] }
}

func ExamplePassword() {
	p := rotate.Password{Length: 20, ExcludePunctuation: true}
	s, err := p.Generate()
	fmt.Println(len(s), err)
	// Output: 20 <nil>
}
