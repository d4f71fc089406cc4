package secrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// messagesOfTheCode returns the constants that log records have as their messages.
func messagesOfTheCode(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "eventlog.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "msg") {
			text, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			found[text] = true
		}
		return true
	})
	return found
}

var messageRow = regexp.MustCompile(`(?m)^\| (INFO|WARN|ERROR) \| (secrets: [^|]*) \|`)

// messagesOfTheTable returns the levels that the documentation gives each message.
func messagesOfTheTable(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string]string{}
	for _, m := range messageRow.FindAllStringSubmatch(string(text), -1) {
		levels[m[2]] = m[1]
	}
	return levels
}

func TestMessagesAreDocumented(t *testing.T) {
	code, table := messagesOfTheCode(t), messagesOfTheTable(t)
	if len(code) < 15 {
		t.Fatalf("only %d messages found in the code", len(code))
	}
	for msg := range code {
		if table[msg] == "" {
			t.Errorf("docs/operating.md does not list %q", msg)
		}
	}
	for msg := range table {
		if !code[msg] {
			t.Errorf("docs/operating.md lists %q, which nothing logs", msg)
		}
	}
}

// No record is logged but through the events: what else calls the logger would
// stand in no table.
func TestOnlyEventsAreLogged(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`\blog\.(Log|LogAttrs|Debug|Info|Warn|Error)(Context)?\(`)
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "eventlog.go" || name == "eventqueue.go" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if call := calls.Find(text); call != nil {
			t.Errorf("%s calls %s…)", name, call)
		}
	}
}

// records collects what a JSON handler writes.
type records struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

// all returns the records, decoded.
func (r *records) all(t *testing.T) []map[string]any {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []map[string]any
	for line := range strings.Lines(r.buf.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		found = append(found, record)
	}
	return found
}

// logOutages lets clients log what they do in an outage of a region that has a
// replica, and in one that they have a snapshot for.
func logOutages(t *testing.T, log *records) {
	logger := slog.New(slog.NewJSONHandler(log, nil))
	srv := secretstest.New(t, secretstest.Secrets{"a": "one", "b": "two"})
	replicate(t, srv, []string{"a", "b"}, west)
	c := open(t, srv.Client(), &secrets.Options{Replicas: []string{west}, Logger: logger})
	end := srv.RegionOutage(east)
	text(t, c, "a")
	time.Sleep(5 * time.Second) // for the attempts that the region's call is left with
	end()
	for range 12 {
		time.Sleep(10 * time.Second)
		c.Refresh(ctx, "a")
	}

	m := &memStore{}
	start := func() *secrets.Client {
		o := sealed(m, secrets.RefreshAhead)
		o.Logger = logger
		return open(t, srv.Client(), o)
	}
	before := start()
	text(t, before, "b")
	before.Close()
	end = srv.RegionOutage(east)
	text(t, start(), "b")
	end()
	m.set(func([]byte) []byte { return []byte("garbage") })
	m.err = errors.New("disk full")
	text(t, start(), "b")
	time.Sleep(2 * time.Minute)
}

// What is logged has the documented level, keys that are documented, and says
// which secret it is about.
func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"a": `{"Limit":1}`, "b": "x", "c": "y"})
		log := &records{}
		c := open(t, srv.Client(), &secrets.Options{
			TTL: time.Minute, MaxStale: time.Hour, Refresh: secrets.RefreshAhead, Logger: slog.New(slog.NewJSONHandler(log, nil)),
		})
		a := secrets.Bind[limits](c, "a")
		read := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Second) {
				a.Get(ctx)
			}
		}
		a.Get(ctx)
		text(t, c, "b")
		bad := srv.Put("a", `{"Limit":0}`)
		read(2 * time.Hour)
		srv.Put("a", `{"Limit":2}`)
		srv.PutPending("a", `{"Limit":3}`)
		read(2 * time.Hour)
		secrets.Try(ctx, a, func(_ context.Context, l limits) (int, error) {
			if l.Limit == 2 {
				return 0, secrets.Rejected(errRotAuth)
			}
			return 0, nil
		})
		pending := srv.VersionID("a", secrets.Pending)
		srv.MoveStage("a", secrets.Current, pending)
		srv.MoveStage("a", secrets.Pending, "")
		c.Refresh(ctx, "a")
		secrets.Try(ctx, a, func(context.Context, limits) (int, error) { return 0, nil })
		srv.Fail(secretstest.Outage())
		read(10 * time.Minute)
		srv.ClearFaults()
		read(20 * time.Minute)
		srv.Fail(secretstest.Outage())
		read(2 * time.Hour)
		srv.ClearFaults()
		text(t, c, "b")
		srv.Delete("b")
		srv.Put("b", "another")
		c.Refresh(ctx, "b")
		srv.Fail(secretstest.DenyDescribe("b"))
		c.Refresh(ctx, "b")
		srv.ScheduleDeletion("b")
		c.Refresh(ctx, "b")
		srv.Fail(secretstest.Fault{Op: "BatchGetSecretValue", Times: secretstest.Always, Code: "AccessDeniedException"})
		c.Prefetch(ctx, "b", "c")
		srv.PutStages("a", `{"Limit":0}`, "CUSTOM")
		unfit := srv.VersionID("a", "CUSTOM")
		a.Version(ctx, secrets.Stage("CUSTOM"))
		logOutages(t, log)
		synctest.Wait()

		levels := messagesOfTheTable(t)
		keys := []string{"time", "level", "msg", "secret", "version", "was", "serving", "current", "stage", "type", "field", "how",
			"operation", "error.type", "error", "failures", "since", "next", "region"}
		seen := map[string]bool{}
		for _, r := range log.all(t) {
			msg := r["msg"].(string)
			seen[msg] = true
			if r["level"] != levels[msg] {
				t.Errorf("%q has level %v, documented is %q", msg, r["level"], levels[msg])
			}
			elsewhere := r["region"] != nil || strings.HasPrefix(msg, "secrets: snapshot ")
			if s, _ := r["secret"].(string); !elsewhere && s != "a" && s != "b" && s != "c" || elsewhere && s != "" {
				t.Errorf("%q is about secret %v", msg, r["secret"])
			}
			for key := range r {
				if !slices.Contains(keys, key) {
					t.Errorf("%q has the key %q, which is not documented", msg, key)
				}
			}
			if (r["error"] != nil) != (r["error.type"] != nil) && msg != "secrets: version rejected by its use" {
				t.Errorf("%q: error %v, error.type %v", msg, r["error"], r["error.type"])
			}
			if strings.Contains(msg, "fail") && strings.Contains(msg, "decode") && (r["version"] != bad && r["version"] != unfit || r["type"] != "secrets_test.limits") {
				t.Errorf("%q: %v", msg, r)
			}
		}
		for _, left := range []string{
			"secrets: DescribeSecret unavailable; every refresh calls GetSecretValue", // TestDescribeUnavailable
			"secrets: events were dropped; the logger or OnEvent is too slow",         // TestSlowHookHoldsNobodyUp
			"secrets: OnEvent panicked", // TestPanickingHookGoesOn
		} {
			delete(levels, left)
		}
		for _, msg := range slices.Sorted(maps.Keys(levels)) {
			if !seen[msg] {
				t.Errorf("nothing logged %q", msg)
			}
		}
	})
}
