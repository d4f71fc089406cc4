package policy

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A condition is one key under one operator of a Condition block.
type condition struct {
	operator string // without ForAnyValue:, ForAllValues: and IfExists
	set      string // "", "ForAnyValue" or "ForAllValues"
	ifExists bool
	key      string // in lower case
	written  string // the key as the policy has it
	values   []string
}

// An operator compares a request's value with a policy's. A negated operator
// is true of a request without the key.
type operator struct {
	negated bool
	compare func(r *Request, variables bool, value, pattern string) bool
}

var operators = map[string]operator{
	"StringEquals":              {false, equal},
	"StringNotEquals":           {true, equal},
	"StringEqualsIgnoreCase":    {false, equalFold},
	"StringNotEqualsIgnoreCase": {true, equalFold},
	"StringLike":                {false, like},
	"StringNotLike":             {true, like},
	"ArnEquals":                 {false, arnLike},
	"ArnLike":                   {false, arnLike},
	"ArnNotEquals":              {true, arnLike},
	"ArnNotLike":                {true, arnLike},
	"Bool":                      {false, equalFold},
	"BinaryEquals":              {false, equalBinary},
	"NumericEquals":             {false, numeric(func(c int) bool { return c == 0 })},
	"NumericNotEquals":          {true, numeric(func(c int) bool { return c == 0 })},
	"NumericLessThan":           {false, numeric(func(c int) bool { return c < 0 })},
	"NumericLessThanEquals":     {false, numeric(func(c int) bool { return c <= 0 })},
	"NumericGreaterThan":        {false, numeric(func(c int) bool { return c > 0 })},
	"NumericGreaterThanEquals":  {false, numeric(func(c int) bool { return c >= 0 })},
	"DateEquals":                {false, date(func(c int) bool { return c == 0 })},
	"DateNotEquals":             {true, date(func(c int) bool { return c == 0 })},
	"DateLessThan":              {false, date(func(c int) bool { return c < 0 })},
	"DateLessThanEquals":        {false, date(func(c int) bool { return c <= 0 })},
	"DateGreaterThan":           {false, date(func(c int) bool { return c > 0 })},
	"DateGreaterThanEquals":     {false, date(func(c int) bool { return c >= 0 })},
	"IpAddress":                 {false, inRange},
	"NotIpAddress":              {true, inRange},
	"Null":                      {},
}

func parseConditions(value any) ([]condition, bool) {
	block, ok := value.(map[string]any)
	if !ok {
		return nil, false
	}
	var list []condition
	for name, value := range block {
		c := condition{operator: name}
		if set, op, ok := strings.Cut(name, ":"); ok {
			c.set, c.operator = set, op
		}
		c.operator, c.ifExists = strings.CutSuffix(c.operator, "IfExists")
		if _, ok := operators[c.operator]; !ok ||
			!slices.Contains([]string{"", "ForAnyValue", "ForAllValues"}, c.set) || c.operator == "Null" && c.ifExists {
			return nil, false
		}
		keys, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		for key, value := range keys {
			c.key, c.written = strings.ToLower(key), key
			if c.values, ok = scalars(value); !ok || len(c.values) == 0 || !all(c.values, c.wellFormed) {
				return nil, false
			}
			list = append(list, c)
		}
	}
	return list, true
}

// wellFormed reports whether the operator can compare a value.
func (c *condition) wellFormed(value string) bool {
	ok := true
	switch op := c.operator; {
	case op == "Bool", op == "Null":
		ok = strings.EqualFold(value, "true") || strings.EqualFold(value, "false")
	case op == "IpAddress", op == "NotIpAddress":
		_, err := parseRange(value)
		ok = err == nil
	case strings.HasPrefix(op, "Date"):
		_, ok = parseDate(value)
	case strings.HasPrefix(op, "Numeric"):
		_, err := strconv.ParseFloat(value, 64)
		ok = err == nil
	case op == "BinaryEquals":
		_, err := base64.StdEncoding.DecodeString(value)
		ok = err == nil
	}
	return ok
}

// holds reports whether a request satisfies the condition.
func (c *condition) holds(r *Request, variables bool) bool {
	have := r.values(c.key)
	if c.operator == "Null" {
		return slices.Contains(c.values, strconv.FormatBool(len(have) == 0))
	}
	op := operators[c.operator]
	if len(have) == 0 {
		return c.ifExists || c.set == "ForAllValues" || op.negated && c.set == ""
	}
	satisfies := func(value string) bool {
		for _, pattern := range c.values {
			if op.compare(r, variables, value, pattern) {
				return !op.negated
			}
		}
		return op.negated
	}
	if c.set == "ForAllValues" || c.set == "" && op.negated {
		return all(have, satisfies)
	}
	return slices.ContainsFunc(have, satisfies)
}

// values returns a request's values of a condition key. The time need not be
// in the request.
func (r *Request) values(key string) []string {
	if have, ok := r.Keys[key]; ok {
		return have
	}
	switch key {
	case "aws:currenttime":
		return []string{time.Now().UTC().Format(time.RFC3339)}
	case "aws:epochtime":
		return []string{strconv.FormatInt(time.Now().Unix(), 10)}
	}
	return nil
}

func equal(r *Request, variables bool, value, pattern string) bool {
	p, ok := r.expand(pattern, variables, false)
	return ok && match(p, value)
}

func equalFold(r *Request, variables bool, value, pattern string) bool {
	p, ok := r.expand(strings.ToLower(pattern), variables, false)
	return ok && strings.EqualFold(p.literal(), value)
}

func like(r *Request, variables bool, value, pattern string) bool {
	p, ok := r.expand(pattern, variables, true)
	return ok && match(p, value)
}

// arnLike compares each of the six parts of an ARN on its own.
func arnLike(r *Request, variables bool, value, pattern string) bool {
	// A variable may hold colons, and so is expanded after the split.
	patterns, values := splitARN(pattern), strings.SplitN(value, ":", 6)
	if len(patterns) != 6 || len(values) != 6 {
		return pattern == "*" || pattern == value
	}
	for i := range patterns {
		if !like(r, variables, values[i], patterns[i]) {
			return false
		}
	}
	return true
}

// splitARN splits at the first five colons that are not inside ${}.
func splitARN(pattern string) []string {
	var parts []string
	start, inside := 0, false
	for i := 0; i < len(pattern) && len(parts) < 5; i++ {
		switch {
		case strings.HasPrefix(pattern[i:], "${"):
			inside = true
		case pattern[i] == '}':
			inside = false
		case pattern[i] == ':' && !inside:
			parts = append(parts, pattern[start:i])
			start = i + 1
		}
	}
	return append(parts, pattern[start:])
}

func equalBinary(_ *Request, _ bool, value, pattern string) bool {
	v, err1 := base64.StdEncoding.DecodeString(value)
	p, err2 := base64.StdEncoding.DecodeString(pattern)
	return err1 == nil && err2 == nil && string(v) == string(p)
}

func numeric(ok func(c int) bool) func(*Request, bool, string, string) bool {
	return func(_ *Request, _ bool, value, pattern string) bool {
		v, err1 := strconv.ParseFloat(value, 64)
		p, err2 := strconv.ParseFloat(pattern, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		switch {
		case v < p:
			return ok(-1)
		case v > p:
			return ok(1)
		}
		return ok(0)
	}
}

func date(ok func(c int) bool) func(*Request, bool, string, string) bool {
	return func(_ *Request, _ bool, value, pattern string) bool {
		v, ok1 := parseDate(value)
		p, ok2 := parseDate(pattern)
		return ok1 && ok2 && ok(v.Compare(p))
	}
}

// parseDate parses a W3C date or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	if sec, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) > 4 {
		return time.Unix(sec, 0), true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func inRange(_ *Request, _ bool, value, pattern string) bool {
	addr, err := netip.ParseAddr(value)
	if err != nil {
		return false
	}
	prefix, err := parseRange(pattern)
	return err == nil && prefix.Contains(addr.Unmap())
}

func parseRange(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return addr.Prefix(addr.BitLen())
}
