package secretstest

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A realm is one region of one account: what a ListSecrets can see. The
// server's lock guards it.
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

// A secret is what one region shows of a content: the primary secret or one of
// its replicas.
type secret struct {
	*content
	realm    *realm
	arn      string
	suffix   string
	seq      uint64 // ascending by creation, never used twice in a realm
	kmsKeyID string
	replica  bool
	accessed time.Time // cut to the day; zero before the first read
	purge    time.Time // when the recovery window ends; zero unless it is to be deleted
}

func (s *secret) dying() bool { return !s.purge.IsZero() }

// add enters a secret made of c. An empty suffix is made up.
func (r *realm) add(c *content, suffix string) *secret {
	if suffix == "" {
		suffix = randomSuffix()
	}
	r.seq++
	s := &secret{
		content: c,
		realm:   r,
		arn:     "arn:aws:secretsmanager:" + r.region + ":" + r.account + ":secret:" + c.name + "-" + suffix,
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
	if s != nil && s.dying() && !now.Before(s.purge) {
		r.remove(s)
		return nil
	}
	return s
}

var completeARN = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

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

// secretARN takes the ARN of a secret apart. The name has its suffix, if the ARN
// had one.
func secretARN(arn string) (account, region, name string, ok bool) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 || parts[0] != "arn" || parts[2] != "secretsmanager" || parts[5] != "secret" {
		return "", "", "", false
	}
	return parts[4], parts[3], parts[6], true
}

const suffixAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomSuffix returns six characters for the end of an ARN.
func randomSuffix() string {
	var b [6]byte
	for i := range b {
		b[i] = suffixAlphabet[rand.IntN(len(suffixAlphabet))]
	}
	return string(b[:])
}

// dayOf cuts a time to the day.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// realm returns the realm of a region and an account and makes it if there is
// none yet.
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

// checkName reports whether id has only characters that a name or an ARN may
// have.
func checkName(id string) error {
	if strings.HasPrefix(id, "arn:") {
		id = strings.ReplaceAll(id, ":", "")
	}
	if !plainName(id) {
		return errName
	}
	return nil
}

// plainName reports whether each character may stand in a name.
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-/_+=.@!", c) >= 0:
		default:
			return false
		}
	}
	return true
}
