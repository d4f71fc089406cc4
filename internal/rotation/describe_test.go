package rotation

import "fmt"

// describe prints a state for a person who reads how a rule was broken.
func (n *node) describe(who int) string {
	by := fmt.Sprint("caller ", who)
	switch who {
	case byTime:
		by = "time"
	case byWorld:
		by = "world"
	}
	s := fmt.Sprintf("%-9s now %d moment %d cached %s memory %s phase %v pin %v labels %v next %d news %v failed %v rejections %+v round %+v\n",
		by, n.now, n.moment, n.cached, n.memory, n.p.phase, n.p.pin, n.p.labels, n.p.next, n.p.news, n.p.failed, n.p.rejections, n.p.round)
	for i, c := range n.callers {
		s += fmt.Sprintf("            %d: at %d prober %v turn %+v step %+v id %s own %+v\n", i, c.at, c.prober, c.turn, c.step, c.id, c.call.own)
	}
	return s
}
