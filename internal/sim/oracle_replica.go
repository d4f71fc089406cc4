package sim

import (
	"slices"
	"time"
)

// remembered is for how long at most a failure is told to later readers.
const remembered = time.Minute

// checkCold looks for a first read that fails though one of the regions could be
// asked.
func (o *oracle) checkCold(r *Read) {
	if !o.w.plan.Client.Replica || r.group != Raw || r.own || !o.servedBy(r, Primary) && !o.servedBy(r, Replica) {
		return
	}
	for _, v := range []Region{Primary, Replica} {
		if o.hurt(r, v, func(e Event) bool { return !isOutage(e) && e.Kind != Lag }) {
			return
		}
	}
	o.report(Cold, r.end, "%v: a region could be asked", r)
}

// servedBy reports whether nothing kept a region from answering r, and what it
// had was the secret that r asks for.
func (o *oracle) servedBy(r *Read, where Region) bool {
	from := r.begin - remembered - longestLag
	return from > o.h.session.opened && !o.hurt(r, where, func(e Event) bool { return e.Kind != Lag }) &&
		o.h.oneIncarnation(from, r.end) && o.h.names(r.id, from)
}

// names reports whether an id names the incarnation that there was at a moment.
func (h *History) names(id string, at time.Duration) bool {
	inc := h.secret.at(at).inc
	return inc != nil && (!isARN(h.secret, id) || id == inc.arn)
}

// hurt reports whether an event of the given ones may have concerned r's calls in
// a region, or those of readers shortly before.
func (o *oracle) hurt(r *Read, where Region, counts func(Event) bool) bool {
	return slices.ContainsFunc(o.w.plan.Events, func(e Event) bool {
		return (e.Kind == Fault || e.Kind == Slow || e.Kind == Lag) && e.at(where) && counts(e) &&
			e.At <= r.end && e.At+e.For+remembered >= r.begin
	})
}

// isOutage reports whether e is a region's not answering, which the other is
// asked after.
func isOutage(e Event) bool { return e.Kind == Fault && slices.Contains(outages, e.Fault) }
