package sim

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A scene is a history made by hand: of what a client might have done.
type scene struct {
	w *World
	s *Session
}

// at waits for a moment.
func (sc *scene) at(d time.Duration) { time.Sleep(d - sc.w.now()) }

// do makes an event of the service happen and returns the version that is newest after it.
func (sc *scene) do(e Event) *Version {
	sc.w.apply(e)
	inc := sc.w.secrets[0].incs[len(sc.w.secrets[0].incs)-1]
	return inc.versions[len(inc.versions)-1]
}

// first returns the version that there is at first.
func (sc *scene) first() *Version { return sc.w.secrets[0].incs[0].versions[0] }

// call is a call of 20 ms that ends now, answered with what was there, or a fault.
func (sc *scene) call(op Op, stage string, class Class, v *Version) *Call {
	const takes = 20 * time.Millisecond
	now := sc.w.now()
	s := sc.w.secrets[0]
	c := &Call{op: op, id: s.plan.Name, stage: stage, secret: s, begin: now, made: now, end: now + takes, ended: true, class: class, ver: v, snap: s.at(now)}
	if v != nil {
		c.snap = &Snapshot{inc: v.inc, labels: map[string]*Version{stage: v}}
		if op == Describe {
			c.stage = ""
			c.ver = nil
		}
	}
	sc.w.calls = append(sc.w.calls, c)
	time.Sleep(takes)
	return c
}

// get is a check by GetSecretValue alone.
func (sc *scene) get(v *Version) *Call { return sc.call(GetValue, "AWSCURRENT", ok, v) }

// read is a read of event 0, which takes no time, by a way to read.
func (sc *scene) read(kind ReadKind, err error, vs ...*Version) *Read {
	r := sc.w.beginRead(sc.s, 0, kind)
	var tokens []string
	for _, v := range vs {
		tokens = append(tokens, v.token)
	}
	sc.w.finish(context.Background(), r, tokens, err)
	return r
}

// use is an offer of event 1, a connector's, that takes 10 ms.
func (sc *scene) use(v *Version, o Outcome) {
	now := sc.w.now()
	sc.w.uses = append(sc.w.uses, &Use{event: 1, kind: ReadConnect, session: sc.s, version: v, begin: now, end: now + 10*time.Millisecond, ended: true, outcome: o, wrong: o == Refused})
	time.Sleep(10 * time.Millisecond)
}

// play judges a history of a client with a TTL of a minute.
func play(t *testing.T, settings Settings, events []Event, act func(*scene)) (rules []Rule) {
	settings.TTL = time.Minute
	all := append([]Event{
		{Kind: Reads, Secret: 0, Read: ReadGet, For: 1 << 50},
		{Kind: Connects, Secret: 0, Max: 1},
	}, events...)
	p := &Plan{Client: settings, Secrets: []SecretPlan{{Name: "s", Users: 1}}, Events: all, End: 1 << 50}
	synctest.Test(t, func(*testing.T) {
		w := newWorld(p)
		s := &Session{closing: never, closed: never}
		w.sessions = append(w.sessions, s)
		time.Sleep(time.Second)
		act(&scene{w, s})
		for _, v := range Judge(w) {
			rules = append(rules, v.Rule)
		}
	})
	return rules
}

// Every rule is broken by a history of its own, and not by one that differs in
// the one thing that makes it lawful.
func TestOracle(t *testing.T) {
	lag := []Event{{Kind: Lag, At: 0, For: time.Hour, Percent: 100, Secret: -1}}
	put, again := Event{Kind: Put}, Event{Kind: Recreate}
	tests := []struct {
		rule     Rule
		settings Settings
		events   []Event
		act      func(sc *scene, broken bool)
	}{
		{Identity, Settings{}, nil, func(sc *scene, broken bool) {
			sc.get(sc.first())
			if r := sc.read(ReadGet, nil, sc.first()); broken {
				r.arn = "arn:of:another"
			}
		}},
		{Stray, Settings{}, nil, func(sc *scene, broken bool) {
			sc.get(sc.first())
			if r := sc.read(ReadGet, nil, sc.first()); broken {
				r.stray = "what never was"
			}
		}},
		{Deleted, Settings{}, lag, func(sc *scene, broken bool) {
			old := sc.first()
			sc.get(old)
			sc.do(Event{Kind: Delete, Force: true})
			now := sc.do(again)
			sc.get(now)
			if !broken {
				sc.get(old) // a replica says that it is there
			}
			sc.at(2 * time.Second)
			sc.read(ReadGet, nil, old)
		}},
		{Deleted, Settings{}, lag, func(sc *scene, broken bool) {
			old := sc.first()
			sc.get(old)
			sc.do(Event{Kind: Delete, Force: true})
			now := sc.do(again)
			sc.get(now)
			sc.get(old)
			sc.get(old) // it is back, then
			if sc.get(now); broken {
				sc.get(now) // it is not
			}
			sc.at(2 * time.Second)
			sc.read(ReadGet, nil, old)
		}},
		{Age, Settings{MaxStale: 10 * time.Minute}, nil, func(sc *scene, broken bool) {
			c := sc.get(sc.first())
			sc.at(c.end + 10*time.Minute - time.Second)
			if broken {
				time.Sleep(2 * time.Second)
			}
			sc.read(ReadGet, nil, sc.first())
		}},
		{Refusal, Settings{}, nil, func(sc *scene, broken bool) {
			sc.get(sc.first())
			sc.call(GetValue, "AWSCURRENT", Denied, nil)
			if !broken {
				sc.get(sc.first())
			}
			sc.at(2 * time.Second)
			sc.read(ReadGet, nil, sc.first())
		}},
		{Fresh, Settings{}, nil, func(sc *scene, broken bool) {
			old := sc.first()
			sc.at(time.Hour)
			sc.get(old)
			sc.do(put)
			sc.read(ReadGet, nil, old)
			if time.Sleep(59 * time.Second); broken {
				time.Sleep(2 * time.Second)
			}
			sc.read(ReadGet, nil, old)
		}},
		{Newest, Settings{}, lag, func(sc *scene, broken bool) {
			old := sc.first()
			sc.get(old)
			now := sc.do(put)
			sc.get(now)
			if !broken {
				sc.get(old) // contradicts it
			}
			sc.at(20 * time.Second)
			sc.read(ReadGet, nil, old)
		}},
		{Order, Settings{}, lag, func(sc *scene, broken bool) {
			old := sc.first()
			now := sc.do(put)
			sc.get(now)
			sc.read(ReadGet, nil, now)
			if sc.get(old); !broken {
				sc.get(old)
			}
			time.Sleep(time.Second)
			sc.read(ReadGet, nil, old)
		}},
		{Order, Settings{}, lag, func(sc *scene, broken bool) {
			oldest := sc.first()
			older := sc.do(put)
			time.Sleep(time.Second)
			now := sc.do(put)
			sc.get(now)
			sc.read(ReadGet, nil, now)
			if sc.get(oldest); !broken {
				sc.get(oldest)
			}
			sc.get(older)
			time.Sleep(time.Second)
			sc.read(ReadGet, nil, older)
		}},
		{Order, Settings{Replica: true}, lag, func(sc *scene, broken bool) { // a replica proves nothing
			old := sc.first()
			now := sc.do(put)
			sc.get(now)
			sc.read(ReadGet, nil, now)
			for range 2 {
				if c := sc.get(old); broken {
					c.region = Replica
				}
			}
			time.Sleep(time.Second)
			sc.read(ReadGet, nil, old)
		}},
		{Outage, Settings{Replica: true, MaxStale: time.Hour}, nil, func(sc *scene, broken bool) { // its no is none
			sc.call(Describe, "AWSCURRENT", ok, sc.first())
			sc.read(ReadGet, nil, sc.first())
			time.Sleep(time.Minute)
			c := sc.call(GetValue, "AWSCURRENT", Denied, nil)
			if broken {
				c.region = Replica
			}
			sc.at(10 * time.Minute)
			sc.read(ReadGet, errors.New("denied"))
		}},
		{Cold, Settings{Replica: true}, []Event{{Kind: Fault, Fault: Connection, Where: Primary, For: 5 * time.Hour, Percent: 100, Secret: -1}}, func(sc *scene, broken bool) {
			sc.at(time.Hour)
			if !broken { // the replica did not have it yet
				sc.do(Event{Kind: Delete, Force: true})
				sc.do(again)
			}
			sc.read(ReadGet, errors.New("no answer"))
		}},
		{Fresh, Settings{}, nil, func(sc *scene, broken bool) { // a watch
			sc.w.plan.Events[0].Kind = Watch
			sc.at(time.Hour)
			arn := sc.w.secrets[0].incs[0].arn
			sc.get(sc.first())
			sc.read(ReadWatch, nil, sc.first()).id = arn
			sc.do(put)
			if !broken { // its ARN is gone
				sc.do(Event{Kind: Delete, Force: true})
				sc.do(again)
			}
			sc.at(2 * time.Hour)
			sc.read(ReadWatch, errWatchEnded).id = arn
		}},
		{Agree, Settings{}, lag, func(sc *scene, broken bool) {
			old := sc.first()
			now := sc.do(put)
			sc.get(old)
			sc.get(now)
			sc.get(old)
			sc.get(old)
			time.Sleep(time.Second)
			r := sc.read(ReadVersions, nil, old, now)
			other := old
			if broken {
				other = now
			}
			r.agrees = &Read{ended: true, begin: r.begin, end: r.begin, got: []*Version{other}}
		}},
		{Outage, Settings{MaxStale: time.Hour}, nil, func(sc *scene, broken bool) {
			sc.w.plan.Events[1].Kind = State // no connector, whose calls are not told apart
			sc.get(sc.first())
			sc.read(ReadGet, nil, sc.first())
			if sc.at(50 * time.Minute); !broken {
				sc.at(2 * time.Hour)
			}
			sc.read(ReadGet, errors.New("connection refused"))
		}},
		{Offer, Settings{}, nil, func(sc *scene, broken bool) {
			sc.at(2 * time.Hour)
			sc.get(sc.first())
			sc.use(sc.first(), Refused)
			if time.Sleep(3 * time.Second); !broken {
				time.Sleep(20 * time.Second)
			}
			sc.use(sc.first(), Accepted)
		}},
		{Guess, Settings{}, nil, func(sc *scene, broken bool) {
			old := sc.first()
			now := sc.do(put)
			sc.do(Event{Kind: RotCreate})
			pending := sc.do(Event{Kind: RotValue})
			sc.w.plan.Events[1].Timeout = time.Second // its logins are not counted
			sc.at(10 * time.Minute)
			sc.get(now)
			sc.use(now, Refused)
			if sc.call(Describe, "", ok, nil); !broken {
				sc.use(pending, Refused)
			}
			sc.use(old, Accepted)
		}},
		{Logins, Settings{}, nil, func(sc *scene, broken bool) {
			old := sc.first()
			sc.at(time.Hour)
			sc.get(old)
			sc.do(Event{Kind: RotCreate})
			sc.do(Event{Kind: RotValue})
			pending := sc.do(Event{Kind: RotSet})
			if sc.use(old, Refused); broken {
				time.Sleep(40 * time.Second)
				sc.use(old, Refused)
			}
			sc.use(pending, Accepted)
		}},
		{Opens, Settings{}, nil, func(sc *scene, broken bool) {
			sc.get(sc.first())
			sc.use(sc.first(), Accepted)
			n := maxOpens
			if broken {
				n++
			}
			sc.w.opens[opened{0, 1, sc.first().token}] = n
		}},
		{Opens, Settings{MaxStale: -1}, nil, func(sc *scene, broken bool) {
			sc.get(sc.first())
			sc.use(sc.first(), Accepted)
			if !broken {
				sc.at(2 * time.Minute) // it leaves the cache
			}
			sc.get(sc.first())
			sc.w.opens[opened{0, 1, sc.first().token}] = maxOpens + 1
		}},
		{Budget, Settings{}, nil, func(sc *scene, broken bool) {
			sc.w.plan.Events[1].Kind = Put
			n := 70
			if !broken {
				n = 30
			}
			sc.at(time.Minute)
			for range n {
				sc.read(ReadGet, nil, sc.get(sc.first()).ver)
			}
		}},
		{Closed, Settings{}, nil, func(sc *scene, broken bool) {
			sc.get(sc.first())
			sc.s.closing, sc.s.closed = sc.w.now(), sc.w.now()
			time.Sleep(time.Second)
			if err := secrets.ErrClosed; broken {
				sc.read(ReadGet, errors.New("something else"))
			} else {
				sc.read(ReadGet, err)
			}
		}},
		{Rotating, Settings{}, nil, func(sc *scene, broken bool) {
			sc.w.plan.Events[1].Kind = Put
			sc.at(9 * time.Hour)
			sc.get(sc.first())
			time.Sleep(time.Second)
			sc.read(ReadRefJSON, nil, sc.first()).rotating = broken
		}},
		{Hangs, Settings{}, nil, func(sc *scene, broken bool) {
			sc.get(sc.first())
			r := sc.read(ReadGet, nil, sc.first())
			if r.end += 20 * time.Second; broken {
				r.end += 20 * time.Second
			}
		}},
	}
	for _, tt := range tests {
		t.Run(string(tt.rule), func(t *testing.T) {
			if got := play(t, tt.settings, tt.events, func(sc *scene) { tt.act(sc, true) }); !slices.Contains(got, tt.rule) {
				t.Errorf("a history that breaks it: got %v", got)
			}
			if got := play(t, tt.settings, tt.events, func(sc *scene) { tt.act(sc, false) }); len(got) != 0 {
				t.Errorf("a lawful history: got %v, want nothing", got)
			}
		})
	}
}
