package secrets_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

// lateService is a service whose answers can be held back. An answer says what
// was true when the request arrived.
type lateService struct {
	*service
	getLate, describeLate atomic.Int64 // by how long the next answer is late, in nanoseconds
}

func (s *lateService) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	late := time.Duration(s.getLate.Swap(0))
	out, err := s.service.GetSecretValue(ctx, in, o...)
	if ended := pause(ctx, late); ended != nil {
		return nil, ended
	}
	return out, err
}

func (s *lateService) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	late := time.Duration(s.describeLate.Swap(0))
	out, err := s.service.DescribeSecret(ctx, in, o...)
	if ended := pause(ctx, late); ended != nil {
		return nil, ended
	}
	return out, err
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// addAlias lets the service know a secret by one more id.
func (s *service) addAlias(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[id] = s.secrets[name]
}

// refresh makes a check that must succeed.
func refresh(t testing.TB, c *secrets.Client, id string) {
	t.Helper()
	if err := c.Refresh(ctx, id); err != nil {
		t.Fatalf("Refresh(%q) = %v, want no error", id, err)
	}
}

// firstVersion returns the text of the first version that Versions lists.
func firstVersion(t testing.TB, c *secrets.Client, id string) string {
	t.Helper()
	all, err := c.Versions(ctx, id)
	if err != nil || len(all) == 0 {
		t.Fatalf("Versions(%q) = %v, %v, want at least one version", id, all, err)
	}
	v, err := all[0].Text()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Versions must not list a deleted secret once Get returns the secret that was
// created under its name.
func TestVersionsFollowARecreatedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.add("a", "aaaaaa", "deleted")
		c := newClient(t, s, nil)
		text(t, c, "a")
		firstVersion(t, c, "a")
		s.add("a", "bbbbbb", "created")
		for range 6 * 60 {
			time.Sleep(time.Minute)
			if got, want := firstVersion(t, c, "a"), text(t, c, "a"); got != want {
				t.Fatalf("Versions lists %q first, want %q as Get returns", got, want)
			}
		}
		if got := text(t, c, "a"); got != "created" {
			t.Errorf("Get = %q, want %q", got, "created")
		}
	})
}

// A recreated secret is seen within one TTL by every name that the deleted one
// had, even if somebody reads the new one by its ARN first.
func TestEveryNameFollowsARecreatedSecret(t *testing.T) {
	const partial = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a"
	for _, names := range [][]string{{"a", partial}, {partial, "a"}} {
		synctest.Test(t, func(t *testing.T) {
			s := newService()
			s.add("a", "aaaaaa", "deleted")
			s.addAlias(partial, "a")
			c := newClient(t, s, nil)
			for _, name := range names {
				text(t, c, name)
			}
			s.add("a", "bbbbbb", "created")
			s.addAlias(partial, "a")
			text(t, c, partial+"-bbbbbb")
			for range 60 {
				time.Sleep(10 * time.Second)
				for _, name := range names {
					c.Get(ctx, name)
				}
			}
			for _, name := range names {
				if got := text(t, c, name); got != "created" {
					t.Errorf("names first read as %q: Get(%q) = %q, want %q", names, name, got, "created")
				}
			}
		})
	}
}

// A reader that waits for the refresh of an expired secret gets the secret that
// its id has come to name.
func TestWaitingReaderGetsTheRecreatedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lateService{service: newService()}
		s.add("a", "aaaaaa", "deleted")
		s.addAlias("b", "a")
		c := newClient(t, s, &secrets.Options{StaleWait: time.Second})
		text(t, c, "b")
		text(t, c, "a")
		s.add("a", "bbbbbb", "created")
		text(t, c, s.secrets["a"].arn)
		time.Sleep(6 * time.Minute)
		s.describeLate.Store(int64(100 * time.Millisecond))
		if got := text(t, c, "a"); got != "created" {
			t.Errorf("Get of an expired secret = %q, want %q", got, "created")
		}
	})
}

// slowText is a text whose Validate takes 2 seconds if the text says so.
type slowText string

func (s slowText) Validate() error {
	if s == "slow" {
		time.Sleep(2 * time.Second)
	}
	return nil
}

// A handle that decodes the deleted secret while the recreated one is adopted
// must not keep the old value, and returns ErrClosed after Close.
func TestSlowDecodeDoesNotKeepADeletedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.add("a", "aaaaaa", "deleted")
		c := newClient(t, s, nil)
		if _, err := secrets.Bind[slowText](c, "a").Get(ctx); err != nil {
			t.Fatal(err)
		}
		ref := secrets.BindFunc(c, "a", func(s *secrets.Secret) (string, error) {
			time.Sleep(3 * time.Second)
			return s.Text()
		})
		var wg sync.WaitGroup
		wg.Go(func() { ref.Get(ctx) })
		time.Sleep(2 * time.Second)
		s.add("a", "bbbbbb", "slow")
		refresh(t, c, "a")
		wg.Wait()
		time.Sleep(time.Hour)
		if got, err := ref.Get(ctx); got != "slow" || err != nil {
			t.Errorf("Get = %q, %v, want the recreated secret's %q", got, err, "slow")
		}
		c.Close()
		if got, err := ref.Get(ctx); !errors.Is(err, secrets.ErrClosed) {
			t.Errorf("Get after Close = %q, %v, want ErrClosed", got, err)
		}
	})
}

// answer is an API that has one secret and says of it what it is told to.
type answer struct {
	mu             sync.Mutex // guards the fields below
	arn, id, value string
}

func (a *answer) set(arn, id, value string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arn, a.id, a.value = arn, id, value
}

func (a *answer) get(context.Context, *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	arn, id, value, name := a.arn, a.id, a.value, "a"
	out := &secretsmanager.GetSecretValueOutput{Name: &name, SecretString: &value, VersionStages: []string{secrets.Current}}
	if arn != "" {
		out.ARN = &arn
	}
	if id != "" {
		out.VersionId = &id
	}
	return out, nil
}

// Watch yields each new value, although the endpoint gives no version id or a
// recreated secret has the id of the deleted one.
func TestWatchYieldsValuesThatNoIDTellsApart(t *testing.T) {
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-"
	tests := map[string][3]string{
		"no version ids":    {"", "", ""},
		"same id recreated": {"v1", arn + "aaaaaa", arn + "bbbbbb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answer{}
				a.set(tt[1], tt[0], "one")
				c := newClient(t, apiFunc(a.get), nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				var got []string
				for v, err := range secrets.Bind[string](c, "a").Watch(ctx) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, v)
					a.set(tt[2], tt[0], "two")
				}
				if len(got) != 2 || got[len(got)-1] != "two" {
					t.Errorf("Watch yielded %q, want %q", got, []string{"one", "two"})
				}
			})
		})
	}
}

// A recreated secret has its own ARN, although its version id and value are
// those of the deleted one.
func TestARNFollowsARecreatedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-"
		a := &answer{}
		a.set(arn+"aaaaaa", "v1", "same")
		c := newClient(t, apiFunc(a.get), nil)
		text(t, c, "a")
		a.set(arn+"bbbbbb", "v1", "same")
		refresh(t, c, "a")
		s, err := c.Get(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.ARN(), arn+"bbbbbb"; got != want {
			t.Errorf("ARN = %q, want %q", got, want)
		}
	})
}

// A description shows that a secret was recreated by its ARN, although the
// version id is the deleted one's: the value is read anew.
func TestDescriptionOfARecreatedSecretConfirmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.add("a", "aaaaaa", "deleted")
		s.put("a", "v1", "deleted")
		s.move("a", "AWSCURRENT", "v1")
		c := newClient(t, s, nil)
		checkText(t, c, "at first", "a", "deleted")
		s.add("a", "bbbbbb", "created")
		s.put("a", "v1", "created")
		s.move("a", "AWSCURRENT", "v1")
		refresh(t, c, "a")
		checkText(t, c, "after the refresh", "a", "created")
	})
}

// An answer about a version of the deleted secret that comes late must not
// replace what is known of the recreated one.
func TestLateVersionDoesNotBringBackADeletedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lateService{service: newService()}
		s.add("a", "aaaaaa", "deleted")
		c := newClient(t, s, nil)
		text(t, c, "a")
		asked := secrets.VersionID("v1-aaaaaa")
		s.getLate.Store(int64(time.Second))
		var wg sync.WaitGroup
		wg.Go(func() { c.GetVersion(ctx, "a", asked) })
		synctest.Wait()
		s.add("a", "bbbbbb", "created")
		refresh(t, c, "a")
		wg.Wait()
		for range 8 {
			if got := text(t, c, "a"); got != "created" {
				t.Errorf("Get = %q, want %q", got, "created")
			}
			if v, err := c.GetVersion(ctx, "a", asked); errorCode(err) != "ResourceNotFoundException" {
				t.Errorf("GetVersion = %v, %v, want ResourceNotFoundException", v, err)
			}
			time.Sleep(30 * time.Second)
		}
	})
}
