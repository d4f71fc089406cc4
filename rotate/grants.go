package rotate

import (
	"errors"
	"strings"
)

// A word is a piece of an SQL statement between white space, quoted pieces
// kept whole: s[start:end].
type word struct{ start, end int }

// words splits a statement. Quotes are ', " and `, doubled inside; in the
// first two a backslash hides the next character.
func words(s string) []word {
	var ws []word
	start, quote := -1, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0 // a doubled quote opens it again at once
			}
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if start >= 0 {
				ws = append(ws, word{start, i})
			}
			start = -1
		default:
			if c == '\'' || c == '"' || c == '`' {
				quote = c
			}
			if start < 0 {
				start = i
			}
		}
	}
	if start >= 0 {
		ws = append(ws, word{start, len(s)})
	}
	return ws
}

// find returns the index of the first of ws, from index i on, that is one of
// the keywords, or -1.
func find(s string, ws []word, i int, keywords ...string) int {
	for ; i < len(ws); i++ {
		for _, k := range keywords {
			if strings.EqualFold(s[ws[i].start:ws[i].end], k) {
				return i
			}
		}
	}
	return -1
}

// grantTo returns a line of SHOW GRANTS with another account in it, and
// without the password and the TLS requirement that MariaDB shows there.
func grantTo(grant string, to account) (string, error) {
	ws := words(grant)
	if len(ws) == 0 {
		return "", errors.New("SHOW GRANTS: an empty line")
	}
	before := map[string]string{"GRANT": "TO", "REVOKE": "FROM", "SET": "FOR"}[strings.ToUpper(grant[ws[0].start:ws[0].end])]
	i := find(grant, ws, 1, before)
	if before == "" || i < 0 || i+1 >= len(ws) {
		return "", errors.New("SHOW GRANTS: a line that is not one of GRANT, REVOKE, SET DEFAULT ROLE")
	}
	out := grant[:ws[i].end] + " " + to.String()
	if with := find(grant, ws, i+2, "WITH"); with >= 0 {
		out += " " + grant[ws[with].start:]
	}
	return out, nil
}

// userClauses returns the clauses of SHOW CREATE USER that a clone shares: the
// default role, and the TLS requirement with the limits after it. MySQL always
// shows a requirement. MariaDB omits it if there is none, and shows the default
// role with the grants.
func userClauses(definition string) []string {
	ws := words(definition)
	var clauses []string
	start, none := find(definition, ws, 0, "REQUIRE"), ""
	if i := find(definition, ws, 0, "DEFAULT"); i >= 0 && i < start {
		clauses = append(clauses, definition[ws[i].start:ws[start-1].end])
	}
	if start < 0 {
		none = "REQUIRE NONE"
		start = find(definition, ws, 0, "WITH")
	}
	if start < 0 {
		return append(clauses, none)
	}
	end := len(definition)
	if i := find(definition, ws, start, "PASSWORD", "ACCOUNT", "COMMENT", "ATTRIBUTE"); i >= 0 {
		end = ws[i-1].end
	}
	return append(clauses, strings.TrimSpace(none+" "+definition[ws[start].start:end]))
}

// authPlugins returns the authentication plugins in MariaDB's SHOW CREATE USER.
// IDENTIFIED BY PASSWORD, and no clause at all, mean mysql_native_password.
func authPlugins(definition string) []string {
	ws := words(definition)
	var plugins []string
	for i := find(definition, ws, 0, "VIA"); i >= 0 && i+1 < len(ws); i = find(definition, ws, i+1, "OR") {
		plugins = append(plugins, strings.Trim(definition[ws[i+1].start:ws[i+1].end], "`'\""))
	}
	return plugins
}
