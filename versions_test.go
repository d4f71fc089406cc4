package secrets_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// valuesOf returns the values of versions in order.
func valuesOf(t *testing.T, all []*secrets.Secret, err error) []string {
	t.Helper()
	if err != nil {
		t.Errorf("Versions: %v", err)
	}
	var vs []string
	for _, s := range all {
		vs = append(vs, string(s.Bytes()))
	}
	return vs
}

func checkVersions(t *testing.T, c *secrets.Client, when string, want ...string) {
	t.Helper()
	all, err := c.Versions(t.Context(), "key")
	if got := valuesOf(t, all, err); !slices.Equal(got, want) {
		t.Errorf("%s: Versions = %q, want %q", when, got, want)
	}
}

// keyServer returns a server with a secret that has a version for each label.
func keyServer(t *testing.T) *secretstest.Server {
	srv := secretstest.New(t, secretstest.Secrets{"key": "unlabelled"})
	srv.Put("key", "previous")
	srv.PutStages("key", "zeta", "zeta")
	srv.PutStages("key", "alpha", "alpha", "AAA") // two labels, one version
	srv.Put("key", "current")
	srv.PutPending("key", "pending")
	return srv
}

func TestGetVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := keyServer(t)
		c := open(t, srv.Client(), nil)
		check := func(sel secrets.Selector, want string) {
			t.Helper()
			s, err := c.GetVersion(t.Context(), "key", sel)
			if err != nil || string(s.Bytes()) != want {
				t.Errorf("GetVersion of %v = %v, %v; want %q", sel, s, err, want)
			}
		}
		for range 3 {
			check(secrets.Selector{}, "current")
			check(secrets.Stage(secrets.Current), "current")
			check(secrets.Stage(secrets.Previous), "previous")
			check(secrets.Stage(secrets.Pending), "pending")
			check(secrets.Stage("AAA"), "alpha")
			check(secrets.VersionID(srv.VersionID("key", "alpha")), "alpha")
			check(secrets.VersionID(srv.VersionID("key", "AWSCURRENT")), "current")
		}
		checkRead(t, c, "key", "current")
		checkCalls(t, srv, "six versions asked for in seven ways", 6, 0, 0)
	})
}

// A label that moved is noticed when the answer has expired.
func TestGetVersionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := keyServer(t)
		c := open(t, srv.Client(), nil)
		read := func() (string, error) {
			s, err := c.GetVersion(t.Context(), "key", secrets.Stage(secrets.Previous))
			if err != nil {
				return "", err
			}
			return s.Text()
		}
		if v, err := read(); v != "previous" || err != nil {
			t.Fatalf("GetVersion = %q, %v; want previous", v, err)
		}
		srv.Put("key", "newer") // current becomes previous
		time.Sleep(4 * time.Minute)
		if v, err := read(); v != "previous" || err != nil {
			t.Errorf("within the TTL: GetVersion = %q, %v; want previous", v, err)
		}
		time.Sleep(2 * time.Minute)
		if v, err := read(); v != "current" || err != nil {
			t.Errorf("after the TTL: GetVersion = %q, %v; want current", v, err)
		}
		// Without the service the old answer serves, for MaxStale and no longer.
		srv.Fail(secretstest.Outage())
		time.Sleep(35 * time.Hour)
		start := time.Now()
		if v, err := read(); v != "current" || err != nil {
			t.Errorf("35 h into an outage: GetVersion = %q, %v; want current", v, err)
		}
		if took := time.Since(start); took > secrets.DefaultStaleWait {
			t.Errorf("a read during an outage took %v, want at most %v", took, secrets.DefaultStaleWait)
		}
		time.Sleep(2 * time.Hour)
		if v, err := read(); err == nil {
			t.Errorf("37 h into an outage: GetVersion = %q, want an error", v)
		}
	})
}

// A version that is refused is not served from memory any longer. It may take
// an hour, in which DescribeSecret says that nothing changed.
func TestGetVersionDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := keyServer(t)
		c := open(t, srv.Client(), nil)
		if _, err := c.GetVersion(t.Context(), "key", secrets.Stage("zeta")); err != nil {
			t.Fatal(err)
		}
		checkRead(t, c, "key", "current")
		srv.Fail(secretstest.Fault{Stage: "zeta", Times: secretstest.Always, Code: "AccessDeniedException"})
		time.Sleep(66 * time.Minute)
		if s, err := c.GetVersion(t.Context(), "key", secrets.Stage("zeta")); err == nil {
			t.Errorf("GetVersion of a version that is denied = %v, want an error", s)
		}
		checkRead(t, c, "key", "current") // and the current one is as it was
		if n := c.Stats().Denials; n != 0 {
			t.Errorf("Stats.Denials = %d, want 0: only AWSCURRENT counts", n)
		}
	})
}

func TestVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := keyServer(t)
		c := open(t, srv.Client(), nil)
		checkVersions(t, c, "cold", "current", "pending", "previous", "alpha", "zeta")
		checkCalls(t, srv, "cold", 5, 0, 1)
		all, err := c.Versions(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := all[3].Stages(), []string{"AAA", "alpha"}; !slices.Equal(got, want) {
			t.Errorf("labels = %v, want %v", got, want)
		}
		all[0] = nil // the slice is the caller's
		checkVersions(t, c, "again", "current", "pending", "previous", "alpha", "zeta")
		checkRead(t, c, "key", "current")
		checkCalls(t, srv, "from memory", 0, 0, 0)
	})
}

// AWSPENDING may stay on the version that became current: it is there once.
func TestVersionsAreDistinct(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"key": "old"})
	srv.PutStages("key", "new", "AWSCURRENT", "AWSPENDING", "custom")
	checkVersions(t, open(t, srv.Client(), nil), "all labels on one", "new", "old")
	checkVersions(t, open(t, getOnlyAPI{srv.Client()}, nil), "by GetSecretValue alone", "new", "old")
}

func TestVersionsLeaveOutWhatIsNotToBeHad(t *testing.T) {
	for name, tt := range map[string]struct {
		fault secretstest.Fault
		want  []string
	}{
		"pending denied":   {secretstest.DenyPending(""), []string{"current", "previous", "alpha", "zeta"}},
		"previous denied":  {secretstest.Fault{Stage: "AWSPREVIOUS", Times: secretstest.Always, Code: "AccessDeniedException"}, []string{"current", "pending", "alpha", "zeta"}},
		"describe denied":  {secretstest.DenyDescribe(""), []string{"current", "pending", "previous"}},
		"describe missing": {secretstest.Fault{Op: "DescribeSecret", Times: secretstest.Always, Code: "UnknownOperationException"}, []string{"current", "pending", "previous"}},
		"no labels":        {secretstest.Fault{Op: "DescribeSecret", Times: secretstest.Always, NoStages: true}, []string{"current", "pending", "previous"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := keyServer(t)
			srv.Fail(tt.fault)
			checkVersions(t, open(t, srv.Client(), nil), name, tt.want...)
		})
	}
	t.Run("pending without a value", func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"key": "previous"})
		srv.Put("key", "current")
		srv.PutEmptyPending("key")
		checkVersions(t, open(t, srv.Client(), nil), "pending without a value", "current", "previous")
	})
	t.Run("current denied", func(t *testing.T) {
		srv := keyServer(t)
		srv.Fail(secretstest.Fault{Stage: "AWSCURRENT", Times: secretstest.Always, Code: "AccessDeniedException"})
		if all, err := open(t, srv.Client(), nil).Versions(t.Context(), "key"); err == nil || all != nil {
			t.Errorf("Versions = %v, %v; want an error", all, err)
		}
	})
	t.Run("no DescribeSecret at all", func(t *testing.T) {
		checkVersions(t, open(t, getOnlyAPI{keyServer(t).Client()}, nil), "no DescribeSecret", "current", "pending", "previous")
	})
}

// Versions that are being read are kept up to date in the background: no read
// of them waits, and an unchanged secret costs what it would without them.
func TestVersionsAreRefreshedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := keyServer(t)
		c := open(t, srv.Client(), nil)
		checkVersions(t, c, "cold", "current", "pending", "previous", "alpha", "zeta")
		srv.MoveStage("key", "AWSPENDING", "") // no rotation is outstanding
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: 200 * time.Millisecond})
		readFor := func(d time.Duration) {
			t.Helper()
			for end := time.Now().Add(d); time.Now().Before(end); {
				time.Sleep(time.Second)
				start := time.Now()
				if _, err := c.Versions(t.Context(), "key"); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != 0 {
					t.Fatalf("a read of Versions waited %v", took)
				}
			}
		}
		readFor(10 * time.Minute)
		checkVersions(t, c, "a label went", "current", "previous", "alpha", "zeta")
		srv.ResetCalls()
		readFor(40 * time.Minute)
		if n := srv.Count(gets); n != 0 {
			t.Errorf("%d GetSecretValue calls while nothing changed, want none", n)
		}
		if n := srv.Count(describes); n < 7 || n > 12 {
			t.Errorf("%d DescribeSecret calls in 40 minutes, want about 9", n)
		}
		srv.Put("key", "newer")
		srv.PutStages("key", "beta", "beta")
		readFor(6 * time.Minute)
		checkVersions(t, c, "rotated", "newer", "current", "alpha", "beta", "zeta")
	})
}

// A new current version is in front at once, whoever noticed it.
func TestVersionsFollowARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"key": "one"})
		c := open(t, srv.Client(), nil)
		checkVersions(t, c, "cold", "one")
		srv.Put("key", "two")
		if err := c.Refresh(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		checkVersions(t, c, "after Refresh", "two", "one")
	})
}

// It is in front even while the others cannot be fetched.
func TestVersionsFollowWithoutTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"key": "one"})
		c := open(t, srv.Client(), nil)
		checkVersions(t, c, "cold", "one")
		checkVersions(t, c, "from memory", "one")
		pending := srv.PutPending("key", "pending")
		srv.Put("key", "two")
		srv.Fail(secretstest.Fault{Stage: "AWSPENDING", Times: secretstest.Always, Code: "InternalServiceError"})
		if err := c.Refresh(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		checkVersions(t, c, "the pending one fails", "two", "one")
		srv.ClearFaults()
		srv.MoveStage("key", "AWSPENDING", pending)
		time.Sleep(6 * time.Minute)
		checkVersions(t, c, "it does not any longer", "two", "pending", "one")
	})
}

// A current version that may not be read is not just left out.
func TestVersionsWithoutTheCurrentOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"key": "one"})
		c := open(t, srv.Client(), nil)
		checkRead(t, c, "key", "one")
		srv.Put("key", "two")
		srv.Fail(secretstest.Fault{Stage: "AWSCURRENT", Times: secretstest.Always, Code: "AccessDeniedException"})
		if all, err := c.Versions(t.Context(), "key"); err == nil {
			t.Errorf("Versions = %v, want an error", all)
		}
	})
}

// Versions that are asked for by label are confirmed with the current one:
// while it is read, and nothing changes, they cost nothing and wait for nothing.
func TestGetVersionIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := keyServer(t)
		srv.MoveStage("key", "AWSPENDING", "")
		c := open(t, srv.Client(), nil)
		read := func() string {
			s, err := c.GetVersion(t.Context(), "key", secrets.Stage(secrets.Previous))
			if err != nil {
				t.Fatal(err)
			}
			return string(s.Bytes())
		}
		checkRead(t, c, "key", "current")
		read()
		srv.ResetCalls()
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: 200 * time.Millisecond})
		for range 50 * 60 {
			start := time.Now()
			if v := read(); v != "previous" || time.Since(start) != 0 {
				t.Fatalf("GetVersion = %q after %v, want previous at once", v, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		if n := srv.Count(gets); n != 0 {
			t.Errorf("%d GetSecretValue calls while nothing changed, want none", n)
		}
		// A label that a refresh saw move is asked for anew at once.
		srv.Put("key", "newer")
		if err := c.Refresh(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		if v := read(); v != "current" {
			t.Errorf("GetVersion after a Refresh = %q, want current", v)
		}
	})
}

// Versions go on being served while the service is away, for MaxStale.
func TestVersionsDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := keyServer(t)
		c := open(t, srv.Client(), nil)
		want := []string{"current", "pending", "previous", "alpha", "zeta"}
		checkVersions(t, c, "cold", want...)
		srv.Fail(secretstest.Outage())
		for h := range 36 {
			if h > 0 {
				time.Sleep(59 * time.Minute)
			}
			start := time.Now()
			checkVersions(t, c, "outage", want...)
			if took := time.Since(start); took > secrets.DefaultStaleWait {
				t.Errorf("hour %d of an outage: Versions took %v", h, took)
			}
		}
		time.Sleep(2 * time.Hour)
		if all, err := c.Versions(t.Context(), "key"); err == nil {
			t.Errorf("Versions after MaxStale = %v, want an error", all)
		}
		srv.ClearFaults()
		time.Sleep(time.Minute)
		checkVersions(t, c, "after the outage", want...)
	})
}

// Any number of callers share the calls.
func TestVersionsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := keyServer(t)
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: time.Second})
		c := open(t, srv.Client(), nil)
		crowd(t, 100, func(ctx context.Context, _ int) error {
			_, err := c.Versions(ctx, "key")
			return err
		})
		checkCalls(t, srv, "100 callers", 5, 0, 1)
		crowd(t, 100, func(ctx context.Context, _ int) error {
			_, err := c.GetVersion(ctx, "key", secrets.Stage("zeta"))
			return err
		})
		checkCalls(t, srv, "100 callers of one version that Versions has fetched", 0, 0, 0)
		crowd(t, 100, func(ctx context.Context, _ int) error {
			_, err := c.GetVersion(ctx, "key", secrets.Stage("alpha"))
			return err
		})
		checkCalls(t, srv, "100 callers of another", 1, 0, 0)
	})
}
