package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // an hour takes microseconds
		srv := secretstest.New(t, secretstest.Secrets{"prod/api-key": "k-123"})
		client, err := secrets.New(srv.Client(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		key := secrets.Bind[string](client, "prod/api-key")
		if _, err := key.Get(t.Context()); err != nil {
			t.Fatal(err)
		}

		end := srv.RegionOutage("us-east-1")
		for range 60 {
			time.Sleep(time.Minute)
			if got, err := key.Get(t.Context()); got != "k-123" || err != nil {
				t.Fatalf("in the outage: %q, %v", got, err)
			}
		}
		end()
	})
}

func TestRotationInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"prod/db": `{"username":"app","password":"old"}`})
		client, err := secrets.New(srv.Client(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		login := secrets.Bind[DBLogin](client, "prod/db")
		accepted := "old" // what the database takes
		connect := func(_ context.Context, l DBLogin) (string, error) {
			if l.Password != accepted {
				return "", secrets.Rejected(errors.New("password authentication failed"))
			}
			return "connected as " + l.Username, nil
		}

		rotation := srv.Rotation("prod/db")
		rotation.SetValue(`{"username":"app","password":"new"}`)
		if err := rotation.Step(rotate.CreateSecret, rotate.SetSecret); err != nil {
			t.Fatal(err)
		}
		accepted = "new" // the moment between setSecret and finishSecret
		if _, err := secrets.Try(t.Context(), login, connect); err != nil {
			t.Errorf("after setSecret: %v", err)
		}
		if err := rotation.Step(rotate.TestSecret, rotate.FinishSecret); err != nil {
			t.Fatal(err)
		}
		if _, err := secrets.Try(t.Context(), login, connect); err != nil {
			t.Errorf("after finishSecret: %v", err)
		}
	})
}
