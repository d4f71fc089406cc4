package sim

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// A World is the simulated service with all that it ever was. Times are since
// its start. It is safe for concurrent use by multiple goroutines.
type World struct {
	plan  *Plan
	start time.Time

	mu       sync.Mutex // guards the fields below
	secrets  []*Secret
	versions map[string]*Version // by token
	calls    []*Call
	drawn    []int // calls for each secret, of which chance is drawn
	reads    []*Read
	uses     []*Use
	opens    map[opened]int // how often a connector's open was called
	sessions []*Session
	troubles []Violation // found while running
}

// A Secret is all that ever had one name.
type Secret struct {
	index int
	plan  SecretPlan
	incs  []*Incarnation
	snaps []*Snapshot // by time

	accepts map[string]*Version // by user name: the version whose password the database takes
	changes []time.Duration     // when accepts changed
	taken   []*Version          // to what
}

// An Incarnation is a secret from its creation to its deletion.
type Incarnation struct {
	secret   *Secret
	n        int
	arn      string
	versions []*Version
}

// A Version is one version of a secret.
type Version struct {
	inc      *Incarnation
	n        int
	id       string
	token    string // in its value, and in no other's
	created  time.Duration
	valued   time.Duration // when it was given its value, -1: not yet
	flavor   Flavor
	validate time.Duration
	user     string
}

func (v *Version) String() string {
	if v == nil {
		return "nothing"
	}
	return v.token
}

// A Snapshot is what a secret is from one change to the next. It never changes.
type Snapshot struct {
	at      time.Duration
	what    string
	inc     *Incarnation // nil: there is none
	deleted bool         // scheduled for deletion
	labels  map[string]*Version
}

const arnBase = "arn:aws:secretsmanager:" + string(Primary) + ":123456789012:secret:"

func newWorld(p *Plan) *World {
	w := &World{plan: p, start: time.Now(), versions: map[string]*Version{}, opens: map[opened]int{}, drawn: make([]int, len(p.Secrets)+1)}
	for i, sp := range p.Secrets {
		s := &Secret{index: i, plan: sp, accepts: map[string]*Version{}}
		w.secrets = append(w.secrets, s)
		w.create(s, Event{Kind: Recreate})
	}
	return w
}

func (w *World) now() time.Duration { return time.Since(w.start) }

// at returns what s was at a moment.
func (s *Secret) at(t time.Duration) *Snapshot {
	i, found := slices.BinarySearchFunc(s.snaps, t, func(sn *Snapshot, t time.Duration) int {
		return int(min(1, max(-1, sn.at-t)))
	})
	for found && i+1 < len(s.snaps) && s.snaps[i+1].at == t {
		i++
	}
	if !found {
		i--
	}
	return s.snaps[max(0, i)]
}

// resolve returns the secret that an id names, as it was at a moment; a nil
// snapshot if there was none.
func (w *World) resolve(id string, t time.Duration) (*Secret, *Snapshot) {
	for _, s := range w.secrets {
		for _, inc := range s.incs {
			if inc.arn != id {
				continue
			}
			if sn := s.at(t); sn.inc == inc {
				return s, sn
			}
			return s, nil
		}
		if id == s.plan.Name || id == arnBase+s.plan.Name {
			if sn := s.at(t); sn.inc != nil {
				return s, sn
			}
			return s, nil
		}
	}
	return nil, nil
}

// apply makes an event of the service happen now.
func (w *World) apply(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.secrets[e.Secret]
	last := s.snaps[len(s.snaps)-1]
	if e.Kind == Recreate {
		w.create(s, e)
		return
	}
	if last.inc == nil || last.deleted {
		return
	}
	next := &Snapshot{at: w.now(), inc: last.inc, labels: maps.Clone(last.labels)}
	if !w.change(s, next, e) {
		return
	}
	if next.what == "" {
		next.what = string(e.Kind)
	}
	s.snaps = append(s.snaps, next)
}

// change makes an event's change in sn and reports whether there is one.
func (w *World) change(s *Secret, sn *Snapshot, e Event) bool {
	cur, pending := sn.labels["AWSCURRENT"], sn.labels["AWSPENDING"]
	outstanding := pending != nil && pending != cur
	switch e.Kind {
	case Put:
		v := w.newVersion(sn.inc, e)
		promote(sn, v)
		w.accept(s, v)
	case Rollback:
		prev := sn.labels["AWSPREVIOUS"]
		if prev == nil {
			return false
		}
		promote(sn, prev)
	case Label:
		sn.labels["canary"] = cur
	case RotCreate:
		if outstanding {
			return false
		}
		v := w.newVersion(sn.inc, e)
		v.valued = -1
		sn.labels["AWSPENDING"] = v
	case RotValue:
		if !outstanding || pending.valued >= 0 {
			return false
		}
		pending.valued, pending.flavor, pending.validate = w.now(), e.Flavor, e.Validate
	case RotSet:
		if !outstanding || pending.valued < 0 {
			return false
		}
		w.accept(s, pending)
		sn.what = "setSecret: the database takes " + pending.token
	case RotFinish:
		if !outstanding || pending.valued < 0 {
			return false
		}
		promote(sn, pending)
		if !e.Force {
			delete(sn.labels, "AWSPENDING")
		}
	case Lock:
		clear(s.accepts)
		s.changed(w.now(), nil)
	case Unlock:
		w.accept(s, cur)
	case Delete:
		sn.deleted = true
		if e.Force {
			sn.inc, sn.labels, sn.deleted = nil, nil, false
		}
	default:
		return false
	}
	return true
}

// promote moves AWSCURRENT to v and AWSPREVIOUS to what was current.
func promote(sn *Snapshot, v *Version) {
	if old := sn.labels["AWSCURRENT"]; old != nil && old != v {
		sn.labels["AWSPREVIOUS"] = old
	}
	sn.labels["AWSCURRENT"] = v
}

// create makes a secret of s's name, in the place of the one that there is.
func (w *World) create(s *Secret, e Event) {
	if n := len(s.snaps); n > 0 && s.snaps[n-1].inc != nil && !s.snaps[n-1].deleted {
		return // a name is free only after a deletion
	}
	inc := &Incarnation{secret: s, n: len(s.incs)}
	inc.arn = fmt.Sprintf("%s%s-x%d%04d", arnBase, s.plan.Name, s.index, inc.n)
	s.incs = append(s.incs, inc)
	v := w.newVersion(inc, e)
	if e.Force {
		v.id = s.incs[inc.n-1].versions[0].id
	}
	s.snaps = append(s.snaps, &Snapshot{at: w.now(), what: "created", inc: inc, labels: map[string]*Version{"AWSCURRENT": v}})
	w.accept(s, v)
}

func (w *World) newVersion(inc *Incarnation, e Event) *Version {
	v := &Version{inc: inc, n: len(inc.versions), created: w.now(), valued: w.now(), flavor: e.Flavor, validate: e.Validate, user: "app"}
	if inc.secret.plan.Users == 2 {
		v.user = [...]string{"app", "app_clone"}[v.n%2]
	}
	v.token = fmt.Sprintf("s%d.%d.v%d", inc.secret.index, inc.n, v.n)
	v.id = fmt.Sprintf("%s-0000-0000-0000-%012d", v.token, w.plan.Seed%1e12)
	inc.versions = append(inc.versions, v)
	w.versions[v.token] = v
	return v
}

// accept changes the password at the database to v's.
func (w *World) accept(s *Secret, v *Version) {
	s.accepts[v.user] = v
	s.changed(w.now(), v)
}

func (s *Secret) changed(at time.Duration, to *Version) {
	s.changes = append(s.changes, at)
	s.taken = append(s.taken, to)
}

// takes reports whether the database of s takes v's password.
func (w *World) takes(v *Version) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return v.inc.secret.accepts[v.user] == v
}

// text is the version's value.
func (v *Version) text() string {
	if v.flavor == Malformed {
		return fmt.Sprintf(`{"token":"%s",`, v.token)
	}
	return fmt.Sprintf(`{"token":"%s","username":"%s","password":"pw %s","flavor":"%s","validate":%d}`,
		v.token, v.user, v.token, v.flavor, v.validate)
}

// labelsOf returns the labels of a version in sn.
func (sn *Snapshot) labelsOf(v *Version) []string {
	var names []string
	for l, o := range sn.labels {
		if o == v {
			names = append(names, l)
		}
	}
	slices.Sort(names)
	return names
}

func (sn *Snapshot) String() string {
	if sn.inc == nil {
		return "deleted"
	}
	text := sn.what + ":"
	for _, l := range slices.Sorted(maps.Keys(sn.labels)) {
		text += fmt.Sprintf(" %s=%s", l, sn.labels[l])
	}
	if sn.deleted {
		text += " (scheduled for deletion)"
	}
	return text
}
