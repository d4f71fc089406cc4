package rotate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

func TestRevokeLost(t *testing.T) {
	for _, tt := range []struct {
		name             string
		have, want, then []string
	}{
		{name: "the same", have: []string{"GRANT USAGE ON *.* TO `c`@`%`", "GRANT SELECT, INSERT ON `d`.* TO `c`@`%`"},
			want: []string{"GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*00'", "GRANT SELECT, INSERT ON `d`.* TO `a`@`%`"}},
		{name: "one of a list", have: []string{"GRANT SELECT, INSERT, INDEX ON `d`.* TO `c`@`%`"},
			want: []string{"GRANT INSERT, SELECT ON `d`.* TO `a`@`%`"}, then: []string{"REVOKE INDEX ON `d`.* FROM `c`@`%`"}},
		{name: "a column", have: []string{"GRANT SELECT (`a`, `b, c`), UPDATE ON `d`.`t` TO `c`@`%`"},
			want: []string{"GRANT SELECT (`a`), UPDATE ON `d`.`t` TO `a`@`%`"}, then: []string{"REVOKE SELECT (`b, c`) ON `d`.`t` FROM `c`@`%`"}},
		{name: "an object", have: []string{"GRANT DELETE, CREATE TEMPORARY TABLES ON `TO`.* TO `c`@`%`"},
			then: []string{"REVOKE DELETE ON `TO`.* FROM `c`@`%`", "REVOKE CREATE TEMPORARY TABLES ON `TO`.* FROM `c`@`%`"}},
		{name: "the grant option", have: []string{"GRANT SELECT ON `d`.* TO `c`@`%` WITH GRANT OPTION"},
			want: []string{"GRANT SELECT ON `d`.* TO `a`@`%`"}, then: []string{"REVOKE GRANT OPTION ON `d`.* FROM `c`@`%`"}},
		{name: "a limit is no grant option", have: []string{"GRANT USAGE ON *.* TO `c`@`%` WITH MAX_USER_CONNECTIONS 5"}},
		{name: "roles", have: []string{"GRANT `r1` TO `c`@`%`", "GRANT `r2`@`%`,`r3`@`%` TO `c`@`%`", "SET DEFAULT ROLE `r1` FOR `c`@`%`"},
			want: []string{"GRANT `r2`@`%` TO `a`@`%`"}, then: []string{"REVOKE `r1` FROM `c`@`%`", "REVOKE `r3`@`%` FROM `c`@`%`"}},
		{name: "fewer than all", have: []string{"GRANT ALL PRIVILEGES ON `d`.* TO `c`@`%`"}, want: []string{"GRANT SELECT ON `d`.* TO `a`@`%`"},
			then: []string{"REVOKE ALL PRIVILEGES ON `d`.* FROM `c`@`%`", "GRANT SELECT ON `d`.* TO `c`@`%`"}},
		{name: "all", have: []string{"GRANT SELECT ON `d`.* TO `c`@`%` WITH GRANT OPTION"}, want: []string{"GRANT ALL PRIVILEGES ON `d`.* TO `a`@`%` WITH GRANT OPTION"}},
		{name: "two lines for one object", have: []string{"GRANT SELECT ON *.* TO `c`@`%`", "GRANT BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `c`@`%`"},
			want: []string{"GRANT SELECT ON *.* TO `a`@`%`", "GRANT XA_RECOVER_ADMIN ON *.* TO `a`@`%`"}, then: []string{"REVOKE BACKUP_ADMIN ON *.* FROM `c`@`%`"}},
		{name: "a partial revoke", have: []string{"REVOKE INSERT ON `mysql`.* FROM `c`@`%`", "GRANT", "GRANT TO"}},
	} {
		got, err := rotate.RevokeLost(tt.have, tt.want, "c", "%")
		if err != nil || !slices.Equal(got, tt.then) {
			t.Errorf("%s: got\n%s, %v\nwant\n%s", tt.name, strings.Join(got, "\n"), err, strings.Join(tt.then, "\n"))
		}
	}
}
