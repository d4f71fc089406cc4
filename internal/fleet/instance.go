package main

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/lease"
)

// A policy is how a process keeps its secrets.
type policy struct {
	name     string
	ttl      time.Duration
	jitter   time.Duration // of events; 0: there are none
	prefetch bool          // it begins with BatchGetSecretValue, 20 a call
	aws      bool          // AWS's caching client
}

var policies = []policy{
	{name: "AWS's caching client, TTL 1 h", ttl: time.Hour, aws: true},
	{name: "this client, TTL 5 min", ttl: 5 * time.Minute},
	{name: "this client, TTL 15 min, Prefetch", ttl: 15 * time.Minute, prefetch: true},
	{name: "with events, TTL 1 h, jitter 2 s", ttl: time.Hour, jitter: 2 * time.Second},
	{name: "with events, TTL 1 h, jitter 20 s", ttl: time.Hour, jitter: 20 * time.Second},
}

// rules are those of the client.
func (p policy) rules() lease.Rules {
	return lease.Rules{
		TTL: p.ttl, MaxStale: 36 * time.Hour, MinBackoff: time.Second, MaxBackoff: 15 * time.Minute,
		FetchAtLeast: time.Hour, DescribeAgain: time.Hour, SecondCheck: 2 * time.Second, RotationCheck: 2 * time.Second,
		RotationKept: time.Minute, Recovered: time.Minute, HintJitter: p.jitter, HintGap: 4 * time.Second,
	}
}

// An instance is one process.
type instance struct {
	policy
	rules  lease.Rules
	rnd    *rand.Rand
	now    time.Duration
	n      uint64
	leases [secretCount]lease.Lease
	due    wakes
	m      *meter

	lastFailure, lastSuccess, lastDescribed lease.Time
	failing, unanswered                     int
}

func moment(at time.Duration) lease.Time { return lease.Time(at) + 1 }

func (x *instance) moment() lease.Moment {
	return lease.Moment{Now: moment(x.now), Draw: x.rnd.Float64()}
}

// current returns the version that the service has of a secret.
func (x *instance) current(secret int) string {
	if x.now >= rotatesAt(secret) {
		return "2"
	}
	return "1"
}

// A wake is the moment at which a secret is due, or told of an event.
type wake struct {
	at     time.Duration
	secret int
	event  bool
}

type wakes []wake

func (h wakes) Len() int           { return len(h) }
func (h wakes) Less(i, j int) bool { return h[i].at < h[j].at }
func (h wakes) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *wakes) Push(w any)        { *h = append(*h, w.(wake)) }
func (h *wakes) Pop() any {
	old := *h
	w := old[len(old)-1]
	*h = old[:len(old)-1]
	return w
}

// run simulates the day of instance i.
func run(p policy, i int, m *meter) {
	x := &instance{policy: p, rules: p.rules(), rnd: rand.New(rand.NewPCG(uint64(i), 12)), m: m}
	x.now = deployEnds * time.Duration(i) / fleetSize
	x.start()
	for len(x.due) > 0 && x.due[0].at < dayEnds {
		w := heap.Pop(&x.due).(wake)
		x.now = max(x.now, w.at)
		x.wake(w)
	}
}

// start reads every secret for the first time.
func (x *instance) start() {
	for s := range secretCount {
		switch {
		case x.prefetch && s%20 == 0:
			x.m.call(batch, x.now)
		case x.prefetch:
		default:
			x.m.call(get, x.now)
		}
		l := &x.leases[s]
		x.n++
		ck := lease.BeginUnknown(x.n)
		x.adopt(l, &ck, s)
		l.End(&x.rules, x.moment(), &ck)
		x.schedule(s)
		if x.jitter > 0 {
			heap.Push(&x.due, wake{rotatesAt(s) + eventLatency, s, true})
		}
	}
}

func (x *instance) schedule(s int) {
	if due := x.leases[s].Due(&x.rules); due != lease.Never {
		heap.Push(&x.due, wake{time.Duration(due - 1), s, false})
	}
}

func (x *instance) wake(w wake) {
	l := &x.leases[w.secret]
	switch {
	case w.event:
		l.Told(&x.rules, x.moment(), x.current(w.secret))
	case l.Due(&x.rules) > moment(x.now):
		return // it has been moved: another wake has it
	default:
		l.Wake(&x.rules, x.moment(), moment(x.now), true)
		if l.Refreshing() {
			x.refresh(w.secret)
		}
	}
	x.schedule(w.secret)
}

// refresh runs the refresh of a lease, as the client does.
func (x *instance) refresh(s int) {
	l := &x.leases[s]
	x.n++
	ck := l.BeginRefresh(&x.rules, moment(x.now), x.n)
	defer func() { l.End(&x.rules, x.moment(), &ck) }()
	calls := 1
	if ck.Describe {
		x.m.call(describe, x.now)
		if isOut(x.now) {
			x.failed(l, &ck, true)
			return
		}
		rep := l.Described(&x.rules, x.moment(), &ck, lease.Description{Current: x.current(s)})
		x.answered(rep, true)
		if rep.Step == lease.Done {
			return
		}
		calls++
	}
	x.m.call(get, x.now)
	if isOut(x.now) {
		x.failed(l, &ck, false)
		return
	}
	described := calls == 2
	if rep := x.adopt(l, &ck, s); rep.Adopted {
		x.m.adopted(s, x.now+time.Duration(calls)*latency)
		x.answered(rep, described)
	} else {
		x.answered(rep, described)
	}
}

// adopt tells a lease of the value that GetSecretValue gives.
func (x *instance) adopt(l *lease.Lease, ck *lease.Check, s int) lease.Report {
	v := x.current(s)
	rep := l.Observed(&x.rules, x.moment(), ck, lease.Observation{Version: v, Same: v == l.Version(), Fetched: true})
	if rep.Step == lease.Prepare {
		rep = l.Prepared(&x.rules, x.moment(), ck, false)
	}
	return rep
}

func (x *instance) failed(l *lease.Lease, ck *lease.Check, describe bool) {
	x.unanswered++
	if rep := l.Failed(&x.rules, x.moment(), ck, describe, lease.Crowd(x.failing, x.unanswered)); rep.Failed && rep.Failures == 1 {
		x.lastFailure = moment(x.now)
		x.failing++
	}
}

// answered is what the client does after an answer: those that fail are told.
func (x *instance) answered(rep lease.Report, described bool) {
	if !rep.Answered {
		return
	}
	last := x.lastSuccess
	if described {
		last = x.lastDescribed
	}
	if x.lastFailure > last && x.failing > 0 {
		for s := range x.leases {
			if _, failing := x.leases[s].Failing(); failing {
				x.leases[s].Answering(&x.rules, x.moment(), last, described, x.failing)
				x.schedule(s)
			}
		}
	}
	x.lastSuccess, x.unanswered = moment(x.now), 0
	if described {
		x.lastDescribed = x.lastSuccess
	}
	if rep.Recovered > 0 {
		x.failing--
	}
}
