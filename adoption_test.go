package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

var errWeak = errors.New("too weak")

// byValue and byPointer refuse a password that says how: with an error that
// quotes it, or a panic that carries it.
type byValue struct{ Password string }

func (v byValue) Validate() error { return judge(v.Password) }

type byPointer struct{ Password string }

func (v *byPointer) Validate() error { return judge(v.Password) }

type validText string

func (v validText) Validate() error { return judge(string(v)) }

func judge(password string) error {
	switch {
	case strings.Contains(password, "weak"):
		return fmt.Errorf("password %q: %w", password, errWeak)
	case strings.Contains(password, "panic"):
		panic("no such password as " + password)
	case strings.Contains(password, "runtime"):
		_ = map[string][]int{}[password][7]
	}
	return nil
}

func TestValidate(t *testing.T) {
	srv := secretstest.New(t, nil)
	for _, p := range []string{"weak", "panic", "runtime", "fine"} {
		srv.Put("json-"+p, `{"password":"zz-`+p+`"}`)
		srv.Put("text-"+p, "zz-"+p)
	}
	c := open(t, srv.Client(), nil)

	checkRefused[byValue](t, c, "json-")
	checkRefused[*byValue](t, c, "json-")
	checkRefused[byPointer](t, c, "json-")
	checkRefused[*byPointer](t, c, "json-")
	checkRefused[validText](t, c, "text-")

	checkRead(t, c, "json-fine", byValue{"zz-fine"})
	checkRead(t, c, "json-fine", &byPointer{"zz-fine"})
	checkRead(t, c, "text-fine", validText("zz-fine"))
}

func checkRefused[T any](t *testing.T, c *secrets.Client, prefix string) {
	t.Helper()
	for _, p := range []string{"weak", "panic", "runtime"} {
		de := decodeErrorOf[T](t, c, prefix+p)
		if got, want := errors.Is(de, errWeak), p == "weak"; got != want {
			t.Errorf("%T %s: errors.Is(%v, errWeak) = %v, want %v", *new(T), p, de, got, want)
		}
		if msg := fmt.Sprintf("%v %+v", de, de); strings.Contains(msg, "zz-") || strings.Contains(msg, "too weak") {
			t.Errorf("%T %s: message %q shows what Validate said", *new(T), p, msg)
		}
		if p != "weak" && !strings.Contains(de.Error(), "panic") {
			t.Errorf("%T %s: message %q does not speak of the panic", *new(T), p, de)
		}
	}
}

// Validate and the decoders run with no lock held: what reads other secrets,
// or takes its time, holds nobody up.
func TestValidateHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"slow": "a", "other": "b"})
		c := open(t, srv.Client(), nil)
		ctx := t.Context()
		ref := secrets.BindFunc(c, "slow", func(s *secrets.Secret) (string, error) {
			time.Sleep(time.Minute)
			return s.Text()
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			if v, err := ref.Get(ctx); v != "a" || err != nil {
				t.Errorf("Get = %q, %v; want a", v, err)
			}
		})
		synctest.Wait()
		start := time.Now()
		checkRead(t, c, "other", "b")
		checkRead(t, c, "slow", "a")
		if took := time.Since(start); took != 0 {
			t.Errorf("reads during a slow decode took %v, want no time", took)
		}
		// A reader that waits for the decode leaves when its context ends.
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := ref.Get(short); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Get with a deadline of 1s = %v after %v", err, time.Since(start))
		}
		wg.Wait()
	})
}

func TestBindFunc(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "zz-fine", "weak": "zz-weak", "panic": "zz-panic"})
	c := open(t, srv.Client(), nil)
	parse := func(s *secrets.Secret) (int, error) {
		text, err := s.Text()
		if err != nil {
			return 0, err
		}
		return len(text), judge(text)
	}
	if n, err := secrets.BindFunc(c, "s", parse).Get(t.Context()); n != 7 || err != nil {
		t.Errorf("Get = %d, %v; want 7", n, err)
	}
	for _, id := range []string{"weak", "panic"} {
		n, err := secrets.BindFunc(c, id, parse).Get(t.Context())
		var de *secrets.DecodeError
		if !errors.As(err, &de) || n != 0 {
			t.Errorf("%s: Get = %d, %v; want a *DecodeError", id, n, err)
		}
		if strings.Contains(fmt.Sprintf("%v", err), "zz-") {
			t.Errorf("%s: %v shows the value", id, err)
		}
		if got, want := errors.Is(err, errWeak), id == "weak"; got != want {
			t.Errorf("%s: errors.Is(err, errWeak) = %v, want %v", id, got, want)
		}
	}
	// What the function makes is validated like anything else.
	valid := func(s *secrets.Secret) (byValue, error) { return byValue{string(s.Bytes())}, nil }
	if v, err := secrets.BindFunc(c, "s", valid).Get(t.Context()); v.Password != "zz-fine" || err != nil {
		t.Errorf("Get = %v, %v; want zz-fine", v, err)
	}
	if v, err := secrets.BindFunc(c, "weak", valid).Get(t.Context()); !errors.Is(err, errWeak) {
		t.Errorf("Get of what Validate refuses = %v, %v; want errWeak", v, err)
	}
	// A decoder may even end its goroutine.
	leaving := secrets.BindFunc(c, "s", func(*secrets.Secret) (int, error) { runtime.Goexit(); return 0, nil })
	var wg sync.WaitGroup
	wg.Go(func() { leaving.Get(t.Context()) })
	wg.Wait()
	var de *secrets.DecodeError
	if _, err := leaving.Get(t.Context()); !errors.As(err, &de) {
		t.Errorf("Get after the decoder left = %v, want a *DecodeError", err)
	}
}

// counted counts how often it is decoded.
type counted struct{ text string }

var countedDecodes atomic.Int64

func (c *counted) UnmarshalJSON(b []byte) error {
	countedDecodes.Add(1)
	return json.Unmarshal(b, &c.text)
}

func TestDecodedOncePerVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `"one"`})
		c := open(t, srv.Client(), nil)
		var calls atomic.Int64
		fn := secrets.BindFunc(c, "s", func(s *secrets.Secret) (string, error) {
			calls.Add(1)
			time.Sleep(time.Second)
			return s.Text()
		})
		countedDecodes.Store(0)
		for round, want := range []string{"one", "two"} {
			srv.Fail(secretstest.Fault{Op: "GetSecretValue", Latency: time.Second})
			crowd(t, 1000, func(ctx context.Context, i int) error {
				if v, err := fn.Get(ctx); err != nil || v != `"`+want+`"` {
					return fmt.Errorf("BindFunc.Get = %q, %v; want %q", v, err, want)
				}
				id := "s"
				if i%2 == 0 {
					id = srv.ARN("s")
				}
				v, err := secrets.Get[counted](ctx, c, id)
				if err == nil && v.text != want {
					err = fmt.Errorf("got %q, want %q", v.text, want)
				}
				return err
			})
			n := int64(round + 1)
			if got := calls.Load(); got != n {
				t.Errorf("version %s: function called %d times in all, want %d", want, got, n)
			}
			if got := countedDecodes.Load(); got != n {
				t.Errorf("version %s: decoded %d times in all, want %d", want, got, n)
			}
			if round == 0 {
				srv.Put("s", `"two"`)
				if err := c.Refresh(t.Context(), "s"); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := srv.Count(secretstest.Call{Op: "GetSecretValue"}); got != 2 {
			t.Errorf("%d GetSecretValue calls for two versions, want 2", got)
		}
	})
}

// crowd runs fn in n goroutines at once.
func crowd(t *testing.T, n int, fn func(ctx context.Context, i int) error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(t.Context(), i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A version that does not decode is not tried again at every read.
func TestBadVersionIsDecodedOnce(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "x"})
	c := open(t, srv.Client(), nil)
	calls := 0
	ref := secrets.BindFunc(c, "s", func(*secrets.Secret) (int, error) { calls++; return 0, errWeak })
	for range 5 {
		if _, err := ref.Get(t.Context()); !errors.Is(err, errWeak) {
			t.Fatalf("Get = %v, want errWeak", err)
		}
	}
	if calls != 1 {
		t.Errorf("decoded %d times, want once", calls)
	}
	if got := c.Stats().DecodeErrors; got != 1 {
		t.Errorf("Stats.DecodeErrors = %d, want 1", got)
	}
}

type portOnly struct{ Port int }

type userOnly struct{ User string }

// Each type keeps the last version that is good for it.
func TestAdoptionIsPerType(t *testing.T) { synctest.Test(t, testAdoptionIsPerType) }

func testAdoptionIsPerType(t *testing.T) {
	const first, second, third = `{"user":"a","port":1}`, `{"user":"b","port":"zz-bad"}`, `{"user":"c","port":3}`
	srv := secretstest.New(t, secretstest.Secrets{"s": first})
	var log journal
	c := open(t, srv.Client(), &secrets.Options{Logger: log.logger()})
	port := secrets.Bind[portOnly](c, "s")
	ptr := secrets.Bind[*portOnly](c, "s")
	fn := secrets.BindFunc(c, "s", func(s *secrets.Secret) (v portOnly, _ error) { return v, json.Unmarshal(s.Bytes(), &v) })
	user := secrets.Bind[userOnly](c, "s")
	check := func(text, version string, wantPort int, wantUser string) {
		t.Helper()
		for range 2 {
			checkRead(t, c, "s", portOnly{wantPort})
			checkRead(t, c, "s", &portOnly{wantPort})
			checkRead(t, c, "s", userOnly{wantUser})
			checkRead(t, c, "s", text)
			checkRead(t, c, "s", []byte(text))
			for _, ref := range []*secrets.Ref[portOnly]{port, fn} {
				if v, err := ref.Get(t.Context()); err != nil || v.Port != wantPort {
					t.Errorf("%v.Get = %v, %v; want port %d", ref, v, err, wantPort)
				}
			}
			if v, err := ptr.Get(t.Context()); err != nil || v.Port != wantPort {
				t.Errorf("%v.Get = %v, %v; want port %d", ptr, v, err, wantPort)
			}
			if v, err := user.Get(t.Context()); err != nil || v.User != wantUser {
				t.Errorf("%v.Get = %v, %v; want user %s", user, v, err, wantUser)
			}
			if s, err := c.Get(t.Context(), "s"); err != nil || s.VersionID() != version {
				t.Errorf("Get = %v, %v; want version %s", s, err, version)
			}
		}
	}
	check(first, srv.VersionID("s", "AWSCURRENT"), 1, "a")
	synctest.Wait()
	if log := log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("log says an error while all is well:\n%s", log)
	}

	adopt := func(value string) string {
		id := srv.Put("s", value)
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		return id
	}
	bad := adopt(second)
	check(second, bad, 1, "b")
	if got := c.Stats().DecodeErrors; got != 3 { // portOnly, *portOnly, the function
		t.Errorf("Stats.DecodeErrors = %d, want 3", got)
	}
	synctest.Wait()
	if log := log.String(); strings.Count(log, "level=ERROR") != 3 || !strings.Contains(log, bad) || strings.Contains(log, "zz-bad") {
		t.Errorf("log does not name version %s three times, without its value:\n%s", bad, log)
	}
	// A function that comes only now has no earlier version to keep.
	late := secrets.BindFunc(c, "s", func(s *secrets.Secret) (v portOnly, _ error) { return v, json.Unmarshal(s.Bytes(), &v) })
	if v, err := late.Get(t.Context()); err == nil {
		t.Errorf("Get by a handle that saw the bad version only = %v, want an error", v)
	}
	check(third, adopt(third), 3, "c")
	if v, err := late.Get(t.Context()); err != nil || v.Port != 3 {
		t.Errorf("Get by the late handle = %v, %v; want port 3", v, err)
	}
}

// Strings always get the newest version, even if it is none.
func TestStringAlwaysAdopts(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "text"})
	c := open(t, srv.Client(), nil)
	checkRead(t, c, "s", "text")
	srv.PutBinary("s", []byte{1})
	if err := c.Refresh(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	decodeErrorOf[string](t, c, "s")
	checkRead(t, c, "s", []byte{1})
}

// A type's Validate decides about adoption as its decoding does.
func TestAdoptionAsksValidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"password":"first"}`})
		c := open(t, srv.Client(), nil)
		checkRead(t, c, "s", byValue{"first"})
		checkRead(t, c, "s", &byPointer{"first"})
		for _, p := range []string{"weak", "panic", "runtime"} {
			srv.Put("s", `{"password":"`+p+`"}`)
			time.Sleep(6 * time.Minute) // the background refresh adopts
			checkRead(t, c, "s", byValue{"first"})
			checkRead(t, c, "s", &byPointer{"first"})
			checkRead(t, c, "s", `{"password":"`+p+`"}`)
		}
		srv.Put("s", `{"password":"second"}`)
		time.Sleep(6 * time.Minute)
		checkRead(t, c, "s", byValue{"second"})
		checkRead(t, c, "s", &byPointer{"second"})
	})
}
