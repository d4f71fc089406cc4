package secrets_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/template"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// canary is the value that must not be seen anywhere.
const canary = "qZ7canaryXw9"

// leaks returns what of the canary out shows, or "".
func leaks(out string) string {
	for _, form := range canaryForms() {
		if strings.Contains(out, form) {
			return form
		}
	}
	return ""
}

// canaryForms are the canary's parts in the forms into which package fmt and
// the encodings turn them.
var canaryForms = sync.OnceValue(func() []string {
	var forms []string
	b := []byte(canary)
	for i := range len(b) - 5 {
		part := b[i : i+6]
		forms = append(forms, string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)), fmt.Sprintf("% x", part),
			strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}"))
		for _, format := range []string{"%d", "%o", "%b", "%c", "%U"} {
			forms = append(forms, strings.Trim(fmt.Sprintf(format, part), "[]"))
		}
	}
	for shift := range 3 { // base64 looks different at each offset
		form := base64.StdEncoding.EncodeToString(append(make([]byte, shift), b...))
		forms = append(forms, form[4:len(form)-4])
	}
	return forms
})

func TestLeaksSeesTheCanary(t *testing.T) {
	for verb, v := range map[string]any{
		"%s": canary, "%x": canary, "%X": canary, "% x": canary, "%q": canary, "%d": []byte(canary), "%v": []byte(canary),
		"%#v": []byte(canary), "%o": []byte(canary), "%b": []byte(canary), "%c": []byte(canary), "%U": []byte(canary), "%+v": struct{ b []byte }{[]byte(canary)},
	} {
		if leaks(fmt.Sprintf(verb, v)) == "" {
			t.Errorf("not seen in %s", fmt.Sprintf(verb, v))
		}
	}
	for i := range 3 {
		if out := base64.StdEncoding.EncodeToString([]byte("xyz"[:i] + canary)); leaks(out) == "" {
			t.Errorf("not seen in base64 %s", out)
		}
	}
	if form := leaks("abc [1 2 3] 0x12"); form != "" {
		t.Errorf("seen where it is not: %s", form)
	}
}

// expose writes v to every output channel and reports where the canary shows.
func expose(t *testing.T, what string, v any) {
	t.Helper()
	report := func(channel, out string) {
		t.Helper()
		if form := leaks(out); form != "" {
			t.Errorf("%s shows the value of %s (as %s): %.200s", channel, what, form, out)
		}
	}
	for _, verb := range "vsTqxXdboOcUeEfFgGtpw" {
		for _, flags := range []string{"", "+", "#", " "} {
			format := "%" + flags + string(verb)
			report(format, fmt.Sprintf(format, v))
		}
	}
	if err, ok := v.(error); ok {
		report("Errorf", fmt.Errorf("wrapped: %w", err).Error())
	}
	report("Sprintln", fmt.Sprintln(v))
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		l := slog.New(h)
		l.With("with", v).WithGroup("group").Info("message", "attr", v, slog.Group("in", "deep", v))
		report("slog", log.String())
	}
	report("json", encoded(json.Marshal(v)))
	report("json indent", encoded(json.MarshalIndent(v, "", " ")))
	report("xml", encoded(xml.Marshal(v)))
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	report("gob", encoded(b.Bytes(), err))
	for _, text := range []string{"{{.}}", "{{printf `%v %+v %#v` . . .}}", "{{range .}}{{.}}{{end}}", "{{html .}}", "{{js .}}"} {
		b.Reset()
		err := template.Must(template.New("").Parse(text)).Execute(&b, v)
		report("template", encoded(b.Bytes(), err))
	}
	func() {
		defer func() { report("panic", fmt.Sprint(recover())) }()
		panic(v)
	}()
}

func encoded(b []byte, err error) string { return fmt.Sprintf("%s %v", b, err) }

type fieldOf[T any] struct{ F T }
type hiddenOf[T any] struct{ f T }

// exposeAll exposes v by itself and inside everything that it may be part of.
func exposeAll[T any](t *testing.T, what string, v T) {
	t.Helper()
	p := &v
	for form, x := range map[string]any{
		"itself":              v,
		"a pointer":           p,
		"a pointer pointer":   &p,
		"a slice":             []T{v},
		"an array":            [1]T{v},
		"a map":               map[string]T{"k": v},
		"a map of pointers":   map[string]*T{"k": p},
		"a slice of pointers": []*T{p},
		"a field":             fieldOf[T]{v},
		"a pointer field":     &fieldOf[*T]{p},
		"an any field":        fieldOf[any]{v},
		"a hidden field":      hiddenOf[T]{v},
		"a hidden pointer":    &hiddenOf[*T]{p},
		"a hidden any":        hiddenOf[any]{v},
		"a hidden any ptr":    hiddenOf[any]{p},
		"a hidden slice":      hiddenOf[[]T]{[]T{v}},
		"a hidden map":        hiddenOf[map[string]T]{map[string]T{"k": v}},
		"two hidden fields":   hiddenOf[hiddenOf[T]]{hiddenOf[T]{v}},
		"a slice of any":      []any{v, p},
		"a map of any":        map[any]any{"k": v},
		"a slice of structs":  []fieldOf[T]{{v}},
	} {
		expose(t, what+" as "+form, x)
	}
}

// exposure holds one value of each exported type, as full of the canary as it
// can be. Values that must not be copied stand as a reflect.Value, which fmt
// takes for what it holds.
func exposure(t *testing.T) map[string]any {
	srv := secretstest.New(t, secretstest.Secrets{"text": canary, "json": `{"username":"` + canary + `","port":1}`, "weak": `{"password":"weak ` + canary + `"}`})
	srv.PutBinary("binary", []byte(canary))
	var log journal
	var last secrets.Event
	opts := &secrets.Options{Logger: log.logger(), OnEvent: func(e secrets.Event) {
		if e.Kind == secrets.EventRefused {
			last = e
		}
	}}
	c := open(t, srv.Client(), opts)
	ctx := t.Context()
	one, err := c.Get(ctx, "text")
	if err != nil {
		t.Fatal(err)
	}
	two, err := c.Get(ctx, "binary")
	if err != nil {
		t.Fatal(err)
	}
	texts, bytes := secrets.Bind[string](c, "text"), secrets.Bind[[]byte](c, "binary")
	structs, ptrs := secrets.Bind[account](c, "json"), secrets.Bind[*account](c, "json")
	whole := secrets.Bind[*secrets.Secret](c, "text")
	fn := secrets.BindFunc(c, "text", func(s *secrets.Secret) (string, error) { return s.Text() })
	for _, get := range []func() error{
		func() error { _, err := texts.Get(ctx); return err },
		func() error { _, err := bytes.Get(ctx); return err },
		func() error { _, err := structs.Get(ctx); return err },
		func() error { _, err := ptrs.Get(ctx); return err },
		func() error { _, err := whole.Get(ctx); return err },
		func() error { _, err := fn.Get(ctx); return err },
		func() error { _, err := c.Versions(ctx, "text"); return err },
	} {
		if err := get(); err != nil {
			t.Fatal(err)
		}
	}
	_, decode := secrets.Get[byValue](ctx, c, "weak")
	var de *secrets.DecodeError
	if !errors.As(decode, &de) {
		t.Fatalf("Get of a weak password = %v, want a *DecodeError", decode)
	}
	state, err := c.RotationState(ctx, "text")
	if err != nil {
		t.Fatal(err)
	}
	rejected, attempt := rejectAll(t, c)
	status, ok := c.Status("weak")
	if !ok || len(status.Refused) == 0 {
		t.Fatalf("Status of a secret that does not decode: %+v, %t", status, ok)
	}
	load := secrets.Load(ctx, secrets.Bind[byValue](c, "weak"))
	var le *secrets.LoadError
	if !errors.As(load, &le) {
		t.Fatalf("Load of a weak password = %v, want a *LoadError", load)
	}
	synctest.Wait()
	if last.Kind == 0 {
		t.Fatal("no event tells of a version that does not decode")
	}
	return map[string]any{
		"Client": c, "Client value": reflect.ValueOf(c).Elem(),
		"Secret": one, "Secret value": *one, "Secret binary": two, "Secret binary value": *two,
		"Ref": texts, "Ref bytes": bytes, "Ref struct": structs, "Ref pointer": ptrs, "Ref secret": whole, "Ref func": fn,
		"Ref value": reflect.ValueOf(structs).Elem(), "Ref func value": reflect.ValueOf(fn).Elem(),
		"Stats": c.Stats(), "Options": *opts, "TryOptions": secrets.TryOptions{},
		"Selector": secrets.Stage("custom"), "RefreshMode": secrets.RefreshAhead,
		"Snapshot": secrets.Snapshot{AEAD: gcm(1), Account: snapshotAccount}, "Snapshot pointer": &secrets.Snapshot{AEAD: gcm(1)},
		"RotationState": state, "RotationPhase": state.Phase,
		"Event": last, "EventKind": last.Kind, "FailureClass": last.Class, "Status": status,
		"LoadError": le, "LoadError value": *le, "LoadFailure": le.Failures[0],
		"DecodeError": de, "DecodeError value": *de, "DecodeError wrapped": decode,
		"PrefetchError": &secrets.PrefetchError{Errors: map[string]error{"weak": decode}}, "PrefetchError value": secrets.PrefetchError{Errors: map[string]error{"weak": de}},
		"RejectedError": rejected, "RejectedError value": *rejected, "Attempt": attempt,
		"Version": secrets.Version[*secrets.Secret]{Value: one, ID: "v", Stages: []string{secrets.Current}}, // likewise: see TestVersionIsRedacted
		"Offer":   secrets.Offer[*secrets.Secret]{Value: one, VersionID: "v", Stage: secrets.Current},       // of a value that does not redact itself: see TestOfferRedaction
	}
}

// rejectAll returns the error of a use that refuses every version.
func rejectAll(t *testing.T, c *secrets.Client) (*secrets.RejectedError, secrets.Attempt) {
	ref := secrets.Bind[string](c, "text").WithTry(&secrets.TryOptions{Wait: time.Nanosecond})
	_, err := secrets.Try(t.Context(), ref, func(_ context.Context, v string) (string, error) {
		return "", secrets.Rejected(errors.New("login with " + v + " failed"))
	})
	var re *secrets.RejectedError
	if !errors.As(err, &re) || len(re.Attempts) == 0 {
		t.Fatalf("Try that rejects everything = %v, want a *RejectedError with attempts", err)
	}
	return re, re.Attempts[0]
}

func TestNoTypeShowsAValue(t *testing.T) {
	if testing.Short() {
		t.Skip("prints for long, and nothing else runs")
	}
	synctest.Test(t, func(t *testing.T) {
		values := exposure(t)
		synctest.Wait() // a Client is printed whole: nothing may be running
		for what, v := range values {
			exposeAll(t, what, v)
			switch v := v.(type) { // once more with its own type, not as an any
			case *secrets.Secret:
				exposeAll(t, what+" typed", v)
			case secrets.Secret:
				exposeAll(t, what+" typed", v)
			case *secrets.Ref[account]:
				exposeAll(t, what+" typed", v)
			case *secrets.Client:
				exposeAll(t, what+" typed", v)
			case *secrets.DecodeError:
				exposeAll(t, what+" typed", v)
			case secrets.RejectedError:
				exposeAll(t, what+" typed", v)
			}
		}
		for _, name := range exportedTypes(t) {
			if _, ok := values[name]; !ok && name != "API" && name != "Handle" { // interfaces
				t.Errorf("the exported type %s is not among those exposed", name)
			}
		}
	})
}

// exportedTypes lists the exported types of the package.
func exportedTypes(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if ts, ok := n.(*ast.TypeSpec); ok && ts.Name.IsExported() {
				names = append(names, ts.Name.Name)
			}
			return true
		})
	}
	if !slices.Contains(names, "Secret") {
		t.Fatalf("found the types %v, which cannot be all", names)
	}
	return names
}

// A Secret shows its name and version wherever it is printed by itself.
func TestSecretShowsWhichItIs(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"prod/db": canary})
	c := open(t, srv.Client(), nil)
	s, err := c.Get(t.Context(), "prod/db")
	if err != nil {
		t.Fatal(err)
	}
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "s", s)
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "s", s)
	for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%d %#v", s, s), encoded(json.Marshal(s)), text.String(), js.String()} {
		if !strings.Contains(out, "prod/db") || !strings.Contains(out, s.VersionID()) {
			t.Errorf("%s does not name the secret and its version", out)
		}
	}
}

// What the runtime prints of a panic nobody recovers.
func TestCrashDoesNotShowAValue(t *testing.T) {
	if os.Getenv("SECRETS_TEST_CRASH") != "" {
		values := exposure(t)
		panic(values[os.Getenv("SECRETS_TEST_CRASH")])
	}
	for _, what := range []string{"Secret", "Secret value", "DecodeError wrapped", "RejectedError", "Client", "PrefetchError value"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashDoesNotShowAValue$")
		cmd.Env = append(os.Environ(), "SECRETS_TEST_CRASH="+what, "GOTRACEBACK=all")
		out, err := cmd.CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("panic:")) {
			t.Fatalf("%s: the crash ended with %v: %s", what, err, out)
		}
		if form := leaks(string(out)); form != "" {
			t.Errorf("a panic with a %s shows the value (as %s):\n%s", what, form, out)
		}
	}
}
