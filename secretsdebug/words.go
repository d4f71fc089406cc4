package secretsdebug

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ago says when t is, seen from now.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "–"
	case d > -time.Second && d < time.Second:
		return "now"
	case d < 0:
		return "in " + span(-d)
	default:
		return span(d) + " ago"
	}
}

// show returns an id as text. It replaces invisible characters, and those that
// change the direction of text, with their codes, so that no id looks like
// another.
func show(id string) string {
	if strings.IndexFunc(id, hidden) < 0 {
		return id
	}
	var b strings.Builder
	for _, r := range id {
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// hidden reports whether a character is invisible. An invalid byte counts as
// invisible.
func hidden(r rune) bool {
	return r == unicode.ReplacementChar || r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r) && r != ' ' || unicode.Is(unicode.M, r)
}

// number returns n with separated thousands.
func number(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// dollars returns an amount of dollars, in cents if it is less than one.
func dollars(d float64) string {
	switch {
	case d == 0:
		return "$0"
	case d < 0.01:
		return fmt.Sprintf("%.2g¢", d*100)
	}
	return fmt.Sprintf("$%.2f", d)
}
