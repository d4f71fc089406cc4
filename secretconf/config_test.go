package secretconf_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretconf"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

type conf struct {
	DB struct {
		User     string `secret:"prod/db,json=username"`
		Password string `secret:"prod/db,json=password"`
		Port     int    `secret:"prod/db,json=primary.port"`
		Replica  string `secret:"prod/db,json=replica,optional"`
	}
	Key   string          `secret:"prod/key"`
	Bytes []byte          `secret:"prod/key"`
	Flags map[string]bool `secret:"prod/flags,optional"`
	Addr  netip.Addr      `secret:"prod/addr"`
	Whole *secrets.Secret `secret:"prod/key"`
	Plain string
	inner map[string]string
}

var errUneven = errors.New("the key and the user do not go together: hunter2")

func (c *conf) Validate() error {
	if strings.HasPrefix(c.Key, "only for ") && c.Key != "only for "+c.DB.User {
		return errUneven
	}
	return nil
}

func dbJSON(user string) string {
	return fmt.Sprintf(`{"username":%q,"password":"hunter2-%s","primary":{"port":5432}}`, user, user)
}

func world(t testing.TB, more secretstest.Secrets) (*secretstest.Server, *secrets.Client) {
	t.Helper()
	all := secretstest.Secrets{"prod/db": dbJSON("app"), "prod/key": "k-1", "prod/addr": "10.0.0.1"}
	for name, value := range more {
		all[name] = value
	}
	srv := secretstest.New(t, all)
	c, err := secrets.New(srv.Client(), &secrets.Options{TTL: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return srv, c
}

func bind[T any](t testing.TB, c *secrets.Client, o *secretconf.Options) *secretconf.Config[T] {
	t.Helper()
	b, err := secretconf.Bind[T](c, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Everything is filled, with one request for all secrets.
func TestFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := world(t, nil)
		got, err := bind[conf](t, c, nil).Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.DB.User != "app" || got.DB.Password != "hunter2-app" || got.DB.Port != 5432 || got.DB.Replica != "" {
			t.Errorf("DB is %+v", got.DB)
		}
		if got.Key != "k-1" || string(got.Bytes) != "k-1" || got.Flags != nil || got.Addr.String() != "10.0.0.1" || got.Whole.Name() != "prod/key" || got.Plain != "" || got.inner != nil {
			t.Errorf("got %+v", got)
		}
		if n := srv.Count(secretstest.Call{Op: "BatchGetSecretValue"}); n != 1 || srv.Count() != 1 {
			t.Errorf("%d calls, %d of them batches, want one batch", srv.Count(), n)
		}
	})
}

// From memory Get returns the same pointer. When a secret changes, it returns
// another, and the structs that callers have do not change.
func TestChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := world(t, nil)
		b := bind[conf](t, c, nil)
		first, err := b.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			time.Sleep(10 * time.Minute) // and the hour at which values are fetched anew
			if same, err := b.Get(t.Context()); same != first || err != nil {
				t.Fatalf("an unchanged Config is another: %v", err)
			}
		}
		srv.Put("prod/key", "k-2")
		time.Sleep(2 * time.Minute)
		second, err := b.Get(t.Context())
		if err != nil || second == first || second.Key != "k-2" || second.DB.User != "app" || first.Key != "k-1" {
			t.Errorf("after a change: %v, %q, and the old one has %q", err, second.Key, first.Key)
		}
	})
}

// If a value does not fit, or Validate refuses the struct, the old struct stays
// in use. Two secrets that belong together change together.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := world(t, nil)
		b := bind[conf](t, c, nil)
		first, _ := b.Get(t.Context())
		get := func(what, key string, wantErr bool) {
			t.Helper()
			c.Refresh(t.Context(), "prod/key")
			c.Refresh(t.Context(), "prod/db")
			for range 3 {
				got, err := b.Get(t.Context())
				if err != nil || got.Key != key || (b.Err() != nil) != wantErr {
					t.Fatalf("%s: %v, key %q, Err %v", what, err, got.Key, b.Err())
				}
			}
		}
		srv.Put("prod/key", "only for boss")
		get("one of two changed", "k-1", true)
		if !errors.Is(b.Err(), errUneven) || strings.Contains(b.Err().Error(), "hunter2") {
			t.Errorf("Err is %v, want what Validate returned, not shown", b.Err())
		}
		srv.Put("prod/db", dbJSON("boss"))
		get("both changed", "only for boss", false)
		srv.Put("prod/db", `{"username":"boss","password":["hunter2"],"primary":{"port":1}}`)
		get("one broke", "only for boss", true)
		var e *secretconf.Error
		if !errors.As(b.Err(), &e) || len(e.Fields) != 1 || e.Fields[0].Field != "DB.Password" || e.Fields[0].VersionID == "" || strings.Contains(e.Error(), "hunter2") {
			t.Errorf("Err is %v, want the field named", b.Err())
		}
		srv.Put("prod/db", dbJSON("boss"))
		get("it was mended", "only for boss", false)
		if first.Key != "k-1" {
			t.Error("the first struct has changed")
		}
	})
}

// All that cannot be filled is in one error, with the SDK's own inside and no
// value.
func TestAllErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type T struct {
			A int             `secret:"a"`
			B string          `secret:"missing"`
			C string          `secret:"c,json=x.y"`
			D string          `secret:"c,json=nope"`
			E map[string]bool `secret:"c"`
			F string          `secret:"denied"`
			G struct{ N int } `secret:"null"`
			H string          `secret:"missing,optional"`
			I netip.Addr      `secret:"a"`
		}
		srv, c := world(t, secretstest.Secrets{"a": "hunter2", "c": `{"x":"hunter2"}`, "denied": "hunter2", "null": "null"})
		srv.Fail(secretstest.DenyKMS("denied"))
		b := bind[T](t, c, nil)
		_, err := b.Get(t.Context())
		var e *secretconf.Error
		if !errors.As(err, &e) || len(e.Fields) != 2 || e.Fields[0].Field != "B" || e.Fields[1].Field != "F" {
			t.Errorf("Get = %v, want the two secrets that cannot be read", err)
		}
		if !errors.As(err, new(*types.ResourceNotFoundException)) {
			t.Errorf("%v does not hold the SDK's error", err)
		}
		srv.ClearFaults()
		srv.Put("missing", "there")
		time.Sleep(time.Minute)
		_, err = b.Get(t.Context())
		var fields []string
		if errors.As(err, &e) {
			for _, f := range e.Fields {
				fields = append(fields, f.Field)
			}
		}
		if got := strings.Join(fields, " "); got != "A C D E G I" {
			t.Errorf("fields %s: %v", got, err)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "hunter2") {
			t.Errorf("the error shows a value: %s", text)
		}
		srv.PutBinary("prod/key", []byte("hunter2"))
		if _, err := bind[conf](t, c, nil).Get(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("binary in a string: %v", err)
		}
	})
}

// An optional secret may be missing, appear, and disappear; an outage while it
// is missing is not a failure. A required secret fails when it disappears.
func TestOptional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := world(t, nil)
		b := bind[conf](t, c, nil)
		has := func(what string, want bool) {
			t.Helper()
			got, err := b.Get(t.Context())
			if err != nil || (got.Flags != nil) != want {
				t.Errorf("%s: %v, the field is there: %v, want %v", what, err, got != nil && got.Flags != nil, want)
			}
		}
		has("missing", false)
		before := srv.Count()
		for range 50 {
			has("missing", false)
			time.Sleep(time.Second)
		}
		if n := srv.Count() - before; n > 5 {
			t.Errorf("a missing secret cost %d calls in 50 s", n)
		}
		srv.Fail(secretstest.Outage())
		time.Sleep(5 * time.Minute)
		has("missing, in an outage", false)
		srv.ClearFaults()
		srv.Put("prod/flags", `{"x":true}`)
		time.Sleep(2 * time.Minute)
		has("there", true)
		srv.Delete("prod/flags")
		c.Refresh(t.Context(), "prod/flags")
		has("gone", false)
		srv.Delete("prod/key")
		c.Refresh(t.Context(), "prod/key")
		if _, err := b.Get(t.Context()); !errors.As(err, new(*types.ResourceNotFoundException)) {
			t.Errorf("a secret that is not optional is gone: %v", err)
		}
	})
}

// Environment variables hold names or ARNs, if allowed. The error names all
// unset variables.
func TestEnvironment(t *testing.T) {
	type T struct {
		Key  string `secret:"$KEY_SECRET"`
		User string `secret:"${STAGE}/db,json=username"`
	}
	synctest.Test(t, func(t *testing.T) {
		srv, c := world(t, nil)
		env := map[string]string{"KEY_SECRET": srv.ARN("prod/key"), "STAGE": "prod"}
		o := &secretconf.Options{Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
		got, err := bind[T](t, c, o).Get(t.Context())
		if err != nil || got.Key != "k-1" || got.User != "app" {
			t.Errorf("got %+v, %v", got, err)
		}
		env = map[string]string{"STAGE": ""}
		var e *secretconf.Error
		if _, err := secretconf.Bind[T](c, o); !errors.As(err, &e) || len(e.Fields) != 2 || !strings.Contains(err.Error(), "KEY_SECRET") {
			t.Errorf("variables that are not set: %v", err)
		}
		if _, err := secretconf.Bind[T](c, nil); !errors.As(err, &e) || len(e.Fields) != 2 || !strings.Contains(err.Error(), "Getenv") {
			t.Errorf("variables that are not allowed: %v", err)
		}
	})
}

// A tag that makes no sense is an error of Bind, before any request.
func TestTags(t *testing.T) {
	srv, c := world(t, nil)
	wrong := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Bind = %v, want %q", err, want)
		}
	}
	_, err := secretconf.Bind[int](c, nil)
	wrong(err, "int is not a struct")
	_, err = secretconf.Bind[struct{ A string }](c, nil)
	wrong(err, "no field with the tag")
	_, err = secretconf.Bind[struct {
		a string `secret:"a"`
	}](c, nil)
	wrong(err, "field a: it has a tag and is not exported")
	_, err = secretconf.Bind[struct {
		A string `secret:""`
	}](c, nil)
	wrong(err, "names no secret")
	_, err = secretconf.Bind[struct {
		A string `secret:"a,jsno=x"`
	}](c, nil)
	wrong(err, `"jsno=x"`)
	_, err = secretconf.Bind[struct {
		A string `secret:"a,json=x..y"`
	}](c, nil)
	wrong(err, `"json=x..y"`)
	_, err = secretconf.Bind[struct {
		A func() `secret:"a"`
	}](c, nil)
	wrong(err, "func()")
	if n := srv.Count(); n > 0 {
		t.Errorf("Bind made %d requests", n)
	}
}

// Readers never see a mixture, while secrets change under them.
func TestAtomic(t *testing.T) {
	type pair struct {
		A string `secret:"a,json=v"`
		B string `secret:"a,json=w"`
	}
	synctest.Test(t, func(t *testing.T) {
		srv, c := world(t, secretstest.Secrets{"a": `{"v":"0","w":"0"}`})
		b := bind[pair](t, c, nil)
		stop := time.Now().Add(time.Hour)
		var running sync.WaitGroup
		for range 4 {
			running.Go(func() {
				for time.Now().Before(stop) {
					got, err := b.Get(t.Context())
					if err != nil || got.A != got.B {
						t.Errorf("got %+v, %v", got, err)
						return
					}
					time.Sleep(time.Second)
				}
			})
		}
		for i := range 30 {
			srv.Put("a", fmt.Sprintf(`{"v":"%d","w":"%[1]d"}`, i))
			time.Sleep(2 * time.Minute)
		}
		running.Wait()
		if got, _ := b.Get(t.Context()); got.A != "29" {
			t.Errorf("in the end %q", got.A)
		}
	})
}

// Watch yields each new struct, and each failure once.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := world(t, nil)
		b := bind[conf](t, c, nil)
		var got []string
		var done sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		done.Go(func() {
			for v, err := range b.Watch(ctx) {
				if err != nil {
					got = append(got, "error")
				} else {
					got = append(got, v.Key)
				}
			}
		})
		for _, key := range []string{"k-2", "only for nobody", "k-3"} {
			time.Sleep(5 * time.Minute)
			srv.Put("prod/key", key)
		}
		time.Sleep(5 * time.Minute)
		srv.Put("prod/flags", `{"x":true}`)
		time.Sleep(5 * time.Minute)
		cancel()
		done.Wait()
		if text := strings.Join(got, " "); text != "k-1 k-2 error k-3 k-3" {
			t.Errorf("Watch yielded %q", text)
		}
		done.Go(func() {
			for _, err := range b.Watch(t.Context()) {
				if err != nil && err != secrets.ErrClosed {
					t.Errorf("Watch yielded %v", err)
				}
			}
		})
		time.Sleep(time.Minute)
		c.Close()
		done.Wait()
		if _, err := b.Get(t.Context()); err != secrets.ErrClosed {
			t.Errorf("Get after Close = %v", err)
		}
	})
}

type panicking struct {
	Key string `secret:"prod/key"`
}

func (p *panicking) Validate() error { panic(p.Key + " hunter2") }

// A Validate that panics refuses; a Config prints names.
func TestPanics(t *testing.T) {
	_, c := world(t, nil)
	b := bind[panicking](t, c, nil)
	if _, err := b.Get(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "k-1") {
		t.Errorf("Get = %v", err)
	}
	if got := fmt.Sprintf("%v %+v", b, b); strings.Contains(got, "k-1") || !strings.Contains(got, "prod/key") {
		t.Errorf("prints as %s", got)
	}
}

func BenchmarkGet(b *testing.B) {
	_, c := world(b, nil)
	conf := bind[struct {
		A string `secret:"prod/db,json=username"`
		B string `secret:"prod/key"`
		C string `secret:"prod/addr"`
	}](b, c, nil)
	for b.Loop() {
		if _, err := conf.Get(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
