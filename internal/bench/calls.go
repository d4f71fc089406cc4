package main

import (
	"fmt"
	"log"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// calls counts what the service is asked.
func calls(t *table) {
	t.head("Calls")
	s := &service{latency: 5 * time.Millisecond}
	c := newClient(s, 2048)
	defer c.Close()
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { c.Get(ctx, name) })
	}
	wg.Wait()
	t.row("1,000 concurrent cold readers of one secret", float64(c.Stats().Calls()), "calls", "", 0, 1, "1")
	before := c.Stats()
	c.Get(ctx, "another")
	t.row("cold read", float64(c.Stats().Sub(before).Calls()), "calls", "", 0, 1, "1")
	before = c.Stats()
	if err := c.Refresh(ctx, name); err != nil {
		log.Fatal(err)
	}
	d := c.Stats().Sub(before)
	t.row("refresh of an unchanged secret", float64(d.Calls()), "calls", "", 0, 1, "1")
	t.row("refresh of an unchanged secret, decryptions", float64(d.GetSecretValue), "calls", "", 0, 0, "0")
	before = c.Stats()
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("team-%d/service", i))
	}
	if err := c.Prefetch(ctx, names...); err != nil {
		log.Fatal(err)
	}
	t.row("1,000 secrets prefetched", float64(c.Stats().Sub(before).Calls()), "calls", "one by one 1000", 0, 50, "50")
	fmt.Println()
}

// waiting measures how long hits take while every refresh takes 200 ms. The
// TTL is so short that refreshes never cease.
func waiting(t *table, second float64) {
	t.head("Hits of a hot secret while every refresh takes 200 ms")
	s := &service{value: login}
	c, err := secrets.New(s, &secrets.Options{TTL: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	c.Get(ctx, name)
	s.latency = 200 * time.Millisecond
	before := c.Stats()
	took := make([]time.Duration, 0, 1<<20)
	for end := time.Now().Add(time.Duration(5 * second * float64(time.Second))); time.Now().Before(end); {
		begin := time.Now()
		c.Get(ctx, name)
		took = append(took, time.Since(begin))
		time.Sleep(10 * time.Microsecond)
	}
	d := c.Stats().Sub(before)
	slices.Sort(took)
	p999 := took[len(took)*999/1000]
	t.row("p99.9", float64(p999.Nanoseconds())/1e3, "us", fmt.Sprintf("%d reads, %d refreshes", len(took), d.Refreshes), 0, 1000, "1000 us")
	t.row("reads that waited", float64(d.Misses), "reads", "", 0, 0, "0")
	fmt.Println()
}

// memory measures the heap of 10,000 secrets beside their values.
func memory(t *table) {
	t.head("Memory of a cached secret, of 10,000, beside its value")
	const n = 10_000
	for _, typed := range []bool{false, true} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("prod/team-%d/service-%d", i%100, i)
		}
		before := heap()
		c := newClient(&service{}, n)
		for _, name := range names {
			if typed {
				secrets.Get[Login](ctx, c, name)
			} else {
				c.Get(ctx, name)
			}
		}
		// The value itself, in the size class that the runtime keeps it in.
		each := float64(heap()-before)/n - 144
		what, limit := "read untyped", 800.0
		if typed {
			what, limit = "read as one type", 950
		}
		t.row(what, each, "bytes", "the value 144 bytes", 0, limit, fmt.Sprintf("%.0f bytes", limit))
		c.Close()
		runtime.KeepAlive(names)
	}
	fmt.Println()
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// inserts shows that what an insert costs does not grow with how many there are.
func inserts(t *table) {
	t.head("Inserts")
	each := func(n int) float64 {
		c := newClient(&service{}, n)
		defer c.Close()
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("prod/team-%d/service-%d", i%100, i)
		}
		begin := time.Now()
		for _, name := range names {
			c.Get(ctx, name)
		}
		return float64(time.Since(begin).Nanoseconds()) / float64(n) / 1e3
	}
	each(1000)
	small, large := min(each(1000), each(1000)), min(each(10_000), each(10_000))
	t.print("each of 10,000", large, "us", fmt.Sprintf("each of 1,000 %.2f us", small), large/small, "3x", large < 3*small)
	fmt.Println()
}
