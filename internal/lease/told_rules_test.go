package lease

// onTold holds the rules about a hint from outside against its effect.
func (t *try) onTold(follows bool) {
	l, s, v := &t.x.l, &t.s, t.e.version
	switch {
	case follows && v != 0 && v == s.version && !s.suspected:
		t.broken("a hint that names the current version causes a check")
	case !follows && l.planned != s.planned, !follows && l.planned && l.next != at(s.next), !follows && l.expires != at(s.expires):
		t.broken("a hint that is not taken changes the next check")
	case follows && !l.hinted():
		t.broken("L17: a hint is taken and no check follows")
	}
	for i := range s.checks {
		if follows && s.checks[i].phase != unused && t.x.ck[i].hints == l.more.told.hints {
			t.broken("L17: a check that began before a hint answers it")
		}
	}
	if s.hinted && s.hintAt > 0 && l.more.told.at != at(s.hintAt) {
		t.broken("a hint moves the check that an earlier one asked for")
	}
}

// onRestore gives the lease a value of an earlier process.
func (t *try) onRestore() {
	l := &t.x.l
	if l.gone {
		*l = Lease{} // the value is restored to a lease of its own
		t.n.holders = 0
	}
	age := -int8(t.e.variant)
	if t.e.variant == 0 && l.Restore(&t.m.rules, t.moment(), id(t.e.version), at(1)) {
		t.broken("a value confirmed in the future is restored")
		return
	}
	if !l.Restore(&t.m.rules, t.moment(), id(t.e.version), at(age)) {
		if t.m.rules.MaxStale > 0 {
			t.broken("a value confirmed %d ago is not restored", -age)
		}
		return
	}
	t.n.age, t.n.was, t.n.read = age, t.n.was&^(1<<t.e.version), false
	if t.n.lastBack, t.n.back = 0, 0; l.Fresh(&t.m.rules, epoch) {
		t.broken("a restored value is fresh")
	}
}
