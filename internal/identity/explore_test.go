package identity

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/explore"
)

// A model is a registry of secrets under two names, and the service behind it.
// Each name is deleted and created again, and keeps its replicas' old answers.
type model struct {
	names, lives uint8 // of each name
	checks       int   // that overlap
	dated        bool  // the answer says when the version was created
	evicts       bool
	noes         bool // the answer may be that there is no such secret
	seen         map[Verdict]int
}

// An id is what a secret is asked for by: 0 its name, 1 its ARN without the
// suffix, 2 and up the full ARN of each of its lives.
const partial = 2

type state struct {
	life [2]uint8 // of each name at the service, 1 the first

	cached   [2]uint8 // the life that is in the registry, 0 for none
	settled  [2]uint8
	former   [2]uint8    // as a set of lives
	ids      [2][5]bool  // whether the id names what is cached
	suspect  [2]uint8    // the life that was put off last
	replaced [2]uint8    // lives that the registry knows, or could know, to be over
	back     [2]uint8    // lives that ended checks have seen come back since
	checks   [2]question // the unused first
}

type question struct {
	n, name, id, suspect uint8
	back                 uint8 // of its name's state when it began
}

type event struct {
	kind     string
	name, id uint8 // or which check
	life     uint8
}

func (e event) String() string { return fmt.Sprintf("%s %d %d: life %d", e.kind, e.name, e.id, e.life) }

// secrets are those of each name and life.
var secrets = func() (all [2][4]Secret) {
	for name := range all {
		for life := range all[name] {
			arn := fmt.Sprintf("arn:aws:secretsmanager:eu-west-1:1:secret:%c-AAAAA%d", 'a'+name, life)
			all[name][life] = Of(arn, string(rune('a'+name)), "")
		}
	}
	return all
}()

func secret(name, life uint8) Secret { return secrets[name][life] }

// known returns what the registry has under a name, nil for nothing.
func (s *state) known(name uint8) *Known {
	if s.cached[name] == 0 {
		return nil
	}
	k := &Known{Secret: secret(name, s.cached[name]), Settled: uint64(s.settled[name]), Created: int64(s.cached[name])}
	for life := uint8(1); life < 8; life++ {
		if s.former[name]&(1<<life) != 0 {
			k.Former = append(k.Former, secret(name, life).Key)
		}
	}
	return k
}

func (m *model) next(s state, visit explore.Visit[state, event]) {
	for name := range m.names {
		if s.life[name] < m.lives {
			n := s
			n.life[name]++
			visit(event{"deleted and created", name, 0, n.life[name]}, n, "")
		}
		if m.evicts && s.cached[name] != 0 {
			n := s
			n.end(name)
			n.replaced[name], n.back[name] = 0, 0 // nothing is known of it
			visit(event{kind: "evicted", name: name}, n.canonical(), "")
		}
		for id := range m.lives + partial {
			m.begin(s, name, id, visit)
		}
	}
	for i, q := range s.checks {
		if q.n == 0 {
			continue
		}
		for life := uint8(1); life <= s.life[q.name]; life++ {
			if q.id < partial || q.id-partial+1 == life {
				n, violation := m.answer(s, i, life)
				visit(event{"answer", uint8(i), q.id, life}, n, violation)
			}
		}
		n := s
		n.checks[i] = question{}
		if m.noes && s.ids[q.name][q.id] && s.settled[q.name] <= q.n {
			n.end(q.name)
			n.replaced[q.name], n.back[q.name] = 0, 0
		}
		visit(event{"no answer", uint8(i), q.id, 0}, n.canonical(), "")
	}
}

// begin begins a check, with and without what is suspected.
func (m *model) begin(s state, name, id uint8, visit explore.Visit[state, event]) {
	if s.checks[0].n != 0 || m.checks == 1 && s.checks[1].n != 0 {
		return
	}
	for _, suspect := range [...]uint8{0, s.suspect[name]} {
		n := s
		n.checks[0] = question{n: s.number(), name: name, id: id, suspect: suspect, back: s.back[name]}
		visit(event{"begin", name, id, suspect}, n.canonical(), "")
	}
}

// answer places the answer that check i is about the given life.
func (m *model) answer(s state, i int, life uint8) (state, string) {
	q, n := s.checks[i], s
	n.checks[i] = question{}
	there := s.known(q.name)
	var named *Known
	if s.ids[q.name][q.id] {
		named = there
	}
	ask := Question{N: uint64(q.n)}
	if q.suspect != 0 {
		ask.Suspect = secret(q.name, q.suspect).Key
	}
	if m.dated {
		ask.Created = int64(life)
	}
	who := secret(q.name, life)
	v := Place(ask, who, named, there)
	m.seen[v]++
	violation := m.judge(&s, q, life, v)
	switch v {
	case PutOff:
		n.suspect[q.name] = life
		n.back[q.name] |= 1 << life
	case Found, New:
		n.place(q, life, v == New, there)
	}
	if n.ids[q.name][q.id] && q.id >= partial && n.cached[q.name] != q.id-partial+1 {
		violation = "an ARN names another secret"
	}
	return n.canonical(), violation
}

// place is what a registry does: everything known of another secret ends.
func (s *state) place(q question, life uint8, isNew bool, there *Known) {
	name := q.name
	if isNew {
		var former uint8
		if there != nil {
			for _, key := range Succeed(secret(name, life).Key, there) {
				former |= 1 << (key[len(key)-1] - '0')
			}
		}
		s.end(name)
		s.cached[name], s.former[name] = life, former
	}
	s.ids[name][q.id] = true
	s.settled[name] = max(s.settled[name], q.n)
	s.suspect[name], s.back[name] = 0, 0
	s.replaced[name] = former(life) | s.former[name]
}

// former are the lives before one.
func former(life uint8) uint8 { return 1<<life - 2 }

// judge holds the rules against a verdict.
func (m *model) judge(s *state, q question, life uint8, v Verdict) string {
	cached := s.cached[q.name]
	replaced := s.replaced[q.name]
	if !m.dated {
		replaced = s.former[q.name]
	}
	switch accepted := v == Found || v == New; {
	case v == Found && cached != life:
		return "found what is not cached"
	case v == New && cached == life:
		return "one secret has two entries"
	case accepted && cached != life && q.n < s.settled[q.name]:
		return "an earlier check changed what a later one settled"
	case accepted && cached != 0 && cached != life && replaced&(1<<life) != 0 && q.back&(1<<life) == 0 && !(m.dated && life > cached):
		return "a replaced secret is back on the word of one answer"
	case !accepted && cached == life:
		return "the answer is what is cached, and not taken"
	case v == PutOff && q.suspect == life:
		return "the second of two agreeing answers is put off"
	case v == PutOff && life > cached && (m.dated || replaced&(1<<life) == 0):
		return "a new secret is put off"
	case v == Overtaken && q.n >= s.settled[q.name]:
		return "overtaken by no later check"
	}
	return ""
}

// end forgets a cached secret and everything known by whatever name.
func (s *state) end(name uint8) {
	s.cached[name], s.settled[name], s.former[name], s.suspect[name] = 0, 0, 0, 0
	s.ids[name] = [5]bool{}
}

func (s *state) number() uint8 {
	return max(s.settled[0], s.settled[1], s.checks[0].n, s.checks[1].n) + 1
}

// canonical replaces numbers by ranks and puts the unused check first.
func (s state) canonical() state {
	if s.checks[0].n > s.checks[1].n {
		s.checks[0], s.checks[1] = s.checks[1], s.checks[0]
	}
	numbers := [...]*uint8{&s.settled[0], &s.settled[1], &s.checks[0].n, &s.checks[1].n}
	var ranks [4]uint8
	for i, a := range numbers {
		var below [8]bool
		for _, b := range numbers {
			if *b != 0 && *b <= *a {
				below[*b] = true
			}
		}
		for _, is := range below {
			if is {
				ranks[i]++
			}
		}
	}
	for i, n := range numbers {
		*n = ranks[i]
	}
	return s
}

func TestExplore(t *testing.T) {
	for _, test := range []struct {
		name  string
		model model
		full  bool // with EXPLORE=full alone
	}{
		{"three lives", model{names: 1, lives: 3, checks: 2, dated: true, evicts: true, noes: true}, false},
		{"three lives, undated", model{names: 1, lives: 3, checks: 2}, false},
		{"two names", model{names: 2, lives: 2, checks: 1, dated: true}, false},
		{"two names, overlapping", model{names: 2, lives: 2, checks: 2, dated: true}, true},
	} {
		if test.full && os.Getenv("EXPLORE") != "full" || testing.Short() && test.name != "two names" {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			test.model.seen = map[Verdict]int{}
			began := time.Now()
			got, err := explore.All(state{life: [2]uint8{1, 1}}, test.model.next)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%v, %v", got, time.Since(began).Round(time.Millisecond))
			for v := Found; v <= PutOff; v++ {
				if test.model.seen[v] == 0 && !(v == Overtaken && test.model.checks == 1) {
					t.Errorf("verdict %d was never given", v)
				}
			}
		})
	}
}
