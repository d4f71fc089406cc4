package secretstest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/filter"
)

// listAnswer is the answer to ListSecrets.
type listAnswer struct {
	SecretList []*description
	NextToken  string `json:",omitempty"`
}

func listSecrets(c *call) (any, error) {
	if err := c.authorize("ListSecrets", nil, "*"); err != nil {
		return nil, err
	}
	page, next, err := c.listPage("ListSecrets", 100)
	if err != nil {
		return nil, err
	}
	out := &listAnswer{SecretList: []*description{}, NextToken: next}
	for _, s := range page {
		d := s.describe(s.content, true)
		d.ListedStages = s.stages()
		out.SecretList = append(out.SecretList, d)
	}
	return out, nil
}

// listPage returns the page of secrets that the call asks for, and the token of
// the next one.
func (c *call) listPage(op string, size int) ([]*secret, string, error) {
	fs, err := c.filters()
	if err != nil {
		return nil, "", err
	}
	by, descending := c.in.str("SortBy"), c.in.str("SortOrder") == "desc"
	dying := c.in.flag("IncludePlannedDeletion", false)
	tok := token{
		Op:    op,
		Realm: c.realm.account + "/" + c.realm.region,
		Query: queryText(fs, by, descending, dying),
	}
	if err := c.openToken(&tok); err != nil {
		return nil, "", err
	}
	size = c.in.num("MaxResults", size)
	var page []*secret
	walk := walk{list: c.realm.order(by), by: by, descending: descending, from: tok}
	for n := 1; ; n++ {
		s := walk.next()
		if s == nil {
			return page, "", nil
		}
		if n%scanBatch == 0 {
			c.rest()
			if by == "" || by == "created-date" {
				walk = walkAfter(c.realm.created, s, descending)
			}
		}
		if !c.listed(s, dying) || len(fs) > 0 && !filter.Match(fs, s.filterView()) {
			continue
		}
		if len(page) == size {
			last := page[size-1]
			tok.Key, tok.Seq = last.sortKey(by), last.seq
			return page, c.srv.sealToken(tok), nil
		}
		page = append(page, s)
	}
}

// scanBatch is how many secrets a list goes through before it lets others have
// their turn.
const scanBatch = 2000

// rest lets others have the server's lock for a moment.
func (c *call) rest() {
	c.srv.mu.Unlock()
	runtime.Gosched()
	c.srv.mu.Lock()
}

// listed reports whether a secret is still there and to be listed.
func (c *call) listed(s *secret, dying bool) bool {
	if s.dying() && (!dying || !c.now.Before(s.purge)) {
		return false
	}
	return !s.gone && !c.now.Before(s.visible)
}

// A walk goes through a list of secrets that is in ascending order.
type walk struct {
	list       []*secret
	by         string
	descending bool
	from       token // of the page before; zero for the first
	begun      bool
	at         int // position of next
}

// walkAfter returns a walk in the order of creation that starts after a secret.
func walkAfter(created []*secret, s *secret, descending bool) walk {
	return walk{list: created, descending: descending, from: token{Seq: s.seq}}
}

// next returns the next secret, or nil at the end.
func (w *walk) next() *secret {
	if !w.begun {
		w.begin()
	}
	if w.at < 0 || w.at >= len(w.list) {
		return nil
	}
	s := w.list[w.at]
	if w.descending {
		w.at--
	} else {
		w.at++
	}
	return s
}

// begin finds the place after the token.
func (w *walk) begin() {
	w.begun = true
	i, found := slices.BinarySearchFunc(w.list, w.from, func(s *secret, t token) int {
		if c := cmp.Compare(s.sortKey(w.by), t.Key); c != 0 {
			return c
		}
		return cmp.Compare(s.seq, t.Seq)
	})
	switch {
	case w.descending && w.from.Seq == 0:
		i = len(w.list) - 1
	case w.descending:
		i--
	case found:
		i++
	}
	w.at = i
}

// queryText returns the parameters of a list as text, so that a token is valid
// only for the same list.
func queryText(fs []filter.Filter, by string, descending, dying bool) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %t %t", fs, by, descending, dying))
	return hex.EncodeToString(sum[:8])
}

// filters reads the filters of a call.
func (c *call) filters() ([]filter.Filter, error) {
	var fs []filter.Filter
	for _, f := range c.in.objects("Filters") {
		fs = append(fs, filter.Filter{Key: f.str("Key"), Values: f.strs("Values")})
	}
	if err := filter.Check(fs); err != nil {
		return nil, invalidParameter("%s", err)
	}
	return fs, nil
}
