package secretstest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
		d := s.describe(s.content)
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
	for s := range after(c.realm.order(by), by, descending, tok) {
		if s.dying() && (!dying || !c.now.Before(s.purge)) || len(fs) > 0 && !filter.Match(fs, s.filterView()) {
			continue
		}
		if len(page) == size {
			last := page[size-1]
			tok.Key, tok.Seq = last.sortKey(by), last.seq
			return page, c.srv.sealToken(tok), nil
		}
		page = append(page, s)
	}
	return page, "", nil
}

// after yields the secrets of an ascending list that come after the one the
// token names, in the order asked for.
func after(list []*secret, by string, descending bool, tok token) func(func(*secret) bool) {
	at := func(s *secret, _ token) int {
		if c := cmp.Compare(s.sortKey(by), tok.Key); c != 0 {
			return c
		}
		return cmp.Compare(s.seq, tok.Seq)
	}
	return func(yield func(*secret) bool) {
		i, found := slices.BinarySearchFunc(list, tok, at)
		if descending {
			if tok.Seq == 0 {
				i = len(list)
			}
			for i--; i >= 0 && yield(list[i]); i-- {
			}
			return
		}
		if found {
			i++
		}
		for ; i < len(list) && yield(list[i]); i++ {
		}
	}
}

// queryText sums up what a list is of, so that a token is used for it only.
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
