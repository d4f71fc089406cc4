package lease

import "fmt"

// An event is something that happens to a lease in the model.
type event struct {
	kind    kind
	slot    uint8 // of the check it is about
	version uint8
	late    bool  // the greatest draw, not the least
	variant uint8 // see the event
	replica bool  // a replica answers
}

type kind uint8

const (
	tickOn kind = iota
	setBack
	wakeEarly
	read
	waited
	left
	hold
	release
	checkSoon
	toldOf
	restore // variant: confirmed so many ticks ago
	answers
	remove
	beginRefresh
	begin
	beginUnknown
	described // variant: what is said of rotation
	describeDenied
	describeFailed
	observed // variant: from memory, or with another value under the same id
	getFailed
	no
	prepared
	end
)

var kinds = [...]string{"tick", "clock set back", "wake early", "read", "waited", "left", "hold", "release",
	"check soon", "told", "restored", "service answers", "remove", "begin refresh", "begin", "begin unknown", "described",
	"describe denied", "describe failed", "observed", "get failed", "no", "prepared", "end"}

func (e event) String() string {
	draw := "-"
	if e.late {
		draw = "+"
	}
	by := ""
	if e.replica {
		by = " by a replica"
	}
	return fmt.Sprintf("%s%s slot %d version %d variant %d%s", kinds[e.kind], draw, e.slot, e.version, e.variant, by)
}

// Variants of observed.
const (
	given    = iota // by the service
	inMemory        // the described version's value is known
	changed         // the value is another, the id the same
)

// try performs one event on one state.
type try struct {
	m    *model
	x    scratch
	s    state // before
	n    state // after
	e    event
	rep  Report
	ans  Answer
	fail string
	due  Time // after the event, before timers
}

func (t *try) broken(format string, a ...any) {
	if t.fail == "" {
		t.fail = fmt.Sprintf(format, a...)
	}
}

// next tries every event that can happen in s.
func (m *model) next(s state, visit func(event, state, string)) {
	t := &try{m: m, s: s}
	do := func(e event) {
		t.e, t.n, t.rep, t.fail = e, t.s, Report{}, ""
		t.perform()
		m.seen[kinds[e.kind]]++
		visit(e, t.n, t.fail)
	}
	drawn := func(e event) {
		do(e)
		e.late = true
		do(e)
	}
	m.clock(&s, do)
	m.readers(&s, do)
	m.callers(&s, do, drawn)
	m.begins(&s, do)
	for i := range s.checks {
		m.answers(&s, uint8(i), do, drawn)
	}
}

func (m *model) clock(s *state, do func(event)) {
	busy := s.checks[0].phase != unused || s.checks[1].phase != unused
	if (m.slow || !busy) && !(m.back && s.clock >= m.oldest()+2) {
		do(event{kind: tickOn})
	}
	if m.back && s.clock > 0 {
		do(event{kind: setBack, variant: 1})
		if s.clock > 1 {
			do(event{kind: setBack, variant: uint8(s.clock)})
		}
	}
	if m.early {
		do(event{kind: wakeEarly})
	}
}

func (m *model) readers(s *state, do func(event)) {
	do(event{kind: read})
	if s.waiting {
		do(event{kind: waited})
		do(event{kind: left})
	}
}

func (m *model) callers(s *state, do, drawn func(event)) {
	if s.alive && s.holders < m.holders {
		do(event{kind: hold})
	}
	if s.alive && s.holders > 0 {
		do(event{kind: release})
	}
	if s.alive && s.has && m.hints {
		drawn(event{kind: checkSoon})
	}
	if s.alive && s.has && m.told {
		for v := range m.versions + 1 {
			drawn(event{kind: toldOf, version: v})
		}
	}
	if m.restores && s.no == 0 && !s.has && (s.settled == 0 || !s.alive) {
		for v := uint8(1); v <= m.versions; v++ {
			for _, age := range []uint8{0, 1, uint8(m.rules.MaxStale/tick) - 1} {
				do(event{kind: restore, version: v, variant: age})
			}
		}
	}
	if s.alive && s.failures > 0 && m.answering {
		drawn(event{kind: answers})
		if m.describe {
			drawn(event{kind: answers, variant: 1})
		}
	}
	if s.alive && m.removes {
		do(event{kind: remove})
	}
}

func (m *model) begins(s *state, do func(event)) {
	if s.checks[0].phase != unused || m.checks == 1 && s.checks[1].phase != unused {
		return
	}
	if s.alive && s.running && !s.checks[0].own && !s.checks[1].own {
		do(event{kind: beginRefresh})
	}
	if s.alive && (m.manual || !s.has) {
		do(event{kind: begin})
	}
	if !s.alive && m.unknown {
		do(event{kind: beginUnknown})
	}
}

// answers tries what can become of a check.
func (m *model) answers(s *state, slot uint8, do, drawn func(event)) {
	ends := do
	if s.checks[slot].own {
		ends = drawn
	}
	c := &s.checks[slot]
	switch c.phase {
	case unused:
		return
	case settled:
		ends(event{kind: end, slot: slot})
		return
	case describing:
		m.descriptions(s, slot, do, drawn)
	case getting:
		for v := uint8(1); v <= m.versions; v++ {
			m.observations(s, event{kind: observed, slot: slot, version: v}, drawn)
		}
		if m.failures {
			drawn(event{kind: getFailed, slot: slot})
		}
		if m.noes {
			do(event{kind: no, slot: slot})
		}
	case preparing:
		drawn(event{kind: prepared, slot: slot})
	}
	if m.dies {
		ends(event{kind: end, slot: slot})
	}
}

func (m *model) observations(s *state, e event, drawn func(event)) {
	drawn(e)
	c := &s.checks[e.slot]
	if m.inMemory && c.described && c.said == e.version {
		e.variant = inMemory
		drawn(e)
	}
	if m.noIDs && s.has && s.version == e.version {
		e.variant = changed
		drawn(e)
	}
	if m.replica {
		e.variant, e.replica = given, true
		drawn(e)
	}
}

func (m *model) descriptions(s *state, slot uint8, do, drawn func(event)) {
	for v := uint8(1); v <= m.versions; v++ {
		variants := uint8(1)
		if m.pending {
			variants = 3
		}
		for i := range variants + uint8(len(m.windows)) {
			drawn(event{kind: described, slot: slot, version: v, variant: i})
		}
		if m.replica {
			drawn(event{kind: described, slot: slot, version: v, replica: true})
		}
	}
	if m.denied {
		do(event{kind: describeDenied, slot: slot})
	}
	if m.failures {
		drawn(event{kind: describeFailed, slot: slot})
	}
}

// description is the answer that an event of kind described stands for.
func (m *model) description(e event) Description {
	d := Description{Current: id(e.version), Replica: e.replica}
	pendings := 1
	if m.pending {
		pendings = 3
	}
	switch i := int(e.variant); {
	case i >= pendings:
		w := m.windows[i-pendings]
		d.Windowed, d.Opens, d.Closes = true, at(w[0]), at(w[1])
	case i > 0:
		d.Pending = id(uint8(i) + 1)
	}
	return d
}

// perform makes t.n the state after t.e and every timer that it makes due, and
// holds the rules against it.
func (t *try) perform() {
	switch t.e.kind {
	case tickOn:
		t.n.shift(-1)
		t.n.clock++
		if !t.m.back {
			t.n.clock = 0
		}
	case setBack:
		t.n.shift(int8(t.e.variant))
		t.n.clock -= int8(t.e.variant)
	}
	t.x.load(&t.n)
	t.ans = Cold
	switch k := t.e.kind; {
	case k < beginRefresh:
		t.onLease()
	case k < described:
		t.onBegin()
	default:
		t.onCheck()
	}
	t.due = t.x.l.Due(&t.m.rules)
	t.timers()
	t.n = t.x.store(t.m, t.n)
	t.rules()
}

// moment returns now, with the event's draw.
func (t *try) moment() Moment {
	if t.e.late {
		return Moment{Now: epoch, Draw: almost1}
	}
	return Moment{Now: epoch}
}

// timers calls Wake as long as it is due.
func (t *try) timers() {
	for range 4 {
		if t.x.l.Due(&t.m.rules) > epoch {
			return
		}
		t.x.l.Wake(&t.m.rules, Moment{Now: epoch}, epoch, t.n.read)
	}
	t.broken("Wake does not end what is due")
}

func (t *try) onLease() {
	l, r, m := &t.x.l, &t.m.rules, t.moment()
	switch t.e.kind {
	case wakeEarly:
		if due := l.Due(r); due <= at(1) {
			l.Wake(r, m, at(1), t.n.read)
		}
	case read:
		t.onRead()
	case waited:
		t.n.waiting, t.n.read = false, true
		t.served(l.Waited(r, epoch))
	case left:
		t.n.waiting = false
		t.served(l.Left(r, epoch))
	case hold:
		l.Hold(r, epoch)
	case release:
		l.Release()
	case checkSoon:
		l.CheckSoon(r, m)
	case toldOf:
		t.onTold(l.Told(r, m, id(t.e.version)))
	case restore:
		t.onRestore()
	case answers:
		l.Answering(r, m, epoch-1, t.e.variant == 1, 1)
	case remove:
		l.Remove()
	}
}

func (t *try) onRead() {
	t.n.read = true
	if t.x.l.Shown() {
		t.served(Serve)
		return
	}
	t.ans = t.x.l.Read(&t.m.rules, t.moment())
	t.served(t.ans)
	if t.ans == Wait {
		t.n.waiting = t.m.waits
		if !t.x.l.Refreshing() {
			t.broken("a reader waits for no refresh")
		}
	}
}

func (t *try) onBegin() {
	n := t.n.number()
	var ck Check
	switch t.e.kind {
	case beginRefresh:
		ck = t.x.l.BeginRefresh(&t.m.rules, epoch, uint64(n))
	case begin:
		ck = t.x.l.Begin(&t.m.rules, epoch, uint64(n))
	case beginUnknown:
		ck = BeginUnknown(uint64(n))
	}
	c := checkState{phase: getting, n: n, unknown: t.e.kind == beginUnknown,
		back: t.n.back, lastBack: t.n.lastBack,
		sinceOwed: t.n.owed != 0, sinceOther: t.n.checks[1].saw != 0}
	if ck.Describe && t.m.describe {
		c.phase = describing
	}
	t.n.checks[0], t.x.ck[0] = c, ck
}

// shift moves every moment by so many ticks.
func (s *state) shift(by int8) {
	moments := []*int8{&s.confirmed, &s.fetched, &s.expires, &s.next, &s.pendingSeen, &s.opens, &s.closes, &s.age, &s.hintAt}
	for i := range s.checks {
		moments = append(moments, &s.checks[i].observed)
	}
	if s.describeAfter != never {
		moments = append(moments, &s.describeAfter)
	}
	for _, m := range moments {
		*m = max(-100, min(100, *m+by))
	}
}
