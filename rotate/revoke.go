package rotate

import (
	"context"
	"slices"
	"strings"
)

// allPrivileges stands for all privileges in the output of SHOW GRANTS.
const allPrivileges = "ALL PRIVILEGES"

// A grants holds the rights of one account from SHOW GRANTS: for each object
// its privileges, each with at most one column. The roles are under "".
type grants struct {
	objects []string // in order
	held    map[string][]string
	lines   map[string][]string // in which they stand
}

// grantOption stands for WITH GRANT OPTION among privileges.
const grantOption = "GRANT OPTION"

// parseGrants parses lines of SHOW GRANTS. It skips lines that are not a GRANT.
func parseGrants(lines []string) grants {
	g := grants{held: map[string][]string{}, lines: map[string][]string{}}
	for _, line := range lines {
		ws := words(line)
		to := find(line, ws, 1, "TO")
		if to < 2 || !strings.EqualFold(line[ws[0].start:ws[0].end], "GRANT") {
			continue
		}
		end, object := to, ""
		if on := find(line, ws[:to], 1, "ON"); on > 0 {
			end, object = on, line[ws[on].end+1:ws[to].start-1]
		}
		held := splitPrivileges(line[ws[1].start:ws[end-1].end])
		if with := find(line, ws, to, "WITH"); object != "" && with > 0 && strings.Contains(line[ws[with].start:], grantOption) {
			held = append(held, grantOption)
		}
		if _, seen := g.held[object]; !seen {
			g.objects = append(g.objects, object)
		}
		g.held[object] = append(g.held[object], held...)
		g.lines[object] = append(g.lines[object], line)
	}
	return g
}

// splitPrivileges splits a list at its commas, and one with several columns
// into one for each.
func splitPrivileges(list string) []string {
	var all []string
	for _, p := range splitList(list) {
		verb, columns, ok := strings.Cut(p, "(")
		if !ok {
			all = append(all, p)
			continue
		}
		for _, c := range splitList(strings.TrimSuffix(columns, ")")) {
			all = append(all, strings.TrimSpace(verb)+" ("+c+")")
		}
	}
	return all
}

// splitList splits a list at the commas that are in no quotes and no
// parentheses.
func splitList(list string) []string {
	var items []string
	start, depth, quote := 0, 0, rune(0)
	for i, c := range list {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '`' || c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			items = append(items, strings.TrimSpace(list[start:i]))
			start = i + 1
		}
	}
	return append(items, strings.TrimSpace(list[start:]))
}

// revokeLost returns the statements that revoke from an account with the grants
// have everything that is not in want. If all privileges on an object include a
// lost one, they are revoked and the remaining ones granted again.
func revokeLost(have, want []string, from account) ([]string, error) {
	h, w := parseGrants(have), parseGrants(want)
	var statements []string
	for _, object := range h.objects {
		keep := w.held[object]
		lost := slices.DeleteFunc(slices.Clone(h.held[object]), func(p string) bool {
			return p == "USAGE" || slices.Contains(keep, p) ||
				p != grantOption && slices.Contains(keep, allPrivileges)
		})
		on := ""
		if object != "" {
			on = " ON " + object
		}
		for _, p := range lost {
			statements = append(statements, "REVOKE "+p+on+" FROM "+from.String())
		}
		if !slices.Contains(lost, allPrivileges) {
			continue
		}
		for _, line := range w.lines[object] {
			again, err := grantTo(line, from)
			if err != nil {
				return nil, err
			}
			statements = append(statements, again)
		}
	}
	return statements, nil
}

// revokeFrom makes master revoke from a clone what its original has lost. want
// are the grants of the original.
func (m mysql) revokeFrom(ctx context.Context, master *session, clone account, want []string) error {
	have, err := m.grants(ctx, master, clone.String())
	if err != nil {
		return err
	}
	statements, err := revokeLost(have, want, clone)
	if err != nil {
		return err
	}
	for _, s := range statements {
		verb, _, _ := strings.Cut(s, " ")
		if err := exec(ctx, master, verb, s); err != nil {
			return err
		}
	}
	return nil
}
