package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

// A witness is a service that notes when it last said that a version is current.
type witness struct {
	*scripted

	mu   sync.Mutex // guards said
	said map[string]time.Time
}

func newWitness(svc *scripted) *witness {
	return &witness{scripted: svc, said: map[string]time.Time{}}
}

func (w *witness) note(arn, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said[arn+" "+id] = time.Now()
}

// age returns for how long the service has not said that s is current.
func (w *witness) age(s *secrets.Secret) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.said[s.ARN()+" "+s.VersionID()])
}

func (w *witness) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := w.scripted.GetSecretValue(ctx, in, o...)
	if err == nil && aws.ToString(in.VersionStage) == secrets.Current {
		w.note(aws.ToString(out.ARN), aws.ToString(out.VersionId))
	}
	return out, err
}

func (w *witness) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := w.scripted.DescribeSecret(ctx, in, o...)
	if err == nil {
		for id, stages := range out.VersionIdsToStages {
			for _, stage := range stages {
				if stage == secrets.Current {
					w.note(aws.ToString(out.ARN), id)
				}
			}
		}
	}
	return out, err
}

const freshTTL = time.Minute

// inEachBound runs fn in each refresh mode, with MaxStale and without; bound is
// how old a value may be.
func inEachBound(t *testing.T, fn func(t *testing.T, o *secrets.Options, bound time.Duration)) {
	for _, maxStale := range []time.Duration{-1, 3 * time.Minute} {
		t.Run(fmt.Sprint("MaxStale ", maxStale), func(t *testing.T) {
			inEachMode(t, func(t *testing.T, mode secrets.RefreshMode) {
				o := &secrets.Options{TTL: freshTTL, MaxStale: maxStale, Refresh: mode, StaleWait: -1}
				fn(t, o, max(freshTTL, maxStale))
			})
		})
	}
}

// readFresh reads for d by every id, and fails if a read is served a value that the
// service has not confirmed for as long as bound, or one that may refuses.
func readFresh(t *testing.T, w *witness, c *secrets.Client, d, bound time.Duration, may func(id string, s *secrets.Secret) bool, ids ...string) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		synctest.Wait() // timers come before reads of the same moment
		for _, id := range ids {
			s, err := c.Get(t.Context(), id)
			if err != nil {
				continue
			}
			if age := w.age(s); age >= bound {
				t.Fatalf("Get(%q) = %v, which the service confirmed %v before", id, s, age)
			}
			if may != nil && !may(id, s) {
				t.Fatalf("Get(%q) = %v, %v before the end of %v", id, s, time.Until(end), d)
			}
		}
	}
}

// After a rollback the version that went is served for no longer than its time,
// and for no longer than a TTL and a second check where the service answers.
func TestFreshnessAfterRollback(t *testing.T) {
	for _, phase := range []time.Duration{0, 13 * time.Second, 31 * time.Second, 47 * time.Second, 55 * time.Second} {
		t.Run(fmt.Sprint(phase), func(t *testing.T) {
			inEachBound(t, func(t *testing.T, o *secrets.Options, bound time.Duration) {
				svc, _ := rotatedService(t)
				w := newWitness(svc)
				c := newClient(t, w, o)
				readFresh(t, w, c, 2*time.Minute+phase, bound, nil, "key")
				svc.move("key", secrets.Current, "v1")
				svc.move("key", secrets.Previous, "v2")
				readFresh(t, w, c, freshTTL+5*time.Second, bound, nil, "key")
				gone := func(_ string, s *secrets.Secret) bool { return s.VersionID() == "v1" }
				readFresh(t, w, c, 5*time.Minute, bound, gone, "key")
			})
		})
	}
}

// A rollback that is seen as an outage begins extends nothing.
func TestFreshnessAfterRollbackIntoOutage(t *testing.T) {
	inEachBound(t, func(t *testing.T, o *secrets.Options, bound time.Duration) {
		svc, _ := rotatedService(t)
		w := newWitness(svc)
		c := newClient(t, w, o)
		readFresh(t, w, c, 90*time.Second, bound, nil, "key")
		svc.move("key", secrets.Current, "v1")
		c.Refresh(ctx, "key")
		svc.fail(coded("InternalServiceError"))
		readFresh(t, w, c, 2*bound, bound, nil, "key")
		if s, err := c.Get(ctx, "key"); err == nil {
			t.Errorf("Get = %v after all that time", s)
		}
	})
}

// While a new version is being validated, for longer than a TTL, no read is served
// one that was not confirmed within the bound: neither the old one nor the new.
func TestFreshnessBehindSlowValidate(t *testing.T) {
	for _, takes := range []string{"20s", "59.9s", "61s", "4m"} {
		for _, readers := range [][]string{{"Get", "Ref.Get", "Versions"}, {"Get"}, {"Ref.Get"}, {"Versions"}} {
			t.Run(fmt.Sprint(takes, readers), func(t *testing.T) {
				inEachBound(t, func(t *testing.T, o *secrets.Options, bound time.Duration) {
					testBehindValidate(t, o, bound, takes, readers)
				})
			})
		}
	}
}

func testBehindValidate(t *testing.T, o *secrets.Options, bound time.Duration, takes string, readers []string) {
	svc := &scripted{service: newService("key")}
	svc.put("key", "v1", `{"Text":"v1","Takes":"0s"}`)
	w := newWitness(svc)
	c := newClient(t, w, o)
	ref := secrets.Bind[gated](c, "key")
	if _, err := ref.Get(ctx); err != nil {
		t.Fatal(err)
	}
	reads := map[string]func(context.Context) (*secrets.Secret, error){
		"Get": func(ctx context.Context) (*secrets.Secret, error) { return c.Get(ctx, "key") },
		"Ref.Get": func(ctx context.Context) (*secrets.Secret, error) {
			v, err := ref.Get(ctx)
			if err != nil {
				return nil, err
			}
			return c.GetVersion(ctx, "key", secrets.VersionID(v.Text))
		},
		"Versions": func(ctx context.Context) (*secrets.Secret, error) {
			all, err := c.Versions(ctx, "key")
			return append(all, nil)[0], err
		},
	}
	end := time.Now().Add(10 * time.Minute)
	var wg sync.WaitGroup
	for _, name := range readers {
		for _, patience := range []time.Duration{100 * time.Millisecond, time.Hour} {
			wg.Go(func() { readUntil(t, w, end, patience, bound, name, reads[name]) })
		}
	}
	time.Sleep(70 * time.Second)
	svc.put("key", "v2", `{"Text":"v2","Takes":"`+takes+`"}`)
	wg.Wait()
	if v, err := ref.Get(ctx); err != nil || v.Text != "v2" {
		t.Errorf("in the end: Ref.Get = %v, %v; want v2", v, err)
	}
}

// The first Versions finds a new version by itself, and asks again once that was
// validated for longer than it may be served.
func TestFreshnessOfFirstVersions(t *testing.T) {
	inEachBound(t, func(t *testing.T, o *secrets.Options, bound time.Duration) {
		svc := &scripted{service: newService("key")}
		svc.put("key", "v1", `{"Text":"v1","Takes":"0s"}`)
		w := newWitness(svc)
		c := newClient(t, w, o)
		if _, err := secrets.Get[gated](ctx, c, "key"); err != nil {
			t.Fatal(err)
		}
		svc.put("key", "v2", `{"Text":"v2","Takes":"4m"}`)
		all, err := c.Versions(ctx, "key")
		if err != nil || all[0].VersionID() != "v2" {
			t.Fatalf("Versions = %v, %v; want v2 first", all, err)
		}
		if age := w.age(all[0]); age > bound {
			t.Errorf("Versions begins with %v, which the service confirmed %v before", all[0], age)
		}
	})
}

// readUntil reads until end, each time for as long as patience, and fails if it is
// served what the service has not confirmed for as long as bound. A handle may take
// its time to decode what it was served.
func readUntil(t *testing.T, w *witness, end time.Time, patience, bound time.Duration, name string, read func(context.Context) (*secrets.Secret, error)) {
	for ; time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		waiting, cancel := context.WithTimeout(ctx, patience)
		begun, limit := time.Now(), bound
		s, err := read(waiting)
		cancel()
		if name == "Ref.Get" {
			limit += time.Since(begun)
		}
		if err == nil && w.age(s) > limit { // timers of the same moment may come after the read
			t.Errorf("%s = %v, which the service confirmed %v before", name, s, w.age(s))
			return
		}
	}
}

// A secret that lost one of its names is asked for by another, in time: readers
// by that one get a new version within a TTL and the time of one request.
func TestFreshnessAfterLostName(t *testing.T) {
	for _, lost := range []string{"key", partialKey, oldKey} {
		t.Run(lost, func(t *testing.T) {
			inEachBound(t, func(t *testing.T, o *secrets.Options, bound time.Duration) { testLostName(t, o, bound, lost) })
		})
	}
}

func testLostName(t *testing.T, o *secrets.Options, bound time.Duration, lost string) {
	svc, _ := recreatedService()
	w := newWitness(svc)
	c := newClient(t, w, o)
	all := []string{"key", partialKey, oldKey, lost} // the last one worked last
	readFresh(t, w, c, 90*time.Second, bound, nil, all...)
	deny := func(id string) error {
		if id == lost {
			return coded("AccessDeniedException")
		}
		return nil
	}
	svc.on(func(id, _ string) error { return deny(id) }, deny)
	svc.put("key", "v2", "new")
	readFresh(t, w, c, freshTTL+time.Second, bound, nil, all...)
	isNew := func(_ string, s *secrets.Secret) bool { return string(s.Bytes()) == "new" }
	readFresh(t, w, c, 3*time.Minute, bound, isNew, all...)
	for _, id := range all[:3] {
		if id != lost {
			checkText(t, c, "by a name that is left", id, "new")
		}
	}
}

// The old ARN of a secret that was recreated is served for no longer than its
// time, and the names that moved not at all once one of them was read.
func TestFreshnessOfRecreatedSecret(t *testing.T) {
	inEachBound(t, func(t *testing.T, o *secrets.Options, bound time.Duration) {
		svc, recreate := recreatedService()
		w := newWitness(svc)
		c := newClient(t, w, o)
		readFresh(t, w, c, 100*time.Second, bound, nil, oldKey, "key", partialKey)
		recreate()
		readFresh(t, w, c, freshTTL+time.Second, bound, nil, oldKey, partialKey, "key")
		isNew := func(_ string, s *secrets.Secret) bool { return s.ARN() == newKey }
		readFresh(t, w, c, 5*time.Minute, bound, isNew, oldKey, "key", partialKey)
	})
}

// An outage ends the service of a value to the moment, however often it was
// confirmed, doubted or asked for before.
func TestFreshnessInOutage(t *testing.T) {
	inEachBound(t, func(t *testing.T, o *secrets.Options, bound time.Duration) {
		svc, lagging := rotatedService(t)
		w := newWitness(svc)
		c := newClient(t, w, o)
		readFresh(t, w, c, 100*time.Second, bound, nil, "key")
		svc.next(script{replica: lagging, times: 2})
		c.Refresh(ctx, "key")
		svc.fail(errors.New("connection reset"))
		for range 8 {
			readFresh(t, w, c, bound/4, bound, nil, "key")
			c.Refresh(ctx, "key")
		}
	})
}
