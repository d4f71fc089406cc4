package rotation

import "time"

// A state's key holds everything that may make a difference to what follows.
// Times are relative to now, and those that are over are one. The places of the
// callers come first, at known places.

const maxCallers = 3

func callerAt(i int) int { return 1 + i }

// span is longer than any interval of a model.
const span = 40

type coder struct {
	b   []byte
	now Instant
}

func (k *coder) byte(v ...byte) { k.b = append(k.b, v...) }

func (k *coder) bool(v bool) {
	if v {
		k.byte(1)
	} else {
		k.byte(0)
	}
}

func (k *coder) str(s string) {
	k.b = append(k.b, s...)
	k.byte(0xff)
}

// ago codes a moment that is past, up to the interval that is compared with it.
func (k *coder) ago(t Instant, limit time.Duration) {
	k.byte(byte(min(k.now-t, Instant(limit))))
}

// until codes a moment to come.
func (k *coder) until(t Instant) { k.byte(byte(max(0, min(t-k.now, span)))) }

func stageCode(stage string) byte {
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

func (k *coder) version(v Version) {
	k.str(v.ID)
	k.byte(stageCode(v.Stage))
}

func (k *coder) rejections(all []rejection, cfg *Config) {
	k.byte(byte(len(all)))
	for i := range all {
		r := &all[i]
		k.str(r.id)
		k.byte(stageCode(r.stage), byte(r.under), byte(r.n), byte(r.lift))
		k.ago(r.at, cfg.pause(r.n))
		k.bool(r.fresh)
	}
}

func (n *node) key() string {
	k := &coder{now: n.now, b: make([]byte, 0, 160)}
	k.byte(n.moment)
	for i := range maxCallers {
		at := done
		if i < len(n.callers) {
			at = n.callers[i].at
		}
		k.byte(byte(at))
	}
	k.byte(n.lags, n.faults, n.leaves, n.refreshes)
	k.str(n.cached)
	k.str(n.memory)
	k.protocol(&n.p)
	for i := range n.callers {
		k.caller(&n.callers[i], &n.p)
	}
	k.oracle(&n.o, &n.p.cfg)
	return string(k.b)
}

func (k *coder) protocol(p *Protocol) {
	k.byte(byte(p.phase))
	k.version(p.pin)
	k.bool(p.wake)
	k.rejections(p.rejections, &p.cfg)
	k.bool(p.labels == nil)
	for _, stage := range [...]string{Current, Pending, Previous, "BLUE"} {
		k.str(p.labels[stage])
	}
	if p.labels != nil {
		k.ago(p.seen, p.cfg.LabelsLast)
	}
	k.str(p.seenCurrent)
	k.str(p.valueless)
	k.bool(p.news)
	k.bool(p.failed)
	k.byte(byte(p.delay))
	k.until(p.next)
	k.bool(p.first)
	k.bool(p.round.informed)
	k.bool(p.round.again)
	k.bool(p.round.blind)
	k.bool(p.round.valueless)
	k.byte(byte(len(p.round.outcomes)))
	for _, o := range p.round.outcomes {
		k.version(Version{o.id, o.stage})
		k.byte(byte(o.result))
	}
}

func (k *coder) caller(c *caller, p *Protocol) {
	k.bool(c.prober)
	k.byte(byte(c.turn.Do))
	k.version(c.turn.Version)
	k.bool(c.turn.Gen == p.gen)
	k.byte(byte(c.step.Do))
	k.version(c.step.Version)
	k.bool(c.step.Memory)
	if c.at == pausing {
		k.until(c.step.At)
	}
	k.str(c.id)
	k.rejections(c.call.own, &p.cfg)
}

func (k *coder) oracle(o *oracle, cfg *Config) {
	for i := range o.refused {
		r := &o.refused[i]
		k.bool(r.active)
		if r.active {
			k.bool(r.lifted)
			k.bool(r.fresh)
			k.byte(byte(r.n), byte(r.under))
			k.ago(r.at, cfg.pause(r.n))
		}
	}
	k.bool(o.informed)
	k.byte(byte(o.pending))
	k.str(o.pendingID)
	k.str(o.current)
	k.byte(o.used)
	k.bool(o.missed1)
}
