package rotation

import (
	"bytes"
	"cmp"
	"slices"
)

// key appends what tells a state from others: all that any comparison can still
// tell apart, moments relative to now. Callers are the same in any order where
// nothing asks who they are.
func (m *model) key(n *node, ordered bool, b []byte) []byte {
	b = append(b, n.moment, n.lags, n.faults, n.leaves, n.refreshes, short(n.cached))
	b = append(b, n.memory...)
	b = n.p.key(append(b, 0xff), n.now)
	var each [4][]byte
	for i := range n.callers {
		each[i] = n.callers[i].key(nil, n)
	}
	all := each[:len(n.callers)]
	if !ordered {
		slices.SortFunc(all, bytes.Compare)
	}
	for _, k := range all {
		b = append(b, k...)
	}
	return n.o.key(b, n)
}

func short(id string) byte {
	if id == "" {
		return 0xff
	}
	return id[0]
}

func shortStage(stage string) byte {
	switch stage {
	case "":
		return 0
	case Current:
		return 1
	case Pending:
		return 2
	case Previous:
		return 3
	}
	return 4
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// since returns how long ago t was, clamped.
func since(now, t Instant, limit Instant) byte { return byte(min(now-t, limit)) }

func (p *Protocol) key(b []byte, now Instant) []byte {
	b = append(b, byte(p.phase), short(p.pin.ID), shortStage(p.pin.Stage), bit(p.news), bit(p.failed),
		byte(p.delay), byte(max(0, p.next-now)), bit(p.first), short(p.valueless))
	b = keyOf(b, p.rejections, p, now)
	if p.labels == nil {
		b = append(b, 0xfe)
	} else {
		b = append(b, short(p.labels[Current]), short(p.labels[Pending]), short(p.labels[Previous]), short(p.labels["BLUE"]),
			since(now, p.seen, Instant(p.cfg.LabelsLast)), short(p.seenCurrent))
	}
	b = append(b, bit(p.round.informed)|bit(p.round.again)<<1|bit(p.round.blind)<<2|bit(p.round.valueless)<<3|bit(p.round.waits && p.cfg.Once)<<4)
	var outcomes [12][3]byte
	all := outcomes[:0]
	for _, o := range p.round.outcomes {
		all = append(all, [3]byte{shortStage(o.stage), short(o.id), byte(o.result)})
	}
	slices.SortFunc(all, func(a, b [3]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, o := range all {
		b = append(b, o[:]...)
	}
	return append(b, 0xfd)
}

func keyOf(b []byte, rejections []rejection, p *Protocol, now Instant) []byte {
	var sorted [5]rejection
	all := append(sorted[:0], rejections...)
	slices.SortFunc(all, func(a, b rejection) int { return cmp.Compare(a.id, b.id) })
	for _, r := range all {
		n, age := r.n, since(now, r.at, Instant(p.cfg.pause(r.n)))
		if r.lift != standing {
			n, age = 0, 0 // it may be offered, and is counted anew
		}
		b = append(b, r.id[0], byte(r.under)|bit(r.fresh)<<4|byte(r.lift)<<5, byte(n), age)
	}
	return append(b, 0xfc)
}

func (c *caller) key(b []byte, n *node) []byte {
	b = append(b, byte(c.at), bit(c.prober))
	switch c.at {
	case using, accepted, rejected:
		if c.prober {
			b = append(b, short(c.id), short(c.step.ID), shortStage(c.step.Stage))
		} else {
			b = append(b, short(c.turn.ID), shortStage(c.turn.Stage), bit(c.turn.Gen == n.p.gen))
		}
	case fetching:
		b = append(b, short(c.step.ID), shortStage(c.step.Stage))
	case pausing:
		b = append(b, byte(max(0, c.step.At-n.now)))
	}
	if n.p.cfg.Once {
		b = append(b, bit(c.call.round > 0)|bit(n.p.ended >= c.call.round)<<1|bit(c.ended)<<2|bit(c.waited)<<3)
	}
	return keyOf(b, c.call.own, &n.p, n.now)
}

func (o *oracle) key(b []byte, n *node) []byte {
	for _, r := range o.refusals {
		if r.known {
			b = append(b, bit(r.standing)|bit(r.fresh)<<1, since(n.now, r.at, Instant(n.p.cfg.MaxPause)), byte(r.under))
		} else {
			b = append(b, 0xff)
		}
	}
	for _, r := range o.last {
		if age := since(n.now, r.at, Instant(n.p.cfg.MinPause)); r.known && n.alone && age < byte(n.p.cfg.MinPause) {
			b = append(b, age)
		} else {
			b = append(b, 0xff)
		}
	}
	return append(b, bit(o.informed)|bit(o.unanswered)<<1, bit(o.current), byte(o.pending), short(o.shown), short(o.withoutValue))
}
