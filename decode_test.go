package secrets_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

type named string

type place struct {
	Host string   `json:"host"`
	Port int      `json:"port"`
	Tags []string `json:"tags"`
}

type common struct{ Owner string }

type account struct {
	common
	Username string    `json:"username"`
	Where    place     `json:"where"`
	Next     *place    `json:"next"`
	Until    time.Time `json:"until"`
}

const accountJSON = `{"owner":"ops","username":"app","where":{"host":"db","port":5432,"tags":["a","b"]},` +
	`"next":{"host":"db2","port":5433},"until":"2030-01-02T03:04:05Z"}`

// checkRead reads id as a T in every way there is and compares.
func checkRead[T any](t *testing.T, c *secrets.Client, id string, want T) {
	t.Helper()
	ctx := t.Context()
	ref := secrets.Bind[T](c, id)
	for i := range 2 { // cold, then from memory
		if got, err := secrets.Get[T](ctx, c, id); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %d: Get[%T](%q) = %v, %v; want %v", i, want, id, got, err, want)
		}
		if got, err := ref.Get(ctx); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %d: Ref[%T](%q).Get = %v, %v; want %v", i, want, id, got, err, want)
		}
	}
	used, err := secrets.Try(ctx, ref, func(_ context.Context, v T) (T, error) { return v, nil })
	if err != nil || !reflect.DeepEqual(used, want) {
		t.Errorf("Try of Ref[%T](%q) = %v, %v; want %v", want, id, used, err, want)
	}
	for got, err := range ref.Watch(ctx) {
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Watch of Ref[%T](%q) yields %v, %v; want %v", want, id, got, err, want)
		}
		break
	}
}

func TestDecodeKinds(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{
		"account": accountJSON, "plain": "hunter2", "number": "42", "list": `["a","b"]`, "flat": `{"a":"1","b":"2"}`,
		"mixed": `{"a":[1],"b":null,"c":{"d":true}}`,
	})
	raw := []byte{0, 1, 0xff, '{'}
	srv.PutBinary("binary", raw)
	srv.PutBinary("binary-json", []byte(`{"host":"db","port":1}`))
	c := open(t, srv.Client(), nil)

	want := account{
		common:   common{Owner: "ops"},
		Username: "app",
		Where:    place{Host: "db", Port: 5432, Tags: []string{"a", "b"}},
		Next:     &place{Host: "db2", Port: 5433},
		Until:    time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	checkRead(t, c, "account", want)
	checkRead(t, c, "account", &want)
	checkRead(t, c, "account", accountJSON)
	checkRead(t, c, "account", json.RawMessage(accountJSON))
	checkRead(t, c, "plain", "hunter2")
	checkRead(t, c, "plain", named("hunter2"))
	checkRead(t, c, "plain", []byte("hunter2"))
	checkRead(t, c, "number", 42)
	checkRead(t, c, "number", "42")
	checkRead(t, c, "list", []string{"a", "b"})
	checkRead(t, c, "list", [2]named{"a", "b"})
	checkRead(t, c, "flat", map[string]string{"a": "1", "b": "2"})
	checkRead[any](t, c, "mixed", map[string]any{"a": []any{1.0}, "b": nil, "c": map[string]any{"d": true}})
	checkRead(t, c, "mixed", map[string]any{"a": []any{1.0}, "b": nil, "c": map[string]any{"d": true}})
	checkRead(t, c, "binary", raw)
	checkRead(t, c, "binary-json", place{Host: "db", Port: 1})

	for id, binary := range map[string]bool{"plain": false, "binary": true, "binary-json": true} {
		s, err := c.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		checkRead(t, c, id, s)
		if _, err := s.Text(); s.IsBinary() != binary || (err != nil) != binary {
			t.Errorf("%s: IsBinary, Text = %v, %v; want %v and an error only where it is binary", id, s.IsBinary(), err, binary)
		}
	}
}

type arrays struct {
	Pair [2][]string
	Any  any
}

type hoisted struct{ List []string }

type Exposed struct{ Map map[string][]string }

// shares has something that could be shared in every place in which JSON puts it.
type shares struct {
	hoisted
	Exposed
	Slice  []string
	Deep   struct{ In struct{ Slice []int } }
	Maps   map[string]map[string]int
	Any    any
	Arrays []arrays
	Raw    json.RawMessage
	Behind *[]string
	hidden map[string][]string // filled by the type's own decoder
}

func (s *shares) UnmarshalJSON(data []byte) error {
	type plain shares
	if err := json.Unmarshal(data, (*plain)(s)); err != nil {
		return err
	}
	s.hidden = map[string][]string{"k": {"hidden"}}
	return nil
}

const sharesJSON = `{"list":["hoisted"],"map":{"k":["exposed"]},"slice":["slice"],"deep":{"in":{"slice":[1]}},` +
	`"maps":{"k":{"k":1}},"any":{"k":["any"]},"arrays":[{"pair":[["a"],["b"]],"any":["any"]}],"raw":"raw","behind":["behind"]}`

// spoil changes everything that a reader of a value may change.
func (s *shares) spoil() {
	s.List[0] = "spoilt"
	s.Map["k"][0] = "spoilt"
	s.Map["new"] = nil
	s.Slice[0] = "spoilt"
	s.Deep.In.Slice[0] = -1
	s.Maps["k"]["k"] = -1
	s.Any.(map[string]any)["k"].([]any)[0] = "spoilt"
	s.Arrays[0].Pair[1][0] = "spoilt"
	s.Arrays[0].Any.([]any)[0] = "spoilt"
	s.Raw[1] = '!'
	s.hidden["k"][0] = "spoilt"
	s.hidden["new"] = nil
}

func TestByValueResultsAreCopies(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"shares": sharesJSON})
	c := open(t, srv.Client(), nil)
	ctx := t.Context()
	ref := secrets.Bind[shares](c, "shares")
	fn := secrets.BindFunc(c, "shares", func(s *secrets.Secret) (v shares, _ error) { return v, json.Unmarshal(s.Bytes(), &v) })
	var want shares
	if err := json.Unmarshal([]byte(sharesJSON), &want); err != nil {
		t.Fatal(err)
	}
	use := func(_ context.Context, v shares) (shares, error) { return v, nil }
	watch := func(ctx context.Context) (v shares, err error) {
		for v, err = range ref.Watch(ctx) {
			return v, err
		}
		return v, errors.New("nothing yielded")
	}
	for name, read := range map[string]func(context.Context) (shares, error){
		"Get":          func(ctx context.Context) (shares, error) { return secrets.Get[shares](ctx, c, "shares") },
		"Ref.Get":      ref.Get,
		"BindFunc.Get": fn.Get,
		"Try":          func(ctx context.Context) (shares, error) { return secrets.Try(ctx, ref, use) },
		"Watch":        watch,
	} {
		for range 3 {
			got, err := read(ctx)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s = %+v after an earlier result was changed, want %+v", name, got, want)
			}
			got.spoil()
		}
	}
}

func TestBytesAndAnyAreCopies(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"list": `["a"]`})
	srv.PutBinary("binary", []byte{1, 2})
	c := open(t, srv.Client(), nil)
	ctx := t.Context()
	for range 3 {
		b, err := secrets.Get[[]byte](ctx, c, "binary")
		if err != nil || b[0] != 1 {
			t.Fatalf("Get[[]byte] = %v, %v; want 1 first", b, err)
		}
		b[0] = 9
		s, err := c.Get(ctx, "binary")
		if err != nil || s.Bytes()[0] != 1 {
			t.Fatalf("Secret.Bytes = %v, %v; want 1 first", s.Bytes(), err)
		}
		s.Bytes()[0] = 9
		v, err := secrets.Get[any](ctx, c, "list")
		if err != nil || v.([]any)[0] != "a" {
			t.Fatalf("Get[any] = %v, %v; want [a]", v, err)
		}
		v.([]any)[0] = "spoilt"
	}
}

// What the caller of the service does with its answer does not reach the cache.
func TestBinaryIsNotTheAnswersOwn(t *testing.T) {
	answer := []byte{1, 2}
	c := open(t, apiFunc(func(context.Context, *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
		return &secretsmanager.GetSecretValueOutput{SecretBinary: answer}, nil
	}), nil)
	s, err := c.Get(t.Context(), "binary")
	if err != nil {
		t.Fatal(err)
	}
	answer[0] = 9
	if got := s.Bytes()[0]; got != 1 {
		t.Errorf("first byte = %d after the answer was changed, want 1", got)
	}
}

func TestPointersAreShared(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"place": `{"host":"db"}`})
	c := open(t, srv.Client(), nil)
	ref := secrets.Bind[*place](c, "place")
	first, err := ref.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := secrets.Get[*place](t.Context(), c, srv.ARN("place"))
	if err != nil || first != second {
		t.Errorf("two reads as a pointer = %p, %p, %v; want the same", first, second, err)
	}
}

// decodeErrorOf reads id as a T, which must fail to decode.
func decodeErrorOf[T any](t *testing.T, c *secrets.Client, id string) *secrets.DecodeError {
	t.Helper()
	got, err := secrets.Get[T](t.Context(), c, id)
	var de *secrets.DecodeError
	if !errors.As(err, &de) {
		t.Fatalf("Get[%T](%q) = %v, %v; want a *DecodeError", got, id, got, err)
	}
	if !reflect.ValueOf(&got).Elem().IsZero() {
		t.Errorf("Get[%T](%q) = %v beside its error, want the zero value", got, id, got)
	}
	if _, again := secrets.Bind[T](c, id).Get(t.Context()); again == nil || again.Error() != err.Error() {
		t.Errorf("Ref.Get of %q = %v, want as Get: %v", id, again, err)
	}
	return de
}

type fields struct {
	Username string
	Port     int `json:"port,omitempty"`
	When     time.Time
	Addr     netip.Addr `json:"addr"`
	Inner    struct {
		Until *time.Time `json:"until"`
		Count uint8      `json:"count"`
		List  []place    `json:"list"`
	} `json:"inner"`
	hoistedTime
}

type hoistedTime struct {
	Issued time.Time `json:"issued"`
}

func TestDecodeErrorNamesTheField(t *testing.T) {
	srv := secretstest.New(t, nil)
	c := open(t, srv.Client(), nil)
	srv.PutBinary("not-text", []byte{1})
	if de := decodeErrorOf[string](t, c, "not-text"); !strings.Contains(de.Error(), "binary") || de.Type != "string" {
		t.Errorf("got %v, want it to say that the secret is binary and that string was wanted", de)
	}
	for name, tt := range map[string]struct {
		value, field, typ string
		offset            int64
	}{
		"type":          {`{"username":1}`, "Username", "string", 0},
		"tag":           {`{"port":"zz-value"}`, "port", "int", 0},
		"time":          {`{"when":"zz-value"}`, "When", "time.Time", 0},
		"text":          {`{"addr":"zz-value"}`, "addr", "netip.Addr", 0},
		"nested":        {`{"inner":{"count":"zz-value"}}`, "inner.count", "uint8", 0},
		"range":         {`{"inner":{"count":987654}}`, "inner.count", "uint8", 0},
		"nested-time":   {`{"inner":{"until":"zz-value"}}`, "inner.until", "*time.Time", 0},
		"list":          {`{"inner":{"list":[{"port":"zz-value"}]}}`, "inner.list.port", "int", 0},
		"embedded-time": {`{"issued":"zz-value"}`, "issued", "time.Time", 0},
		"whole":         {`["zz-value"]`, "", "secrets_test.fields", 0},
		"syntax":        {`{"username":zz-value}`, "", "secrets_test.fields", 13},
		"plain":         {`zz-value`, "", "secrets_test.fields", 1},
		"cut":           {`{"username":"zz-value`, "", "secrets_test.fields", 21},
		"blank":         {` `, "", "secrets_test.fields", 1},
		"after":         {`{} zz-value`, "", "secrets_test.fields", 4},
		"null":          {` null `, "", "secrets_test.fields", 0},
	} {
		t.Run(name, func(t *testing.T) {
			id := srv.Put(name, tt.value)
			de := decodeErrorOf[fields](t, c, name)
			if de.SecretID != name || de.VersionID != id {
				t.Errorf("SecretID, VersionID = %q, %q; want %q, %q", de.SecretID, de.VersionID, name, id)
			}
			if de.Field != tt.field || de.Type != tt.typ || de.Offset != tt.offset {
				t.Errorf("Field, Type, Offset = %q, %q, %d; want %q, %q, %d", de.Field, de.Type, de.Offset, tt.field, tt.typ, tt.offset)
			}
			for _, want := range []string{name, id, tt.field, tt.typ} {
				if !strings.Contains(de.Error(), want) {
					t.Errorf("Error() = %q, want it to name %q", de, want)
				}
			}
			if strings.Contains(de.Error(), "zz-value") || strings.Contains(de.Error(), "987654") {
				t.Errorf("Error() = %q, which quotes the value", de)
			}
		})
	}
}

// A pointer to a struct, a map and anything else refuse the JSON null too; it
// would be a nil that nobody expects.
func TestDecodeNull(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"null": "null", "inside": `{"next":null}`})
	c := open(t, srv.Client(), nil)
	decodeErrorOf[*account](t, c, "null")
	decodeErrorOf[map[string]string](t, c, "null")
	decodeErrorOf[any](t, c, "null")
	checkRead(t, c, "null", "null")
	checkRead(t, c, "null", []byte("null"))
	checkRead(t, c, "inside", account{})
}

func TestSecretByValue(t *testing.T) {
	c := newClient(t, newService("a"), nil)
	s, err := secrets.Get[secrets.Secret](ctx, c, "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Text(); got != "value of a" || s.Name() != "a" {
		t.Errorf("got %q of %q", got, s.Name())
	}
}
