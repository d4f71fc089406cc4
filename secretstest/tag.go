package secretstest

import "slices"

func tagResource(c *call) (any, error) {
	tags, err := mergeTags(c.secret.tags, c.in.objects("Tags"))
	if err != nil {
		return nil, err
	}
	c.change()
	c.secret.tags = tags
	return nil, nil
}

func untagResource(c *call) (any, error) {
	drop := c.in.strs("TagKeys")
	c.change()
	if c.secret.tags != nil {
		c.secret.tags = slices.DeleteFunc(c.secret.tags, func(t tag) bool { return slices.Contains(drop, t.Key) })
	}
	return nil, nil
}

// mergeTags returns old with the tags of a request added. It is nil when there
// are none.
func mergeTags(old []tag, add []input) ([]tag, error) {
	out := slices.Clone(old)
	for _, t := range add {
		key := t.str("Key")
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
