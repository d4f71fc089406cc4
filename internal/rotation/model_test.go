package rotation

import "slices"

// The model: a service and a resource that go through the moments of a script,
// and callers that share one handle. Versions are "0", "1", …; "" is none.

// A moment is what is true for a while.
type moment struct {
	current, pending, previous, blue string
	valueless                        bool   // the pending version has no value
	accepts                          string // the versions that the resource accepts
	down                             bool   // the service does not answer
}

func (m *moment) labels() Labels {
	l := Labels{}
	for stage, id := range map[string]string{Current: m.current, Pending: m.pending, Previous: m.previous, "BLUE": m.blue} {
		if id != "" {
			l[stage] = id
		}
	}
	return l
}

// A model is what an exploration explores.
type model struct {
	name    string
	script  []moment
	cfg     Config
	callers int
	few     int // callers where there is little time; 0: as many

	again      bool // a caller whose use was accepted, or that left, begins another
	late       bool // the resource's answer may be on its way for a while
	undescribe bool // DescribeSecret is denied
	denied     bool // AWSPENDING is denied
	back       bool // the client's current version may go back
	alone      bool // no version may be rejected twice within a pause, whatever the reason

	lags, faults, leaves, refreshes uint8 // how many of each
}

// A place is where a caller is.
type place uint8

const (
	ready    place = iota // about to ask what to do
	using                 // the version is on its way to the resource
	accepted              // it was accepted, which the handle does not know yet
	rejected              // it was rejected, likewise
	waiting               // for the prober
	asking                // the prober's: the labels
	fetching              // a version
	pausing               // between rounds
	done                  // the call is over
)

// A caller is one of those who share the handle.
type caller struct {
	at     place
	prober bool
	turn   Turn
	step   Step
	id     string // the version that the prober offers
	call   Call
	news   bool       // a version was rejected since the use began
	waited bool       // for a prober
	ended  bool       // a round ended since
	own    [5]refusal // what its own uses rejected, by version
}

// A node is a state of the model.
type node struct {
	p       Protocol
	now     Instant
	callers []caller

	alone                           bool // see model
	moment                          uint8
	cached                          string // what the client serves as current
	memory                          string // versions whose values are in memory
	lags, faults, leaves, refreshes uint8  // what is left

	o oracle
}

func (m *model) start() *node {
	n := &node{p: *New(m.cfg), callers: make([]caller, m.callers), alone: m.alone, cached: m.script[0].current}
	n.memory = n.cached
	n.lags, n.faults, n.leaves, n.refreshes = m.lags, m.faults, m.leaves, m.refreshes
	return n
}

func (n *node) clone() *node {
	c := *n
	c.p.rejections = slices.Clone(n.p.rejections)
	c.p.round.outcomes = slices.Clone(n.p.round.outcomes)
	c.callers = slices.Clone(n.callers)
	for i := range c.callers {
		c.callers[i].call.own = slices.Clone(c.callers[i].call.own)
	}
	return &c
}

// An edge is a step of the model: by a caller, by time, or by nobody who must.
type edge struct {
	who    int // a caller's index
	accept bool
	to     *node
}

const (
	byTime  = -1
	byWorld = -2
)

// successors returns every step that is possible.
func (m *model) successors(n *node) (edges []edge) {
	add := func(who int, accept bool, do func(*node)) {
		c := n.clone()
		do(c)
		c.settle()
		edges = append(edges, edge{who, accept, c})
	}
	add(byTime, false, func(c *node) { c.now++ })
	if int(n.moment)+1 < len(m.script) {
		add(byWorld, false, func(c *node) { c.moment++ })
	}
	if truth := m.script[n.moment].current; n.refreshes > 0 && truth != n.cached && (truth > n.cached || m.back) {
		add(byWorld, false, func(c *node) { c.refreshes--; c.serve(truth) })
	}
	for i := range n.callers {
		m.steps(n, i, add)
		if at := n.callers[i].at; n.leaves > 0 && at != ready && at != done {
			add(byWorld, false, func(c *node) { c.leaves--; m.end(c, i) })
		}
	}
	return edges
}

// serve makes a version what the client serves as current.
func (n *node) serve(id string) {
	n.cached = id
	n.remember(id)
}

func (n *node) remember(id string) {
	if !slices.Contains([]byte(n.memory), id[0]) {
		b := append([]byte(n.memory), id[0])
		slices.Sort(b)
		n.memory = string(b)
	}
}

func (n *node) inMemory(id string) bool { return id != "" && slices.Contains([]byte(n.memory), id[0]) }

// settle ends a step: those who wait look again if they are told to.
func (n *node) settle() {
	n.o.settle(n)
	n.wake(-1)
}

// wake makes those who wait look again, if they should. The prober is told as
// well, but for what it did itself.
func (n *node) wake(but int) {
	if !n.p.TakeWake() {
		return
	}
	for i := range n.callers {
		switch c := &n.callers[i]; {
		case c.at == waiting:
			c.at = ready
		case c.at == pausing && i != but:
			c.step.At = n.now
		}
	}
}

// steps adds what caller i can do.
func (m *model) steps(n *node, i int, add func(int, bool, func(*node))) {
	c := &n.callers[i]
	truth := &m.script[n.moment]
	switch c.at {
	case ready:
		add(i, false, func(n *node) { m.begin(n, i) })
	case using:
		ok := slices.Contains([]byte(truth.accepts), c.version()[0])
		answer := func(n *node) {
			n.callers[i].at = rejected
			if ok {
				n.callers[i].at = accepted
			}
		}
		if m.late {
			add(i, false, answer)
		} else {
			add(i, ok, func(n *node) { answer(n); m.report(n, i) })
		}
	case accepted, rejected:
		add(i, c.at == accepted, func(n *node) { m.report(n, i) })
	case pausing:
		if n.now >= c.step.At {
			add(i, false, func(n *node) { m.startRound(n, i) })
		}
	case asking:
		m.ask(n, i, add)
	case fetching:
		m.get(n, i, add)
	}
}

func (c *caller) version() string {
	if c.prober {
		return c.id
	}
	return c.turn.ID
}

func (c *caller) offered() Version {
	if c.prober {
		return Version{c.id, c.step.Stage}
	}
	return c.turn.Version
}

func (m *model) begin(n *node, i int) {
	c := &n.callers[i]
	inRound := n.p.Phase().inRound()
	c.turn = n.p.Begin(&c.call, n.cached, n.now, true)
	n.o.begun(n, c)
	pin, pinned := n.p.Pin()
	if pinned && pin.ID == n.cached {
		n.o.fail("the pinned version %s is current", pin.ID)
	}
	switch c.turn.Do {
	case Use:
		if inRound && n.p.Phase().inRound() && !pinned {
			n.o.fail("R3: a call is offered %s while the prober is in a round", c.turn.ID)
		}
		c.at, c.news = using, false
		n.o.use(n, c)
	case Wait:
		c.at = waiting
	case Probe:
		c.prober = true
		m.startRound(n, i)
	case GiveUp:
		m.end(n, i)
	}
}

func (m *model) startRound(n *node, i int) {
	n.o.startRound()
	n.p.StartRound(n.now, n.cached, 1000)
	m.next(n, i)
}

// next takes the prober to its next step. A version that is in memory is there
// at once.
func (m *model) next(n *node, i int) {
	c := &n.callers[i]
	c.step = n.p.Next(&c.call, n.now, n.cached)
	switch c.step.Do {
	case Ask:
		c.at = asking
		n.o.asked(n)
	case Pause, Stop:
		n.o.roundEnded(n, c)
		c.at = pausing
		n.wake(i)
		if slices.ContainsFunc(n.callers, func(c caller) bool { return c.at == waiting }) {
			n.o.fail("R6: the round ended, and a call waits on")
		}
		if c.step.Do == Stop {
			m.end(n, i)
		}
	case Fetch:
		c.at = fetching
		n.o.asked(n)
		if n.inMemory(c.step.ID) {
			m.fetched(n, i, c.step.ID)
		} else if c.step.Memory {
			m.missed(n, i, Unreachable)
		}
	}
}

func (m *model) fetched(n *node, i int, id string) {
	c := &n.callers[i]
	n.remember(id)
	c.id = id
	offer := n.p.Fetched(&c.call, c.step, id, n.now)
	n.o.got(c.step, offer)
	if !offer {
		m.next(n, i)
		return
	}
	c.at = using
	n.o.use(n, c)
}

func (m *model) missed(n *node, i int, why Result) {
	c := &n.callers[i]
	n.p.Missed(c.step, why)
	n.o.missed(c.step, why)
	m.next(n, i)
}

// report tells the handle how a use ended.
func (m *model) report(n *node, i int) {
	c := &n.callers[i]
	ok := c.at == accepted
	switch {
	case ok && c.prober:
		n.o.accepted(c.id)
		n.p.ProberAccepted(&c.call, c.offered(), n.cached)
		m.end(n, i)
	case ok:
		quiet := n.p.Quiet()
		n.p.Accepted(c.turn)
		if c.news && !quiet && n.p.Quiet() {
			n.o.fail("a use from before the last rejection settled the handle")
		}
		m.end(n, i)
	case c.prober:
		c.own[index(c.id)] = refusal{known: true, at: n.now, under: setOf(c.step.Stage)}
		n.o.rejected(n, c.offered(), true, m.alone)
		n.p.ProberRejected(&c.call, c.step, c.id, n.now)
		m.next(n, i)
	default:
		c.own[index(c.turn.ID)] = refusal{known: true, at: n.now, under: setOf(c.turn.Stage)}
		n.o.rejected(n, c.offered(), false, m.alone)
		n.p.Rejected(&c.call, c.turn.Version, n.now)
		c.at, c.turn = ready, Turn{}
	}
}

// end ends a call: its use was accepted, or its context is over.
func (m *model) end(n *node, i int) {
	c := &n.callers[i]
	if c.prober {
		n.p.Leave()
	}
	*c = caller{at: done}
	if m.again {
		c.at = ready
	}
}

// ask adds the answers to the prober's question for the labels.
func (m *model) ask(n *node, i int, add func(int, bool, func(*node))) {
	truth := &m.script[n.moment]
	fail := func(n *node) {
		n.o.uninformed()
		n.p.Uninformed(n.now, n.cached)
		m.next(n, i)
	}
	answer := func(view *moment, value bool) func(*node) {
		return func(n *node) {
			if value && (view.current >= n.cached || view == truth && m.back) {
				n.serve(view.current)
			}
			labels := view.labels()
			if m.undescribe {
				labels = nil
			}
			n.o.told(n, view, m, n.p.round.again)
			n.p.Informed(n.now, labels, n.cached)
			m.next(n, i)
		}
	}
	if truth.down {
		add(i, false, fail)
		return
	}
	add(i, false, answer(truth, true))
	if n.faults > 0 {
		add(byWorld, false, func(n *node) { n.faults--; fail(n) })
		if truth.current != n.cached && !m.undescribe {
			add(byWorld, false, func(n *node) { n.faults--; answer(truth, false)(n) })
		}
	}
	if n.lags > 0 && n.moment > 0 {
		add(byWorld, false, func(n *node) { n.lags--; answer(&m.script[n.moment-1], true)(n) })
	}
}

// get adds the answers to the prober's request for a version.
func (m *model) get(n *node, i int, add func(int, bool, func(*node))) {
	truth := &m.script[n.moment]
	stage := n.callers[i].step.Stage
	answer := func(view *moment) func(*node) {
		return func(n *node) {
			id := view.labels()[stage]
			switch {
			case stage == Pending && m.denied:
				m.missed(n, i, Denied)
			case id == "" || stage == Pending && view.valueless:
				m.missed(n, i, Absent)
			default:
				m.fetched(n, i, id)
			}
		}
	}
	fail := func(n *node) { m.missed(n, i, Unreachable) }
	if truth.down {
		add(i, false, fail)
		return
	}
	add(i, false, answer(truth))
	if n.faults > 0 {
		add(byWorld, false, func(n *node) { n.faults--; fail(n) })
	}
	if n.lags > 0 && n.moment > 0 {
		add(byWorld, false, func(n *node) { n.lags--; answer(&m.script[n.moment-1])(n) })
	}
}
