package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"runtime"
	"sync"
	"testing"

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

// reads are the ways to read a cached secret, and what they are compared with.
type reads struct {
	get, getARN, typed, value, pointer *bench
	plain, plainARN, lru, decode       *bench
}

func (r *reads) all() []*bench {
	return []*bench{r.plain, r.get, r.plainARN, r.getARN, r.lru, r.typed, r.value, r.pointer, r.decode}
}

// newReads reads c. The loops are written out rather than passed as functions: a
// call through a pointer costs as much as some of them.
func newReads(c *secrets.Client) *reads {
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
	return &reads{
		plain: &bench{name: "SyncMapLoad/name", run: func(b *testing.B) {
			var v any
			for b.Loop() {
				v, _ = m.Load(name)
			}
			runtime.KeepAlive(v)
		}},
		plainARN: &bench{name: "SyncMapLoad/arn", run: func(b *testing.B) {
			var v any
			for b.Loop() {
				v, _ = m.Load(arn)
			}
			runtime.KeepAlive(v)
		}},
		lru: &bench{name: "GolangLRUGet", run: func(b *testing.B) {
			var v *secrets.Secret
			for b.Loop() {
				v, _ = l.Get(name)
			}
			runtime.KeepAlive(v)
		}},
		decode: &bench{name: "JSONDecode", run: func(b *testing.B) {
			var v Login
			for b.Loop() {
				json.Unmarshal([]byte(login), &v)
			}
			runtime.KeepAlive(v)
		}},
		get: &bench{name: "ClientGet/name", run: func(b *testing.B) {
			var v *secrets.Secret
			for b.Loop() {
				v, _ = c.Get(ctx, name)
			}
			runtime.KeepAlive(v)
		}},
		getARN: &bench{name: "ClientGet/arn", run: func(b *testing.B) {
			var v *secrets.Secret
			for b.Loop() {
				v, _ = c.Get(ctx, arn)
			}
			runtime.KeepAlive(v)
		}},
		typed: &bench{name: "GetTyped/struct", run: func(b *testing.B) {
			var v Login
			for b.Loop() {
				v, _ = secrets.Get[Login](ctx, c, name)
			}
			runtime.KeepAlive(v)
		}},
		value: &bench{name: "RefGet/struct", run: func(b *testing.B) {
			var v Login
			for b.Loop() {
				v, _ = byValue.Get(ctx)
			}
			runtime.KeepAlive(v)
		}},
		pointer: &bench{name: "RefGet/pointer", run: func(b *testing.B) {
			var v *Login
			for b.Loop() {
				v, _ = byPointer.Get(ctx)
			}
			runtime.KeepAlive(v)
		}},
	}
}

// lruNS is what golang-lru's Get takes on the processor that limits in
// nanoseconds are those of.
const lruNS = 18

// limits bounds each read beside a map's and beside golang-lru's.
func (r *reads) limits() []limit {
	ns := func(b *bench, most float64) limit {
		return limit{b, r.lru, most / lruNS, fmt.Sprintf("%.3g ns of %d", most, lruNS)}
	}
	return []limit{
		{r.get, r.plain, 1.4, "1.4x"}, ns(r.get, 25),
		{r.getARN, r.plainARN, 1.4, "1.4x"}, ns(r.getARN, 25),
		ns(r.typed, 45), ns(r.value, 16), ns(r.pointer, 5),
	}
}

// hits measures reads of a cached secret, and returns what it measured.
func hits(t *table, rounds int) []*bench {
	c := newClient(&service{}, 1024)
	defer c.Close()
	r := newReads(c)
	measure(rounds, r.all()...)
	remeasure(rounds, r.limits(), r.all()...)
	t.scale = r.lru.ns() / lruNS

	t.head(fmt.Sprintf("Hits, counted for Stats, on one core (medians of %d interleaved rounds)", len(r.get.took)))
	for _, l := range r.limits() {
		t.print(l.of.name, l.of.ns(), "ns", fmt.Sprintf("%s %.1f ns", l.beside.name, l.beside.ns()), l.of.beside(l.beside), l.text, !l.passed())
	}
	fmt.Printf("  %-44s %12s\n", r.decode.name+", for comparison", fmt.Sprintf("%.4g ns", r.decode.ns()))
	for _, b := range []*bench{r.get, r.getARN, r.typed, r.value, r.pointer} {
		t.row(b.name, float64(b.alloc), "allocs", "", 0, 0, "0")
	}
	fmt.Println()
	return r.all()
}
