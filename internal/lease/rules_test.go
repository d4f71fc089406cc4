package lease

import "time"

// onCheck is an answer to a check, or its end.
func (t *try) onCheck() {
	l, r, m := &t.x.l, &t.m.rules, t.moment()
	slot := t.e.slot
	c, ck := &t.n.checks[slot], &t.x.ck[slot]
	switch {
	case !c.unknown || t.e.kind == end:
	case c.n < t.s.no: // as the caller knows by the negative entry
		t.over(c)
		ck.settled = true
		return
	case l.gone:
		*l = Lease{} // the answer is about a lease of its own
		t.n.holders = 0
	}
	switch t.e.kind {
	case described:
		t.sees(c)
		t.rep = l.Described(r, m, ck, t.m.description(t.e))
		t.proceeds(c, ck)
	case describeDenied:
		l.DescribeDenied(r, epoch)
		c.phase = getting
	case describeFailed, getFailed:
		t.rep = l.Failed(r, m, ck, t.e.kind == describeFailed, 0)
		t.over(c)
	case observed:
		t.sees(c)
		v := t.e.version
		older := l.has && !t.m.undated && v < t.s.version
		t.rep = l.Observed(r, m, ck, Observation{Version: id(v), Older: older, Fetched: t.e.variant != inMemory, Replica: t.e.replica,
			Same: l.has && v == t.s.version && t.e.variant != changed})
		t.proceeds(c, ck)
	case no:
		t.rep = l.No(ck)
		t.over(c)
	case prepared:
		t.e.version = c.version // for the rules
		t.e.replica = ck.replica
		t.rep = l.Prepared(r, m, ck, l.has && !t.m.undated && c.version < t.s.version)
		if t.over(c); t.rep.Behind {
			c.phase = getting
		}
	case end:
		t.rep = l.End(r, m, ck)
		t.over(c)
		if c.own && l.Refreshing() {
			t.broken("a refresh goes on after its end")
		}
	}
	t.heed(c, *ck)
	if t.e.kind == end {
		t.n.checks[slot], t.x.ck[slot] = checkState{}, Check{}
	}
}

// proceeds is what the shell does after a step.
func (t *try) proceeds(c *checkState, ck *Check) {
	switch t.rep.Step {
	case Fetch:
		c.phase = getting
	case Done:
		if t.over(c); t.rep.Behind {
			c.phase = getting
		}
	case Prepare:
		c.phase = preparing
	}
}

// over is the end of a check's effect.
func (t *try) over(c *checkState) {
	c.phase = settled
}

// newer reports whether v was never current as far as is known, and is not known
// to be older than what is.
func (t *try) newer(v uint8) bool {
	s := &t.s
	return s.has && v != s.version && s.was&(1<<v) == 0 && (t.m.undated || v > s.version)
}

// sees notes that c heard of a newer version.
func (t *try) sees(c *checkState) {
	if !t.newer(t.e.version) {
		return
	}
	c.saw = t.e.version
	t.n.checks[1-t.e.slot].sinceOther = false
}

// heed notes what a report says, and holds the rules about transitions against
// it. ck is the check as the lease left it.
func (t *try) heed(c *checkState, ck Check) {
	rep, v := t.rep, t.e.version
	if rep.Adopted || rep.Confirmed || rep.PutOff || rep.No {
		if c.n < t.s.answered {
			t.broken("L5: check %d had an effect after check %d", c.n, t.s.answered)
		}
		t.n.answered = c.n
	}
	switch {
	case rep.Adopted:
		t.adopts(c, v)
	case rep.Confirmed:
		if t.s.has && v != t.s.version {
			t.broken("version %d confirmed %d", v, t.s.version)
		}
		t.n.age, t.n.back, t.n.lastBack = 0, 0, 0
	case rep.PutOff && t.e.replica:
		t.broken("L6: version %d is put off on the word of a replica", v)
	case rep.Behind:
		t.unmoved(v)
	case rep.PutOff:
		if t.s.lastBack == v && c.lastBack == v {
			t.broken("L6: the second of two agreeing checks is put off")
		}
		t.n.back, t.n.lastBack = t.n.back|1<<v, v
	case rep.No:
		t.n.no = max(t.n.no, c.n)
	}
	if t.e.kind == no && !t.s.alive {
		t.n.no = max(t.n.no, c.n)
	}
	if rep.Answered {
		t.n.read = false
		if t.x.l.coldState().failures != 0 {
			t.broken("L7: failures after an answer")
		}
	}
	t.owes(c)
}

// unmoved holds that an answer of a replica that proves nothing changes nothing.
func (t *try) unmoved(v uint8) {
	l, s := &t.x.l, &t.s
	if s.was&(1<<v) == 0 && (t.m.undated || v > s.version) {
		t.broken("version %d is taken for one that was before %d", v, s.version)
	}
	if !t.e.replica || version(l.version) != s.version || uint8(l.settled) != s.settled || l.expires != at(s.expires) ||
		l.confirmed != at(s.confirmed) || int(s.failures) != l.coldState().failures || s.suspected != l.coldState().suspected {
		t.broken("a replica that is behind has changed the lease")
	}
}

// owes notes what a check that is over leaves to be checked again, and what its
// answer settles of that.
func (t *try) owes(c *checkState) {
	o := &t.n.checks[1-t.e.slot]
	if t.rep.Adopted || t.rep.Confirmed || t.rep.PutOff {
		if c.sinceOwed {
			t.n.owed = 0
		}
		if c.sinceOther {
			o.saw = 0
		}
	}
	if t.e.kind != end || c.saw == 0 {
		return
	}
	if t.stillNewer(c.saw) {
		o.sinceOwed = o.sinceOther && (t.n.owed == 0 || o.sinceOwed)
		t.n.owed = max(t.n.owed, c.saw)
	}
	c.saw = 0
}

// stillNewer reports whether v has yet to be adopted after the event.
func (t *try) stillNewer(v uint8) bool {
	now := version(t.x.l.version)
	return t.x.l.has && v != now && t.n.was&(1<<v) == 0 && (v > now || t.m.undated && !t.rep.Adopted)
}

// adopts holds the rules about adoption.
func (t *try) adopts(c *checkState, v uint8) {
	s := &t.s
	if c.n < s.no {
		t.broken("L4: adopted the value of check %d, begun before no %d", c.n, s.no)
	}
	old := s.was&(1<<v) != 0 || !t.m.undated && v < s.version
	if s.has && v != s.version && old && c.back&(1<<v) == 0 {
		t.broken("L6: version %d replaces %d on the word of one check", v, s.version)
	}
	if s.has && v != s.version && old && t.e.replica {
		t.broken("L6: version %d replaces %d on the word of a replica", v, s.version)
	}
	if s.has && v != s.version {
		t.n.was = (t.n.was | 1<<s.version) &^ (1 << v)
	}
	t.n.age, t.n.back, t.n.lastBack = s.checks[t.e.slot].observed, 0, 0
	for i := range t.n.checks {
		if o := &t.n.checks[i]; !t.stillNewer(o.saw) {
			o.saw = 0
		}
	}
	if !t.stillNewer(t.n.owed) {
		t.n.owed = 0
	}
}

// served holds L3, L13 and L15 against what a read is told.
func (t *try) served(a Answer) {
	n, r := &t.n, &t.m.rules
	limit := int8(max(r.TTL, r.MaxStale) / tick)
	last := max(n.expires, n.age+int8(min(100, r.MaxStale/tick)))
	may := n.alive && n.has && n.age <= 0 && last > 0
	switch {
	case (a == Serve || a == ServeStale) && !may:
		t.broken("L3: served at the last moment or after")
	case (a == Serve || a == ServeStale) && -n.age > limit:
		t.broken("L15: served at an age of %d", -n.age)
	case a == Serve && t.e.kind == read && !t.s.shown && n.expires <= 0:
		t.broken("an expired value is served as if it were fresh")
	case a == Cold && may:
		t.broken("L13: a read is cold though the value may be served")
	}
}

// rules holds against the new state what has to hold in each.
func (t *try) rules() {
	s, n, r := &t.s, &t.n, &t.m.rules
	if s.alive && !n.alive && s.holders > 0 && !t.rep.No && t.e.kind != remove {
		t.broken("L12: a held lease has ended")
	}
	t.earlier()
	t.due2()
	if !n.alive {
		if n.shown || n.has {
			t.broken("L1: shown, or a value, after the end")
		}
		return
	}
	if n.shown && (!n.has || r.OnRead) {
		t.broken("L1: shown without a value, or on read")
	}
	if n.has {
		t.valued()
	}
	t.scheduled()
}

// valued holds the rules about a value.
func (t *try) valued() {
	n, r := &t.n, &t.m.rules
	last := max(n.expires, n.confirmed+int8(min(100, r.MaxStale/tick)))
	failing := n.failures > 0
	adopting := n.checks[0].phase == preparing || n.checks[1].phase == preparing
	switch {
	case n.shown && last <= 0:
		t.broken("L3: shown at the last moment or after")
	case n.shown && n.stale != (n.expires <= 0):
		t.broken("L16: shown, stale %t, expires in %d", n.stale, n.expires)
	case n.stale && (!n.has || !n.shown):
		t.broken("L16: stale and not shown")
	case n.shown && t.x.l.Due(r) > at(last):
		t.broken("L2: due later than the last moment")
	case n.confirmed != n.age:
		t.broken("L15: confirmed %d ago, not %d", -n.age, -n.confirmed)
	case n.expires-n.confirmed > int8(r.TTL/tick) && n.expires > 0:
		t.broken("L15: expires later than the TTL after the last confirmation")
	case !r.OnRead && n.expires > 0 && last > 0 && !failing && !n.running && !adopting && !n.shown:
		t.broken("L9: fresh and hidden")
	case n.shown && n.expires <= 0 && !n.read && n.holders == 0 && !failing && !n.running && !n.wanted:
		t.broken("L10: expired, unread and shown")
	}
}

// scheduled holds the rules about the next check.
func (t *try) scheduled() {
	n, r := &t.n, &t.m.rules
	second := ticks(epoch.Add(r.SecondCheck + r.SecondCheck/10))
	next := int8(100) // when the next check is sure to come, if no reader asks for it
	ended := n.running && !n.checks[0].own && !n.checks[1].own
	fresh := ended // the refresh has yet to begin
	heeds := ended
	for i := range n.checks {
		c := &n.checks[i]
		fresh = fresh || c.own && c.sinceOwed
		heeds = heeds || n.running && c.own
	}
	switch {
	case r.OnRead && (n.expires <= 0 || n.confirmed > 0 || t.m.back):
		next = 0
	case r.OnRead:
		next = n.expires
	case n.planned && (n.wanted || n.holders > 0 || n.read):
		next = n.next
	case !n.planned && n.shown && n.read && n.has:
		next = n.expires
	}
	usual := int8(max(r.TTL, r.MaxBackoff, 2*r.SecondCheck)/tick) + 1
	switch {
	case n.has && n.failures == 0 && n.lastBack != 0 && !n.running && next > 2*int8(r.SecondCheck/tick):
		t.broken("L8: put off, and the next check is in %d", next)
	case n.has && n.failures == 0 && n.lastBack != 0 && n.running && !ended && !t.younger() && next > 2*int8(r.SecondCheck/tick):
		t.broken("L8: put off while a refresh ran, and the next check is in %d", next)
	case n.owed != 0 && n.failures == 0 && !fresh && next > second:
		t.broken("L14: version %d was seen, and the next check is in %d", n.owed, next)
	case n.owed != 0 && !fresh && !r.OnRead && next > ticks(epoch.Add(r.MaxBackoff)) && next > second:
		t.broken("L14: version %d was seen and a check failed, and the next is in %d", n.owed, next)
	case n.has && n.hinted && n.failures == 0 && !heeds && next > max(second, n.hintAt):
		t.broken("L17: a hint was taken, and the next check is in %d", next)
	case r.OnRead:
	case n.holders > 0 && !n.running && next > usual:
		t.broken("L11: held, and the next check is in %d", next)
	case n.has && n.shown && n.read && !n.running && n.failures == 0 && next > max(0, n.expires) && !n.wanted:
		t.broken("L11: read, and neither checked nor hidden when it expires")
	case n.has && !n.running && t.x.l.Due(r) == Never:
		t.broken("L11: a value is left for ever")
	case n.has && !n.running && t.x.l.Due(r) > epoch.Add(max(r.TTL, r.MaxStale, r.MaxBackoff)+time.Duration(2)*tick):
		t.broken("L11: due out of bounds")
	}
}

// younger reports whether the lease's own refresh began after the put-off, so
// that it is the second check.
func (t *try) younger() bool {
	for i := range t.n.checks {
		if c := &t.n.checks[i]; c.own && c.n > t.n.answered && (c.phase == settled || c.lastBack == t.n.lastBack) {
			return true
		}
	}
	return false
}

// earlier holds L5 against an event of a check that a later one has overtaken.
func (t *try) earlier() {
	s, n, l := &t.s, &t.n, &t.x.l
	if t.e.kind < described || s.checks[t.e.slot].n >= s.answered || !s.alive {
		return
	}
	past := s.confirmed < 0 && max(s.expires, s.confirmed+int8(min(100, t.m.rules.MaxStale/tick))) <= 0
	switch {
	case past && t.e.kind == end:
	case s.has != l.has || s.version != n.version || s.confirmed != n.confirmed || n.expires > s.expires:
		t.broken("L5: an overtaken check changed the value")
	case s.failures != n.failures || n.alive != s.alive || n.suspect != s.suspect:
		t.broken("L5: an overtaken check changed the lease")
	}
}

// due2 holds that an answer, a failure or an end does not make the next check due
// at once.
func (t *try) due2() {
	switch {
	case t.e.kind < described || t.due > epoch || t.s.planned && (t.s.wanted || t.s.next <= 0) || t.rep.Adopted:
	case t.rep.Confirmed || t.rep.PutOff || t.rep.Failed || t.e.kind == end && t.s.checks[t.e.slot].own && t.s.checks[t.e.slot].phase != settled:
		t.broken("the next check is due at once")
	}
}

// unseen returns the events that the model allows for and that never happened.
func (m *model) unseen() []string {
	want := map[kind]bool{setBack: m.back, wakeEarly: m.early, waited: m.waits, left: m.waits,
		hold: m.holders > 0, release: m.holders > 0, checkSoon: m.hints, toldOf: m.told, restore: m.restores, answers: m.answering, remove: m.removes,
		begin: m.manual, beginUnknown: m.unknown, described: m.describe, describeDenied: m.denied,
		describeFailed: m.describe && m.failures, getFailed: m.failures, no: m.noes,
		tickOn: true, read: true, beginRefresh: true, observed: true, prepared: true, end: true}
	var list []string
	for k, name := range kinds {
		if want[kind(k)] && m.seen[name] == 0 {
			list = append(list, name)
		}
	}
	return list
}
