package secrets_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

type verLogin struct {
	User  string
	Roles []string
}

func verJSON(user string) string { return fmt.Sprintf(`{"User":%q,"Roles":["r"]}`, user) }

// verSecret is a secret with a version under each label; it returns their ids.
func verSecret(t *testing.T) (*secretstest.Server, *secrets.Client, map[string]string) {
	t.Helper()
	srv := secretstest.New(t, secretstest.Secrets{"s": verJSON("one")})
	ids := map[string]string{"one": srv.VersionID("s", secrets.Current)}
	ids["two"] = srv.Put("s", verJSON("two"))
	ids["three"] = srv.PutPending("s", verJSON("three"))
	ids["four"] = srv.PutStages("s", verJSON("four"), "BLUE")
	return srv, rotClient(t, srv, secrets.Options{}), ids
}

// Any T by label or by id, as the root function and as the handle have it.
func TestGetVersionTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, ids := verSecret(t)
		ref := secrets.Bind[verLogin](c, "s")
		for sel, want := range map[secrets.Selector]string{
			{}:                              "two",
			secrets.Stage(secrets.Current):  "two",
			secrets.Stage(secrets.Pending):  "three",
			secrets.Stage(secrets.Previous): "one",
			secrets.Stage("BLUE"):           "four",
			secrets.VersionID(ids["one"]):   "one",
		} {
			v, err := ref.Version(t.Context(), sel)
			if v.Value.User != want || v.ID != ids[want] || err != nil || v.Created.IsZero() {
				t.Errorf("Version %v = %+v of %s, %v, want %q of %s", sel, v.Value, v.ID, err, want, ids[want])
			}
		}
		var missing *types.ResourceNotFoundException
		if _, err := ref.Version(t.Context(), secrets.Stage("RED")); !errors.As(err, &missing) {
			t.Errorf("Version of no label = %v, want the SDK's error", err)
		}
		if _, err := ref.Version(t.Context(), secrets.Stage("")); err == nil {
			t.Error("Version of an empty label = nil error")
		}
		if _, err := secrets.Bind[int](c, "s").Version(t.Context(), secrets.Stage(secrets.Previous)); !errors.As(err, new(*secrets.DecodeError)) {
			t.Errorf("Version of what is no int = %v, want a DecodeError", err)
		}
		c.Close()
		if _, err := ref.Version(t.Context(), secrets.Stage(secrets.Previous)); err != secrets.ErrClosed {
			t.Errorf("Version after Close = %v, want ErrClosed", err)
		}
	})
}

// Versions has every labelled version, the current one first, and each one's
// labels; callers share no slice.
func TestVersionsTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ids := verSecret(t)
		ref := secrets.Bind[verLogin](c, "s")
		all, err := ref.Versions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range all {
			if v.ID != ids[v.Value.User] {
				t.Errorf("version %q has id %s, want %s", v.Value.User, v.ID, ids[v.Value.User])
			}
			got = append(got, v.Value.User+" "+strings.Join(v.Stages, ","))
			v.Value.Roles[0], v.Stages[0] = "changed", "changed"
		}
		if want := []string{"two AWSCURRENT", "three AWSPENDING", "one AWSPREVIOUS", "four BLUE"}; !slices.Equal(got, want) {
			t.Errorf("Versions = %q, want %q", got, want)
		}
		again, _ := ref.Versions(t.Context())
		if v := again[0]; v.Value.Roles[0] != "r" || !v.Has(secrets.Current) || v.Has(secrets.Pending) {
			t.Errorf("what one caller changed another sees: %v", v.Value)
		}
		srv.MoveStage("s", secrets.Current, ids["three"])
		if err := c.Refresh(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		if all, err = ref.Versions(t.Context()); err != nil || all[0].Value.User != "three" {
			t.Errorf("after the rotation Versions = %v, %v, want three first", all, err)
		}
		c.Close()
		if _, err := ref.Versions(t.Context()); err != secrets.ErrClosed {
			t.Errorf("Versions after Close = %v, want ErrClosed", err)
		}
	})
}

// A version that does not decode is left out and reported once, without its
// value; where none does the error is that of the current one.
func TestVersionsUndecodable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": verJSON("one")})
		var log strings.Builder
		c, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		srv.Put("s", "hunter2 is no JSON")
		srv.PutPending("s", verJSON("three"))
		ref := secrets.Bind[verLogin](c, "s")
		for range 3 {
			all, err := ref.Versions(t.Context())
			if err != nil || len(all) != 2 || all[0].Value.User != "three" || all[0].Has(secrets.Current) {
				t.Fatalf("Versions = %v, %v, want the pending and the previous one", all, err)
			}
		}
		synctest.Wait() // for what tells the logger
		if n := strings.Count(log.String(), "failed to decode"); n != 1 || strings.Contains(log.String(), "hunter2") {
			t.Errorf("%d reports, want 1 without the value: %s", n, log.String())
		}
		if n := c.Stats().DecodeErrors; n != 1 {
			t.Errorf("%d decode errors were counted, want 1", n)
		}
		var bad *secrets.DecodeError
		_, err = secrets.Bind[int](c, "s").Versions(t.Context())
		if !errors.As(err, &bad) || bad.VersionID != srv.VersionID("s", secrets.Current) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Versions of what is no int = %v, want a DecodeError of the current version", err)
		}
	})
}

// Each version is decoded once by a handle, whatever reads it; after the list
// was brought up to date as well.
func TestVersionsDecodeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, ids := verSecret(t)
		var decoded sync.Map
		ref := secrets.BindFunc(c, "s", func(s *secrets.Secret) (string, error) {
			n, _ := decoded.LoadOrStore(s.VersionID(), new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
			return s.Text()
		})
		read := func() {
			for range 5 {
				if _, err := ref.Get(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := ref.Versions(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := ref.Version(t.Context(), secrets.VersionID(ids["one"])); err != nil {
					t.Fatal(err)
				}
			}
		}
		read()
		srv.PutStages("s", verJSON("five"), "GREEN")
		time.Sleep(10 * time.Minute)
		read()
		n := 0
		decoded.Range(func(id, times any) bool {
			n++
			if got := times.(*atomic.Int64).Load(); got > 2 {
				t.Errorf("version %v was decoded %d times", id, got)
			}
			return true
		})
		if n != 5 {
			t.Errorf("%d versions were decoded, want 5", n)
		}
	})
}

// Handles that are made anew for each read do not pile up in a version.
func TestVersionKindsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, _ := verSecret(t)
		first := secrets.Bind[verLogin](c, "s")
		for i := range 100 {
			ref := secrets.BindFunc(c, "s", func(s *secrets.Secret) (int, error) { return i, nil })
			v, err := ref.Version(t.Context(), secrets.Stage(secrets.Previous))
			if v.Value != i || err != nil {
				t.Fatalf("Version = %d, %v, want %d", v.Value, err, i)
			}
			if v, err := first.Version(t.Context(), secrets.Stage(secrets.Previous)); v.Value.User != "one" || err != nil {
				t.Fatalf("another handle's Version = %v, %v", v.Value, err)
			}
		}
	})
}

// Nothing prints the value of a Version.
func TestVersionIsRedacted(t *testing.T) {
	v := secrets.Version[string]{Value: "hunter2", ID: "id-1", Stages: []string{"AWSCURRENT"}}
	text, _ := json.Marshal(map[string]any{"v": v})
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	for _, out := range []string{fmt.Sprint(v), fmt.Sprintf("%+v %#v %q %x %d", v, v, v, v, v), fmt.Sprintf("%v", []any{&v, v}), string(text), log.String()} {
		if strings.Contains(out, "hunter2") || strings.Contains(out, "68756e74657232") || !strings.Contains(out, "id-1") {
			t.Errorf("prints as %s", out)
		}
	}
}
