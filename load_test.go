package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// limits are a type whose zero is not fit for use.
type limits struct{ Limit int }

func (l limits) Validate() error {
	if l.Limit <= 0 {
		return errors.New("limit must be positive")
	}
	return nil
}

func TestLoadFetchesInBatchesAndDecodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := secretstest.Secrets{}
		for i := range 45 {
			all[fmt.Sprintf("s%02d", i)] = `{"Limit":1}`
		}
		srv := secretstest.New(t, all)
		c := open(t, srv.Client(), nil)
		var handles []secrets.Handle
		for name := range all {
			handles = append(handles, secrets.Bind[limits](c, name), secrets.Bind[string](c, name))
		}
		if err := secrets.Ready(handles...); err == nil {
			t.Error("ready before anything was read")
		}
		if n := srv.Count(); n != 0 {
			t.Errorf("Ready made %d calls", n)
		}
		if err := secrets.Load(ctx, handles...); err != nil {
			t.Fatal(err)
		}
		if n := srv.Count(); n != 3 {
			t.Errorf("Load of 45 secrets made %d calls, want 3", n)
		}
		before := c.Stats()
		for _, h := range handles {
			if l, ok := h.(*secrets.Ref[limits]); ok {
				if v, err := l.Get(ctx); err != nil || v.Limit != 1 {
					t.Errorf("Get after Load = %v, %v", v, err)
				}
			}
		}
		if d := c.Stats().Sub(before); d.Misses != 0 || d.Hits != 45 {
			t.Errorf("reads after Load: %d hits, %d misses; want 45 and none", d.Hits, d.Misses)
		}
		if err := secrets.Ready(handles...); err != nil {
			t.Errorf("Ready after Load: %v", err)
		}
	})
}

// Every way in which a secret cannot be had, with what it takes.
func TestLoadErrorSaysWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{
			"fine": "x", "denied": "x", "kms": "x", "deleted": "x", "zero": `{"Limit":0}`, "wrong": `{"Limit":"many"}`, "forbidden": "x",
		})
		srv.ScheduleDeletion("deleted")
		srv.Fail(secretstest.DenyKMS("kms"))
		cut := secretstest.New(t, secretstest.Secrets{"unreachable": "x"})
		cut.Fail(secretstest.Outage())
		may := []string{"secretsmanager:GetSecretValue"}
		api := srv.ClientFor(secretstest.Identity{ARN: "arn:aws:iam::123456789012:user/app", Policies: []string{
			`{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Action":"` + may[0] + `","Resource":"*"},
				{"Effect":"Deny","Action":"` + may[0] + `","Resource":"arn:aws:secretsmanager:*:*:secret:forbidden-*"}]}`,
		}})
		nothing := srv.ClientFor(secretstest.Identity{ARN: "arn:aws:iam::123456789012:user/none", Allow: []string{}})
		c, none, far := open(t, api, nil), open(t, nothing, nil), open(t, cut.Client(), nil)
		elsewhere := strings.Replace(srv.ARN("fine"), "us-east-1", "eu-west-3", 1)
		abroad := strings.NewReplacer("us-east-1", "cn-north-1", ":aws:", ":aws-cn:").Replace(srv.ARN("fine"))
		err := secrets.Load(ctx,
			secrets.Bind[string](c, "fine"),
			secrets.Bind[string](none, "denied"),
			secrets.Bind[string](c, "forbidden"),
			secrets.Bind[string](c, "kms"),
			secrets.Bind[string](c, "deleted"),
			secrets.Bind[string](c, "absent"),
			secrets.Bind[string](c, elsewhere),
			secrets.Bind[string](c, abroad),
			secrets.Bind[string](far, "unreachable"),
			secrets.Bind[limits](c, "zero"),
			secrets.Bind[limits](c, "wrong"),
		)
		var le *secrets.LoadError
		if !errors.As(err, &le) {
			t.Fatalf("Load = %v, want a *LoadError", err)
		}
		want := []struct {
			id     string
			class  secrets.FailureClass
			advice string
		}{
			{"denied", secrets.ClassDenied, "allow secretsmanager:GetSecretValue on the secret"},
			{"forbidden", secrets.ClassDenied, "denies secretsmanager:GetSecretValue on the secret explicitly"},
			{"kms", secrets.ClassDenied, "allow kms:Decrypt"},
			{"deleted", secrets.ClassMissing, "RestoreSecret"},
			{"absent", secrets.ClassMissing, "no secret has this name in region us-east-1"},
			{elsewhere, secrets.ClassMissing, "no secret has this ARN in region eu-west-3"},
			{abroad, secrets.ClassOther, "allow its region in Options.Regions"},
			{"unreachable", secrets.ClassNetwork, "cannot be reached"},
			{"zero", secrets.ClassDecode, "of that type"},
			{"wrong", secrets.ClassDecode, `the field "Limit" a value that fits int`},
		}
		if len(le.Failures) != len(want) {
			t.Fatalf("%d failures, want %d: %v", len(le.Failures), len(want), err)
		}
		for i, w := range want {
			f := le.Failures[i]
			if f.ID != w.id || f.Class != w.class || !strings.Contains(f.Advice, w.advice) {
				t.Errorf("failure %d: %q is %s, advice %q; want %q, %s, %q", i, f.ID, f.Class, f.Advice, w.id, w.class, w.advice)
			}
			if !strings.Contains(err.Error(), f.Advice) || !strings.Contains(err.Error(), fmt.Sprintf("%q", f.ID)) {
				t.Errorf("the message names neither %q nor %q:\n%v", f.ID, f.Advice, err)
			}
		}
		if strings.Contains(err.Error(), "many") {
			t.Errorf("the message quotes a value: %v", err)
		}
		if !errors.As(err, new(*secrets.DecodeError)) {
			t.Error("errors.As does not find the DecodeError of one of them")
		}
	})
}

func TestLoadWithoutCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "x", "b": "x"})
		srv.STSDenied()
		c := open(t, srv.Client(), nil)
		err := secrets.Load(ctx, secrets.Bind[string](c, "a"), secrets.Bind[string](c, "b"))
		var le *secrets.LoadError
		if !errors.As(err, &le) || len(le.Failures) != 2 {
			t.Fatalf("Load = %v, want two failures", err)
		}
		for _, f := range le.Failures {
			if f.Class != secrets.ClassCredentials || !strings.Contains(f.Advice, "role") {
				t.Errorf("%s: class %s, advice %q", f.ID, f.Class, f.Advice)
			}
		}
	})
}

func TestLoadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": "x", "b": "x"})
		c := open(t, srv.Client(), nil)
		if _, err := c.Get(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: time.Hour})
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := secrets.Load(short, secrets.Bind[string](c, "a"), secrets.Bind[string](c, "b"))
		var le *secrets.LoadError
		if !errors.As(err, &le) || len(le.Failures) != 1 || le.Failures[0].ID != "b" || le.Failures[0].Class != secrets.ClassCanceled {
			t.Errorf("Load = %v, want that b was not fetched in time", err)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Load = %v, want it to be a DeadlineExceeded", err)
		}
	})
}

func TestLoadOtherErrors(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a": "x", "b": "x"})
	small := open(t, srv.Client(), &secrets.Options{Size: 1})
	if err := secrets.Load(ctx, secrets.Bind[string](small, "a"), secrets.Bind[string](small, "b")); err == nil || errors.As(err, new(*secrets.LoadError)) {
		t.Errorf("Load of more than fits = %v, want an error about Size", err)
	}
	c := open(t, srv.Client(), nil)
	c.Close()
	ref := secrets.Bind[string](c, "a")
	if err := secrets.Load(ctx, ref); err != secrets.ErrClosed {
		t.Errorf("Load after Close = %v, want ErrClosed", err)
	}
	if err := secrets.Ready(ref); !errors.Is(err, secrets.ErrClosed) {
		t.Errorf("Ready after Close = %v, want ErrClosed", err)
	}
	if err := secrets.Load(ctx); err != nil {
		t.Errorf("Load of nothing = %v", err)
	}
}

// An outage, and a new version that does not decode, leave a service ready; a
// secret that is gone does not.
func TestReadyInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": `{"Limit":3}`, "b": "x"})
		c := open(t, srv.Client(), &secrets.Options{TTL: time.Minute})
		a, b := secrets.Bind[limits](c, "a"), secrets.Bind[string](c, "b")
		if err := secrets.Load(ctx, a, b); err != nil {
			t.Fatal(err)
		}
		srv.Put("a", `{"Limit":0}`)
		c.Refresh(ctx, "a")
		if err := secrets.Ready(a, b); err != nil {
			t.Errorf("a version that does not validate: %v", err)
		}
		if n := c.Stats().Refused; n != 1 {
			t.Errorf("Stats.Refused %d, want 1", n)
		}
		srv.Fail(secretstest.Outage())
		time.Sleep(time.Hour)
		if err := secrets.Ready(a, b); err != nil {
			t.Errorf("in an outage: %v", err)
		}
		if err := secrets.Load(ctx, a, b); err != nil {
			t.Errorf("Load in an outage: %v", err)
		}
		srv.ClearFaults()
		srv.ScheduleDeletion("b")
		c.Refresh(ctx, "b")
		err := secrets.Ready(a, b)
		var le *secrets.LoadError
		if !errors.As(err, &le) || len(le.Failures) != 1 || le.Failures[0].ID != "b" || le.Failures[0].Class != secrets.ClassMissing {
			t.Errorf("after a deletion Ready = %v, want b to be missing", err)
		}
		first := secrets.Bind[*limits](c, "a") // has no earlier version to keep
		if err := secrets.Ready(first); secrets.ClassOf(err) != secrets.ClassDecode {
			t.Errorf("Ready of a handle that has no good version = %v, want a decode error", err)
		}
	})
}

// A probe for a load balancer. Load asks again where Ready fails, since an instance
// that gets no requests reads nothing.
func ExampleReady() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, _ := secrets.New(srv.Client(), opts)
	defer client.Close()
	db, key := secrets.Bind[DBLogin](client, "prod/db"), secrets.Bind[string](client, "prod/api-key")

	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if secrets.Ready(db, key) == nil {
			return
		}
		if err := secrets.Load(r.Context(), db, key); err != nil { // nobody else may be reading
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})

	probe := func() int {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code
	}
	if _, err := srv.Client().DeleteSecret(context.Background(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("prod/db")}); err != nil {
		fmt.Println(err)
	}
	fmt.Println("deleted:", probe())
	if _, err := srv.Client().RestoreSecret(context.Background(), &secretsmanager.RestoreSecretInput{SecretId: aws.String("prod/db")}); err != nil {
		fmt.Println(err)
	}
	fmt.Println("restored:", probe())
	// Output:
	// deleted: 503
	// restored: 200
}

// What a service says when it cannot start.
func ExampleLoad() {
	srv, opts := exampleServer()
	defer srv.Close()
	client, _ := secrets.New(srv.Client(), opts)
	defer client.Close()

	err := secrets.Load(context.Background(),
		secrets.Bind[DBLogin](client, "prod/db"),
		secrets.Bind[string](client, "prod/api-kez"),
	)
	var le *secrets.LoadError
	if errors.As(err, &le) {
		for _, f := range le.Failures {
			fmt.Println(f.ID, "is", f.Class)
			fmt.Println(f.Advice)
		}
	}
	// Output:
	// prod/api-kez is missing
	// no secret has this name in region us-east-1: check the name, the region and the account
}
