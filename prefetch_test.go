package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

var (
	gets      = secretstest.Call{Op: "GetSecretValue"}
	batches   = secretstest.Call{Op: "BatchGetSecretValue"}
	describes = secretstest.Call{Op: "DescribeSecret"}
)

// checkCalls compares how often each operation was called since the last time.
func checkCalls(t *testing.T, srv *secretstest.Server, when string, get, batch, describe int) {
	t.Helper()
	got := [3]int{srv.Count(gets), srv.Count(batches), srv.Count(describes)}
	if want := [3]int{get, batch, describe}; got != want || srv.Count() != get+batch+describe {
		t.Errorf("%s: GetSecretValue, BatchGetSecretValue, DescribeSecret were called %v times, want %v", when, got, want)
	}
	srv.ResetCalls()
}

// many returns n secrets and their names.
func many(n int) (secretstest.Secrets, []string) {
	all, ids := secretstest.Secrets{}, make([]string, n)
	for i := range n {
		ids[i] = fmt.Sprintf("secret/%04d", i)
		all[ids[i]] = "value of " + ids[i]
	}
	return all, ids
}

func TestPrefetchCostsOneCallForTwenty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(1000)
		srv := secretstest.New(t, all)
		c := open(t, srv.Client(), nil)
		if err := c.Prefetch(t.Context(), ids...); err != nil {
			t.Fatal(err)
		}
		checkCalls(t, srv, "prefetching 1,000 secrets", 0, 50, 0)
		for _, id := range ids {
			checkRead(t, c, id, all[id])
			checkRead(t, c, srv.ARN(id), all[id])
		}
		if err := c.Prefetch(t.Context(), ids...); err != nil {
			t.Error(err)
		}
		checkCalls(t, srv, "reading them, and prefetching them again", 0, 0, 0)
		if st := c.Stats(); st.Secrets != 1000 || st.BatchGetSecretValue != 50 || st.Misses != 0 {
			t.Errorf("Stats = %+v", st)
		}
		// What was cached, by whatever name, is not asked for again.
		srv.Put("one/more", "v")
		some := append([]string{"one/more", srv.ARN(ids[1])}, ids[:30]...)
		if err := c.Prefetch(t.Context(), some...); err != nil {
			t.Error(err)
		}
		checkCalls(t, srv, "prefetching one that is new", 1, 0, 0)
	})
}

func TestPrefetchTooMany(t *testing.T) {
	all, ids := many(41)
	srv := secretstest.New(t, all)
	c := open(t, srv.Client(), &secrets.Options{Size: 40})
	err := c.Prefetch(t.Context(), ids...)
	if err == nil || !strings.Contains(err.Error(), "Options.Size") || !strings.Contains(err.Error(), "41") || !strings.Contains(err.Error(), "40") {
		t.Errorf("Prefetch of 41 = %v, want an error that names Options.Size, 41 and 40", err)
	}
	checkCalls(t, srv, "prefetching too many", 0, 0, 0)
	if err := c.Prefetch(t.Context(), append(ids[:40], ids[:40]...)...); err != nil { // 40 different ones
		t.Errorf("Prefetch of 40 twice = %v", err)
	}
	checkCalls(t, srv, "prefetching 40", 0, 2, 0)
	if got := c.Stats(); got.Secrets != 40 || got.Evictions != 0 {
		t.Errorf("Stats = %+v, want 40 secrets, none evicted", got)
	}
	if err := c.Prefetch(t.Context()); err != nil {
		t.Errorf("Prefetch of nothing = %v", err)
	}
}

func TestPrefetchErrorNamesWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(25)
		srv := secretstest.New(t, all)
		srv.Fail(secretstest.DenyKMS(ids[3]))
		srv.ScheduleDeletion(ids[4])
		c := open(t, srv.Client(), nil)
		// A failure that is remembered does not keep Prefetch from asking.
		if _, err := c.Get(t.Context(), "late"); err == nil {
			t.Fatal("Get of a missing secret succeeded")
		}
		srv.Put("late", "v")
		err := c.Prefetch(t.Context(), slices.Concat(ids, []string{"missing", "late", srv.ARN(ids[0]) + "x"})...)
		var pe *secrets.PrefetchError
		if !errors.As(err, &pe) {
			t.Fatalf("Prefetch = %v, want a *PrefetchError", err)
		}
		want := map[string]string{ids[3]: "AccessDeniedException", ids[4]: "InvalidRequestException", "missing": "ResourceNotFoundException", srv.ARN(ids[0]) + "x": "ResourceNotFoundException"}
		if len(pe.Errors) != len(want) {
			t.Errorf("%d errors, want %d: %v", len(pe.Errors), len(want), pe)
		}
		for id, code := range want {
			if err := pe.Errors[id]; err == nil || !strings.Contains(err.Error(), code) || !strings.Contains(pe.Error(), id) {
				t.Errorf("error of %s = %v, want %s, and the message to name the secret: %v", id, err, code, pe)
			}
		}
		if !as[*types.InvalidRequestException](err, "InvalidRequestException") || !as[*types.ResourceNotFoundException](err, "ResourceNotFoundException") {
			t.Errorf("errors.As does not reach the SDK's types through %v", err)
		}
		srv.ResetCalls()
		for _, id := range append(ids, "late") {
			if _, failed := want[id]; failed {
				if _, err := c.Get(t.Context(), id); err == nil {
					t.Errorf("Get of %s succeeded", id)
				}
				continue
			}
			if _, err := c.Get(t.Context(), id); err != nil {
				t.Errorf("Get of %s, which did not fail: %v", id, err)
			}
		}
		checkCalls(t, srv, "reading the rest and, by the memory of it, what failed", 0, 0, 0)
	})
}

// The message stays of a size to be read.
func TestPrefetchErrorIsShort(t *testing.T) {
	srv := secretstest.New(t, nil)
	_, ids := many(100)
	err := open(t, srv.Client(), nil).Prefetch(t.Context(), ids...)
	var pe *secrets.PrefetchError
	if !errors.As(err, &pe) || len(pe.Errors) != 100 {
		t.Fatalf("Prefetch = %v, want 100 errors", err)
	}
	if msg := err.Error(); len(msg) > 2000 || !strings.Contains(msg, "100 failed") || !strings.Contains(msg, "95 more") {
		t.Errorf("message of %d bytes: %s", len(msg), msg)
	}
}

func TestPrefetchWithoutBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(60)
		srv := secretstest.New(t, all)
		api := srv.ClientFor(secretstest.Identity{
			ARN:   "arn:aws:iam::123456789012:user/app",
			Allow: []string{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"},
		})
		var log journal
		c := open(t, api, &secrets.Options{Logger: log.logger(), TTL: 24 * time.Hour})
		if err := c.Prefetch(t.Context(), ids[:40]...); err != nil {
			t.Fatal(err)
		}
		// Two batches may have been under way at once; then it is known.
		if n := srv.Count(batches); n < 1 || n > 2 {
			t.Errorf("BatchGetSecretValue was called %d times, want 1 or 2", n)
		}
		if n := srv.Count(gets); n != 40 {
			t.Errorf("GetSecretValue was called %d times, want 40", n)
		}
		if strings.Count(log.String(), "BatchGetSecretValue unavailable") != 1 {
			t.Errorf("log does not say once that batches are denied:\n%s", log.String())
		}
		srv.ResetCalls()
		time.Sleep(59 * time.Minute)
		if err := c.Prefetch(t.Context(), ids[40:50]...); err != nil {
			t.Fatal(err)
		}
		if b, g := srv.Count(batches), srv.Count(gets); b != 0 || g != 10 {
			t.Errorf("within the hour: %d batches and %d single reads, want 0 and 10", b, g)
		}
		srv.ResetCalls()
		time.Sleep(2 * time.Minute)
		if err := c.Prefetch(t.Context(), ids[50:]...); err != nil {
			t.Fatal(err)
		}
		if b, g := srv.Count(batches), srv.Count(gets); b != 1 || g != 10 {
			t.Errorf("after an hour: %d batches and %d single reads, want 1 and 10", b, g)
		}
		if n := c.Stats().Denials; n != 0 {
			t.Errorf("Stats.Denials = %d: a denied batch is no denied secret", n)
		}
	})
}

// Single reads are under way 16 at a time at most, batches 4.
func TestPrefetchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(400)
		srv := secretstest.New(t, all)
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Latency: time.Second})
		for _, tt := range []struct {
			name string
			api  secrets.API
			want time.Duration
		}{
			{"batches", srv.Client(), 5 * time.Second},              // 20 calls, 4 at a time
			{"singles", getOnlyAPI{srv.Client()}, 25 * time.Second}, // 400 calls, 16 at a time
		} {
			start := time.Now()
			if err := open(t, tt.api, nil).Prefetch(t.Context(), ids...); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != tt.want {
				t.Errorf("%s took %v, want %v", tt.name, took, tt.want)
			}
		}
	})
}

// getOnlyAPI has nothing but GetSecretValue.
type getOnlyAPI struct{ secrets.API }

// A transient failure of a batch is one of each of its secrets, and of no other.
func TestPrefetchBatchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, ids := many(40)
		srv := secretstest.New(t, all)
		srv.Fail(secretstest.Fault{Op: "BatchGetSecretValue", Secret: ids[0], Times: secretstest.Always, Code: "InternalServiceError"})
		c := open(t, srv.Client(), nil)
		err := c.Prefetch(t.Context(), ids...)
		var pe *secrets.PrefetchError
		if !errors.As(err, &pe) || len(pe.Errors) != 20 || pe.Errors[ids[0]] == nil {
			t.Fatalf("Prefetch = %v, want the errors of 20", err)
		}
		for _, id := range ids[20:] {
			checkRead(t, c, id, all[id])
		}
		if n := srv.Count(gets); n != 0 {
			t.Errorf("%d single reads, want none", n)
		}
	})
}

// What the answer does not certainly name is fetched by itself, or is the
// error that the service says it is: an ARN without its suffix looks like
// another secret's whole one.
func TestPrefetchPartialARNs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"db": "plain", "db-abcdef": "hyphened", "other": "third"})
		partial := func(name string) string {
			return strings.TrimSuffix(srv.ARN(name), srv.ARN(name)[len(srv.ARN(name))-7:])
		}
		for _, ids := range [][]string{
			{partial("db"), "other"},
			{partial("db"), "db"},
			{"db-abcdef", "db", partial("other")},
			{srv.ARN("db-abcdef"), partial("db")},
			{partial("db"), srv.ARN("db"), "db", "db", partial("db")},
		} {
			c := open(t, srv.Client(), nil)
			if err := c.Prefetch(t.Context(), ids...); err != nil {
				t.Errorf("Prefetch(%q) = %v", ids, err)
			}
			checkCalls(t, srv, fmt.Sprintf("Prefetch(%q)", ids), 0, 1, 0)
			for _, id := range ids {
				want := map[string]string{"db": "plain", "db-abcdef": "hyphened", "other": "third"}[strings.Split(nameOf(srv, id), ":")[0]]
				checkRead(t, c, id, want)
			}
			if n := srv.Count(gets, batches); n != 0 {
				t.Errorf("after Prefetch(%q) reading cost %d calls", ids, n)
			}
		}

		// The service takes a partial ARN that ends in a hyphen and six
		// characters for a whole one, and finds nothing.
		c := open(t, srv.Client(), nil)
		id := partial("db-abcdef")
		if _, err := c.Get(t.Context(), id); err == nil {
			t.Fatalf("Get(%q) succeeded: the fake is not like the service", id)
		}
		err := open(t, srv.Client(), nil).Prefetch(t.Context(), "db-abcdef", id, "db")
		var pe *secrets.PrefetchError
		if !errors.As(err, &pe) || len(pe.Errors) != 1 || !as[*types.ResourceNotFoundException](pe.Errors[id], "ResourceNotFoundException") {
			t.Errorf("Prefetch of %q among others = %v, want a ResourceNotFoundException for it", id, err)
		}
	})
}

// nameOf returns the name of the secret that an id names.
func nameOf(srv *secretstest.Server, id string) string {
	for _, name := range []string{"db", "db-abcdef", "other"} {
		if id == name || id == srv.ARN(name) || id+srv.ARN(name)[len(srv.ARN(name))-7:] == srv.ARN(name) {
			return name
		}
	}
	return id
}

// Prefetch reads what comes in several pages, and what a batch says nothing of.
func TestPrefetchPagesAndSilence(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"a": "1", "b": "2", "c": "3"})
	c := open(t, paging{srv.Client()}, nil)
	if err := c.Prefetch(t.Context(), "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	checkCalls(t, srv, "three pages", 0, 3, 0)

	silent := open(t, silentBatches{srv.Client()}, nil)
	if err := silent.Prefetch(t.Context(), "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	checkCalls(t, srv, "a batch that says nothing", 3, 0, 0)
	for id, want := range map[string]string{"a": "1", "b": "2", "c": "3"} {
		checkRead(t, c, id, want)
		checkRead(t, silent, id, want)
	}
}

// paging answers a batch one secret a page.
type paging struct{ *secretsmanager.Client }

func (p paging) BatchGetSecretValue(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	page := 0
	if in.NextToken != nil {
		page, _ = strconv.Atoi(*in.NextToken)
	}
	out, err := p.Client.BatchGetSecretValue(ctx, &secretsmanager.BatchGetSecretValueInput{SecretIdList: in.SecretIdList[page : page+1]}, opts...)
	if next := strconv.Itoa(page + 1); err == nil && page+1 < len(in.SecretIdList) {
		out.NextToken = &next
	}
	return out, err
}

// silentBatches answers batches with nothing at all.
type silentBatches struct{ *secretsmanager.Client }

func (silentBatches) BatchGetSecretValue(context.Context, *secretsmanager.BatchGetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	return &secretsmanager.BatchGetSecretValueOutput{}, nil
}
