package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// panics reports what fn panics with, "" if it does not.
func panics(fn func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	fn()
	return ""
}

func checkPanic(t *testing.T, what, want string, fn func()) {
	t.Helper()
	if got := panics(fn); !strings.HasPrefix(got, "secrets: ") || !strings.Contains(got, want) {
		t.Errorf("%s panics with %q, want %q", what, got, want)
	}
}

// What New did not make says so, by every method, and stays usable for the next.
func TestZeroClientPanics(t *testing.T) {
	for want, c := range map[string]*secrets.Client{"nil; make one with secrets.New": nil, "zero Client; make one with secrets.New": {}} {
		for what, fn := range map[string]func(){
			"Get":         func() { c.Get(ctx, "a") },
			"Get[T]":      func() { secrets.Get[string](ctx, c, "a") },
			"GetVersion":  func() { c.GetVersion(ctx, "a", secrets.Stage(secrets.Previous)) },
			"Versions":    func() { c.Versions(ctx, "a") },
			"Refresh":     func() { c.Refresh(ctx, "a") },
			"Prefetch":    func() { c.Prefetch(ctx, "a") },
			"Stats":       func() { c.Stats() },
			"Status":      func() { c.Status("a") },
			"Statuses":    func() { c.Statuses() },
			"HandleEvent": func() { c.HandleEvent(ctx, nil) },
			"Bind":        func() { secrets.Bind[string](c, "a") },
			"BindFunc":    func() { secrets.BindFunc(c, "a", func(*secrets.Secret) (int, error) { return 0, nil }) },
			"Close":       func() { c.Close() },
		} {
			checkPanic(t, what, want, fn)
		}
	}
}

func TestZeroRefPanics(t *testing.T) {
	for _, r := range []*secrets.Ref[string]{nil, {}} {
		for what, fn := range map[string]func(){
			"Get":      func() { r.Get(ctx) },
			"Peek":     func() { r.Peek() },
			"Status":   func() { r.Status() },
			"Version":  func() { r.Version(ctx, secrets.Stage(secrets.Previous)) },
			"Versions": func() { r.Versions(ctx) },
			"Watch":    func() { r.Watch(ctx) },
			"Rotating": func() { r.Rotating() },
			"WithTry":  func() { r.WithTry(nil) },
			"Try":      func() { secrets.Try(ctx, r, func(context.Context, string) (int, error) { return 0, nil }) },
			"TryOffer": func() {
				secrets.TryOffer(ctx, r, func(context.Context, secrets.Offer[string]) (int, error) { return 0, nil })
			},
		} {
			checkPanic(t, what, "zero Ref; make one with secrets.Bind", fn)
		}
		for what, err := range map[string]error{"load": secrets.Load(ctx, r), "ready": secrets.Ready(r)} {
			if want := "secrets: " + what + ": handle 1 of 1 is nil or a zero Ref"; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
}

func TestZeroSecretPanics(t *testing.T) {
	for _, s := range []*secrets.Secret{nil, {}} {
		for what, fn := range map[string]func(){
			"Name": func() { s.Name() }, "ARN": func() { s.ARN() }, "VersionID": func() { s.VersionID() },
			"Text": func() { s.Text() }, "Bytes": func() { s.Bytes() }, "Stages": func() { s.Stages() },
			"CreatedDate": func() { s.CreatedDate() }, "IsBinary": func() { s.IsBinary() },
		} {
			checkPanic(t, what, "check the error of the read", fn)
		}
		if got, want := fmt.Sprint(s), "secrets.Secret(none)"; got != want {
			t.Errorf("it prints as %q, want %q", got, want)
		}
	}
}

func TestNilFunctionsPanic(t *testing.T) {
	c := open(t, secretstest.New(t, secretstest.Secrets{"a": "v"}).Client(), nil)
	ref := secrets.Bind[string](c, "a")
	checkPanic(t, "BindFunc", "decode is nil", func() { secrets.BindFunc[int](c, "a", nil) })
	checkPanic(t, "Try", "use is nil", func() { secrets.Try[string, int](ctx, ref, nil) })
	checkPanic(t, "TryOffer", "use is nil", func() { secrets.TryOffer[string, int](ctx, ref, nil) })
	checkPanic(t, "RejectedIf", "is is nil", func() { secrets.RejectedIf(nil, nil) })
}

// A nil of some type is no API, wherever it is given.
func TestTypedNilAPI(t *testing.T) {
	for want, api := range map[string]secrets.API{
		"secrets: New: api is nil":                          nil,
		"secrets: New: api is a nil *secretsmanager.Client": (*secretsmanager.Client)(nil),
		"secrets: New: api is a nil secrets_test.apiFunc":   apiFunc(nil),
	} {
		if c, err := secrets.New(api, nil); c != nil || err == nil || err.Error() != want {
			t.Errorf("New = %v, %v; want %q", c, err, want)
		}
	}
	c := open(t, secretstest.New(t, nil).Client(), &secrets.Options{APIFor: func(account, region string) secrets.API {
		if account == "" {
			return nil
		}
		return (*secretsmanager.Client)(nil)
	}})
	_, err := c.Get(ctx, "arn:aws:secretsmanager:eu-west-1:210987654321:secret:a-AbCdEf")
	if want := `Options.APIFor returned a nil *secretsmanager.Client for account "210987654321" in region "eu-west-1"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// An empty id is found at its place among the handles, of whatever client.
func TestLoadSaysWhichIDIsEmpty(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a": "v"})
	one, two := open(t, srv.Client(), nil), open(t, srv.Client(), nil)
	a := secrets.Bind[string](one, "a")
	for want, handles := range map[string][]secrets.Handle{
		"secrets: load: handle 3 of 3: the secret id is empty":                                             {a, secrets.Bind[string](two, "a"), secrets.Bind[int](two, "")},
		"secrets: load: handle 2 of 2 is nil or a zero Ref; make it with secrets.Bind or secrets.BindFunc": {a, nil},
	} {
		if err := secrets.Load(ctx, handles...); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := one.Prefetch(ctx, "a", "b", ""); err == nil || err.Error() != "secrets: prefetch: id 3 of 3: the secret id is empty" {
		t.Errorf("Prefetch: %v, want it to say which id is empty", err)
	}
	if srv.Count() != 0 {
		t.Errorf("%d calls, want none before an error of the program's own", srv.Count())
	}
	if err := errors.Unwrap(one.Prefetch(ctx, "")); err == nil {
		t.Error("the cause is not wrapped")
	}
}
