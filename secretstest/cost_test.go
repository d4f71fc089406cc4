package secretstest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// TestManyPutsToOneSecret limits the cost of the last puts to twice that of the
// first: the cost of a change must not grow with the number of versions. Of
// several rounds the fastest counts, because the machine may be busy.
func TestManyPutsToOneSecret(t *testing.T) {
	srv := secretstest.New(t, nil)
	puts := func(n int) time.Duration {
		start := time.Now()
		for range n {
			srv.Put("s", "a value of some length")
		}
		return time.Since(start)
	}
	fastest := func() time.Duration {
		best := puts(100)
		for range 9 {
			best = min(best, puts(100))
		}
		return best
	}
	puts(100)
	first := fastest()
	puts(8000)
	last := fastest()
	t.Logf("100 puts: %v at first, %v after 9,000", first, last)
	if last > 2*first {
		t.Errorf("100 puts to a secret of 9,000 versions: got %v, want about %v", last, first)
	}
}

// TestFilterDoesNotBlock makes another call while a filter goes through 100,000
// secrets. That call must wait for only a part of the filter's time. Of several
// rounds the best counts, because the machine may be busy.
func TestFilterDoesNotBlock(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	srv := filled(t, 100_000)
	var longest, whole time.Duration
	for range 10 {
		if longest, whole = blocked(t, srv); longest < whole/4 {
			break
		}
	}
	t.Logf("longest wait: %v of %v", longest, whole)
	if longest >= whole/4 {
		t.Errorf("a filter over 100,000 secrets that took %v blocked for %v", whole, longest)
	}
}

// blocked returns the longest that a list kept the server from somebody else,
// and how long it took.
func blocked(t *testing.T, srv *secretstest.Server) (longest, whole time.Duration) {
	t.Helper()
	done := make(chan struct{})
	begin := time.Now()
	go func() {
		defer close(done)
		in := &secretsmanager.ListSecretsInput{Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{"none"}}}}
		if _, err := srv.Client().ListSecrets(t.Context(), in); err != nil {
			t.Error(err)
		}
	}()
	for {
		start := time.Now()
		srv.Region("x").Up()
		longest = max(longest, time.Since(start))
		select {
		case <-done:
			return longest, time.Since(begin)
		default:
		}
	}
}

func TestMemoryOfSecrets(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory, of one goroutine")
	}
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	srv := secretstest.New(t, nil)
	for i := range 100_000 {
		srv.Put(fmt.Sprintf("app-%06d", i), strings.Repeat("x", 58)+fmt.Sprintf("%06d", i))
	}
	got := used() - before
	t.Logf("100,000 secrets of 64 bytes: %d MB", got>>20)
	if got > 100_000_000 {
		t.Errorf("100,000 secrets of 64 bytes take %d bytes, want less than 100 MB", got)
	}
	runtime.KeepAlive(srv)
}
