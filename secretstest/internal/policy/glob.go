package policy

import (
	"strings"
)

// A glob is a pattern in which the runes anyRun and anyOne are wildcards.
type glob []rune

const (
	anyRun rune = -1 // *
	anyOne rune = -2 // ?
)

// globOf makes a glob of a pattern with the wildcards * and ?.
func globOf(pattern string) glob {
	g := make(glob, 0, len(pattern))
	for _, c := range pattern {
		switch c {
		case '*':
			c = anyRun
		case '?':
			c = anyOne
		}
		g = append(g, c)
	}
	return g
}

// literal returns a glob without wildcards as a string.
func (g glob) literal() string { return string(g) }

// expand makes a glob of a policy's text. Variables, as in ${aws:username} and
// ${aws:username, 'nobody'}, are replaced by the request's value, in which no
// character is a wildcard; ${*}, ${?} and ${$} are those characters. It
// reports false for a variable that the request has no single value of.
func (r *Request) expand(text string, variables, wildcards bool) (glob, bool) {
	plain := func(s string) glob {
		if wildcards {
			return globOf(s)
		}
		return glob(s)
	}
	if !variables {
		return plain(text), true
	}
	var g glob
	for {
		before, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return append(g, plain(text)...), true
		}
		value, ok := r.variable(name)
		if !ok {
			return nil, false
		}
		g = append(append(g, plain(before)...), []rune(value)...)
		text = after
	}
}

// variable returns the value of a policy variable.
func (r *Request) variable(name string) (string, bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	key, fallback, hasFallback := strings.Cut(name, ",")
	if have := r.values(strings.ToLower(strings.TrimSpace(key))); len(have) == 1 {
		return have[0], true
	}
	return strings.Trim(strings.TrimSpace(fallback), "'"), hasFallback
}

// Match reports whether a text matches a pattern with the wildcards * and ?.
func Match(pattern, text string) bool { return match(globOf(pattern), text) }

// match reports whether the glob matches the whole of s. It takes time in
// proportion to the product of their lengths at most.
func match(g glob, s string) bool {
	text := []rune(s)
	i, j := 0, 0
	star, mark := -1, 0 // the last * and how far it reached
	for j < len(text) {
		switch {
		case i < len(g) && g[i] == anyRun:
			star, mark = i, j
			i++
		case i < len(g) && (g[i] == anyOne || g[i] == text[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(g) && g[i] == anyRun {
		i++
	}
	return i == len(g)
}
