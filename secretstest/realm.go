package secretstest

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// A realm is one region of one account, the scope of ListSecrets. The server's
// lock guards it.
type realm struct {
	account string
	region  string
	names   map[string]*secret
	arns    map[string]*secret // by full ARN
	created []*secret          // in the order of creation
	seq     uint64             // of the newest secret
	edits   uint64             // counts changes that may move a secret in a sorted list
	sorted  map[string]sortedList
}

// add enters a secret made of c. An empty suffix is made up.
func (r *realm) add(c *content, suffix string) *secret {
	if suffix == "" {
		suffix = randomSuffix()
	}
	r.seq++
	s := &secret{
		content: c,
		realm:   r,
		arn:     arnOf(r.region, r.account, c.name, suffix),
		suffix:  suffix,
		seq:     r.seq,
	}
	r.names[c.name] = s
	r.arns[s.arn] = s
	r.created = append(r.created, s)
	r.edits++
	return s
}

// remove forgets a secret at once.
func (r *realm) remove(s *secret) {
	if r.names[s.name] == s {
		delete(r.names, s.name)
	}
	delete(r.arns, s.arn)
	s.gone = true
	if i, ok := slices.BinarySearchFunc(r.created, s.seq, compareSeq); ok {
		r.created = slices.Delete(r.created, i, i+1)
	}
	r.edits++
}

func compareSeq(s *secret, seq uint64) int {
	switch {
	case s.seq < seq:
		return -1
	case s.seq > seq:
		return 1
	}
	return 0
}

// find returns the secret that id names in this realm, or nil. A secret whose
// recovery window has ended is removed and not found.
func (r *realm) find(id string, now time.Time) *secret {
	s := r.names[id]
	if strings.HasPrefix(id, "arn:") {
		s = r.findARN(id)
	}
	if s != nil && now.Before(s.visible) {
		return nil
	}
	if s != nil && s.dying() && !now.Before(s.purge) {
		r.remove(s)
		return nil
	}
	return s
}

// findARN finds a secret by its ARN, with or without the suffix. An ARN that
// ends in a hyphen and six characters is always taken for a complete one.
func (r *realm) findARN(arn string) *secret {
	if s := r.arns[arn]; s != nil {
		return s
	}
	account, region, name, ok := secretARN(arn)
	if !ok || account != r.account || region != r.region || completeARN.MatchString(name) {
		return nil
	}
	return r.names[name]
}

// dayOf cuts a time to the day.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// realm returns the realm of a region and an account. It makes it if necessary.
func (s *Server) realmLocked(account, region string) *realm {
	key := [2]string{account, region}
	r := s.realms[key]
	if r == nil {
		r = &realm{
			account: account,
			region:  region,
			names:   make(map[string]*secret),
			arns:    make(map[string]*secret),
		}
		s.realms[key] = r
	}
	return r
}

// findLocked returns the secret that id names for a caller, or nil. Another
// account's secret is found by its ARN only.
func (s *Server) findLocked(account, region, id string, now time.Time) *secret {
	if strings.HasPrefix(id, "arn:") {
		if owner, _, _, ok := secretARN(id); ok && owner != account {
			account = owner
			if s.realms[[2]string{account, region}] == nil {
				return nil
			}
		}
	}
	return s.realmLocked(account, region).find(id, now)
}

// A sortedList is a realm's secrets in an order other than that of creation. It
// is valid until the realm's count of edits changes.
type sortedList struct {
	edits   uint64
	secrets []*secret
}

// order returns the realm's secrets in ascending order. The slice must not be
// changed.
func (r *realm) order(by string) []*secret {
	if by == "" || by == "created-date" {
		return r.created
	}
	if l, ok := r.sorted[by]; ok && l.edits == r.edits {
		return l.secrets
	}
	list := slices.Clone(r.created)
	sort.SliceStable(list, func(i, j int) bool { return list[i].sortKey(by) < list[j].sortKey(by) })
	if r.sorted == nil {
		r.sorted = make(map[string]sortedList)
	}
	r.sorted[by] = sortedList{r.edits, list}
	return list
}
