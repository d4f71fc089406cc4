package snapshot

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/identity"
)

// Key returns what tells the secret from all others, see identity.Secret.
func (r *Record) Key() string { return identity.Of(r.ARN, r.Name, "").Key }

// Names reports whether id names the record's secret in a scope: it was asked
// for by it, or it is the ARN, with the suffix or without, or the name of a
// secret of the scope itself.
func (r *Record) Names(id string, in Scope) bool {
	who := identity.Of(r.ARN, r.Name, "")
	const suffix = len("-XXXXXX")
	switch {
	case id == r.ARN || slices.Contains(r.IDs, id):
		return true
	case who.Named && id == r.ARN[:len(r.ARN)-suffix]:
		return true
	}
	return who.Named && id == r.Name && r.scope().contains(in)
}

// scope returns the account and the region of the record's ARN.
func (r *Record) scope() Scope {
	parts := strings.SplitN(r.ARN, ":", 6)
	if len(parts) < 6 {
		return Scope{}
	}
	return Scope{Account: parts[4], Region: parts[3]}
}

// contains reports whether in may be s.
func (s Scope) contains(in Scope) bool {
	return s.Account == in.Account && (in.Region == "" || in.Region == s.Region)
}

// Refused is what the service said no to: ids asked for, and keys of secrets.
type Refused map[string]struct{}

// Has reports whether the record's secret was refused, by whatever name.
func (f Refused) Has(r *Record) bool {
	if len(f) == 0 {
		return false
	}
	names := append([]string{r.Key(), r.ARN, r.Name}, r.IDs...)
	if who := identity.Of(r.ARN, r.Name, ""); who.Named {
		names = append(names, r.ARN[:len(r.ARN)-len("-XXXXXX")])
	}
	return slices.ContainsFunc(names, func(name string) bool { _, ok := f[name]; return ok })
}

// Merge returns the records of a new snapshot, size at most: those that are
// cached now, and of the last snapshot those that are not, were not refused and
// are not too old.
func Merge(cached, last []Record, refused Refused, oldest time.Time, size int) []Record {
	have := make(map[string]bool, len(cached))
	all := slices.Clone(cached)
	for i := range cached {
		have[space(&cached[i])] = true
	}
	for i := range last {
		r := &last[i]
		if !have[space(r)] && !refused.Has(r) && r.Confirmed > oldest.UnixNano() {
			all = append(all, *r)
		}
	}
	slices.SortStableFunc(all, func(a, b Record) int { return cmp.Compare(b.Confirmed, a.Confirmed) })
	return all[:min(len(all), size)]
}

func space(r *Record) string { return identity.Of(r.ARN, r.Name, "").Space() }
