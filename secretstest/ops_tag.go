package secretstest

import (
	"slices"
	"strings"
	"unicode"
)

func tagResource(c *call) (any, error) {
	tags, err := mergeTags(c.secret.tags, c.in.objects("Tags"))
	if err != nil {
		return nil, err
	}
	return nil, c.setTags(tags)
}

// setTags changes the tags, unless the caller would then no longer be allowed
// to.
func (c *call) setTags(tags []tag) error {
	s := c.secret
	if s.policy != nil {
		old := s.tags
		s.tags = tags
		err := c.authorize(c.op.name, s, s.arn)
		s.tags = old
		if err != nil {
			return err
		}
	}
	c.change()
	s.tags = tags
	return nil
}

func untagResource(c *call) (any, error) {
	drop := c.in.strs("TagKeys")
	for _, key := range drop {
		if reserved(key) {
			return nil, errReserved
		}
	}
	left := slices.Clone(c.secret.tags)
	left = slices.DeleteFunc(left, func(t tag) bool { return slices.Contains(drop, t.Key) })
	return nil, c.setTags(left)
}

var (
	errReserved = invalidParameter("Tag keys can't begin with aws:, a prefix that is reserved for AWS use.")
	errControl  = invalidParameter("The keys and values of tags can't have control characters.")
)

// reserved reports whether only AWS itself may use the key of a tag.
func reserved(key string) bool { return len(key) >= 4 && strings.EqualFold(key[:4], "aws:") }

// checkTag returns an error for an invalid tag.
func checkTag(key, value string) error {
	switch {
	case reserved(key):
		return errReserved
	case strings.ContainsFunc(key+value, unicode.IsControl):
		return errControl
	}
	return nil
}

// mergeTags returns old with the tags of a request added, each of which must
// have a key. It is nil when there are none.
func mergeTags(old []tag, add []input) ([]tag, error) {
	out := slices.Clone(old)
	for _, t := range add {
		key := t.str("Key")
		if key == "" {
			return nil, invalidParameter("A tag must have a key.")
		}
		if err := checkTag(key, t.str("Value")); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(out, func(t tag) bool { return t.Key == key })
		if i >= 0 {
			out[i].Value = t.str("Value")
			continue
		}
		out = append(out, tag{Key: key, Value: t.str("Value")})
	}
	if len(out) > maxTags {
		return nil, invalidParameter("A secret can't have more than %d tags.", maxTags)
	}
	return out, nil
}
