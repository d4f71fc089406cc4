package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/seed-74dc7b3e/secrets"
)

var ctx = context.Background()

// name is a variable, as ids are: that of a constant would be looked up faster.
var name = "prod/orders/database"

func newClient(s *service, size int) *secrets.Client {
	if s.value == "" {
		s.value = login
	}
	c, err := secrets.New(s, &secrets.Options{Size: size})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// A bench is one thing that is timed.
type bench struct {
	name   string
	run    func(*testing.B)
	ns     float64
	allocs int64
}

// measure times all of them in turns, so that what else the machine does
// falls on all alike, and keeps each one's best.
func measure(rounds int, benches ...*bench) {
	for range rounds {
		for _, b := range benches {
			r := testing.Benchmark(b.run)
			if ns := float64(r.T.Nanoseconds()) / float64(r.N); b.ns == 0 || ns < b.ns {
				b.ns = ns
			}
			b.allocs = max(b.allocs, r.AllocsPerOp())
		}
	}
}

func hits(t *table, rounds int) {
	c := newClient(&service{}, 1024)
	defer c.Close()
	byValue, byPointer := secrets.Bind[Login](c, name), secrets.Bind[*Login](c, name)
	s, err := c.Get(ctx, name)
	if err != nil {
		log.Fatal(err)
	}
	arn := s.ARN()
	c.Get(ctx, arn)
	secrets.Get[Login](ctx, c, name)
	byValue.Get(ctx)
	byPointer.Get(ctx)
	var m sync.Map
	m.Store(name, s)
	m.Store(arn, s)
	l, _ := lru.New[string, *secrets.Secret](1024)
	l.Add(name, s)

	// Written out rather than passed as functions: a call through a pointer
	// costs as much as some of them.
	plain := &bench{run: func(b *testing.B) {
		var v any
		for b.Loop() {
			v, _ = m.Load(name)
		}
		runtime.KeepAlive(v)
	}}
	plainARN := &bench{run: func(b *testing.B) {
		var v any
		for b.Loop() {
			v, _ = m.Load(arn)
		}
		runtime.KeepAlive(v)
	}}
	other := &bench{run: func(b *testing.B) {
		var v *secrets.Secret
		for b.Loop() {
			v, _ = l.Get(name)
		}
		runtime.KeepAlive(v)
	}}
	decode := &bench{run: func(b *testing.B) {
		var v Login
		for b.Loop() {
			json.Unmarshal([]byte(login), &v)
		}
		runtime.KeepAlive(v)
	}}
	get := &bench{name: "Client.Get by name", run: func(b *testing.B) {
		var v *secrets.Secret
		for b.Loop() {
			v, _ = c.Get(ctx, name)
		}
		runtime.KeepAlive(v)
	}}
	getARN := &bench{name: "Client.Get by ARN", run: func(b *testing.B) {
		var v *secrets.Secret
		for b.Loop() {
			v, _ = c.Get(ctx, arn)
		}
		runtime.KeepAlive(v)
	}}
	typed := &bench{name: "Get[T] by name, a struct", run: func(b *testing.B) {
		var v Login
		for b.Loop() {
			v, _ = secrets.Get[Login](ctx, c, name)
		}
		runtime.KeepAlive(v)
	}}
	value := &bench{name: "Ref.Get, a struct", run: func(b *testing.B) {
		var v Login
		for b.Loop() {
			v, _ = byValue.Get(ctx)
		}
		runtime.KeepAlive(v)
	}}
	pointer := &bench{name: "Ref.Get, a pointer", run: func(b *testing.B) {
		var v *Login
		for b.Loop() {
			v, _ = byPointer.Get(ctx)
		}
		runtime.KeepAlive(v)
	}}
	measure(rounds, plain, get, plainARN, getARN, other, typed, value, pointer, decode)

	t.head("Hits, counted for Stats, on one core")
	scale := other.ns / 18
	t.scale = scale
	ns := func(limit float64) (float64, string) {
		return limit * scale, fmt.Sprintf("%.3g ns x %.2f", limit, scale)
	}
	t.row(get.name, get.ns, "ns", fmt.Sprintf("sync.Map.Load %.1f ns", plain.ns), get.ns/plain.ns, 1.4*plain.ns, "1.4x")
	l25, text := ns(25)
	t.row(get.name, get.ns, "ns", fmt.Sprintf("golang-lru Get %.1f ns", other.ns), get.ns/other.ns, l25, text)
	t.row(getARN.name, getARN.ns, "ns", fmt.Sprintf("sync.Map.Load %.1f ns", plainARN.ns), getARN.ns/plainARN.ns, 1.4*plainARN.ns, "1.4x")
	t.row(getARN.name, getARN.ns, "ns", fmt.Sprintf("golang-lru Get %.1f ns", other.ns), getARN.ns/other.ns, l25, text)
	for _, x := range []struct {
		b     *bench
		limit float64
	}{{typed, 45}, {value, 16}, {pointer, 5}} {
		limit, text := ns(x.limit)
		t.row(x.b.name, x.b.ns, "ns", fmt.Sprintf("JSON decode %.0f ns", decode.ns), x.b.ns/decode.ns, limit, text)
	}
	for _, b := range []*bench{get, getARN, typed, value, pointer} {
		t.row(b.name, float64(b.allocs), "allocs", "", 0, 0, "0")
	}
	fmt.Println()
}

// cores measures how much more two cores read than one.
func cores(t *table, second float64) {
	t.head("Two cores, counters on (median of five runs)")
	if runtime.NumCPU() < 2 {
		fmt.Println("  left out: this machine has one core")
		return
	}
	var machine []float64 // what two cores do here that share nothing
	for range 5 {
		machine = append(machine, arithmetic(2, second)/arithmetic(1, second))
	}
	for _, n := range []int{1, 1000} {
		c := newClient(&service{}, 1024)
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("team-%d/service", i)
			c.Get(ctx, names[i])
		}
		var ratios, one, two []float64
		for range 5 {
			a, b := throughput(c, names, 1, second), throughput(c, names, 2, second)
			one, two, ratios = append(one, a), append(two, b), append(ratios, b/a)
		}
		what := fmt.Sprintf("Client.Get, hits of %d secrets", n)
		t.print(what, median(two)/1e6, "M/s", fmt.Sprintf("one core %.1f M/s; arithmetic %.2fx", median(one)/1e6, median(machine)), median(ratios), "1.8x at least", median(ratios) >= 1.8)
		c.Close()
	}
	fmt.Println()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// throughput returns the hits a second of as many goroutines as cores.
func throughput(c *secrets.Client, names []string, cores int, second float64) float64 {
	return parallel(cores, second, func(i int, more func() bool) (n int) {
		for at := i * len(names) / 2; more(); {
			for range 10_000 {
				c.Get(ctx, names[at])
				if at++; at >= len(names) {
					at = 0
				}
			}
			n += 10_000
		}
		return n
	})
}

// arithmetic is throughput without anything that goroutines could share.
func arithmetic(cores int, second float64) float64 {
	return parallel(cores, second, func(_ int, more func() bool) (n int) {
		for x := uint64(1); more(); {
			for range 10_000 {
				x = x*6364136223846793005 + 1442695040888963407
			}
			n += 10_000 + int(x&1)
		}
		return n
	})
}

// parallel runs work on each of some cores until more returns false, and
// returns the sum of what it returns, a second.
func parallel(cores int, second float64, work func(i int, more func() bool) int) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	var wg sync.WaitGroup
	var total atomic.Int64
	begin := time.Now()
	end := begin.Add(time.Duration(second * float64(time.Second)))
	for i := range cores {
		wg.Go(func() {
			total.Add(int64(work(i, func() bool { return time.Now().Before(end) })))
		})
	}
	wg.Wait()
	return float64(total.Load()) / time.Since(begin).Seconds()
}
