package rotate_test

import (
	"fmt"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

func TestNativeHash(t *testing.T) {
	// SELECT PASSWORD('pw1') on MariaDB 10.11.
	if got, want := rotate.NativeHash("pw1"), "*2B602296A79E0A8784ACC5C88D92E46588CCA3C3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestGrants(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		// MariaDB 10.11.
		{"GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*2B60'", "GRANT USAGE ON *.* TO `x``y`@`h`"},
		{"GRANT ALL PRIVILEGES ON *.* TO `app`@`%` IDENTIFIED VIA ed25519 USING 'a WITH b' OR mysql_native_password USING '*B2' REQUIRE SSL WITH GRANT OPTION MAX_USER_CONNECTIONS 5",
			"GRANT ALL PRIVILEGES ON *.* TO `x``y`@`h` WITH GRANT OPTION MAX_USER_CONNECTIONS 5"},
		{"GRANT `r TO 1` TO `app`@`%` WITH ADMIN OPTION", "GRANT `r TO 1` TO `x``y`@`h` WITH ADMIN OPTION"},
		{"SET DEFAULT ROLE `r1` FOR `app`@`%`", "SET DEFAULT ROLE `r1` FOR `x``y`@`h`"},
		{"GRANT SELECT (`a to b`, ` TO `), UPDATE ON `d``b`.`t` TO `app`@`%`", "GRANT SELECT (`a to b`, ` TO `), UPDATE ON `d``b`.`t` TO `x``y`@`h`"},
		// MySQL 5.7 and 8.
		{"GRANT SELECT ON `d`.* TO 'app'@'10.0.0.0/255.0.0.0' WITH GRANT OPTION", "GRANT SELECT ON `d`.* TO `x``y`@`h` WITH GRANT OPTION"},
		{"REVOKE INSERT ON `mysql`.* FROM `app`@`%`", "REVOKE INSERT ON `mysql`.* FROM `x``y`@`h`"},
		{"GRANT PROXY ON ''@'' TO 'app'@'localhost' WITH GRANT OPTION", "GRANT PROXY ON ''@'' TO `x``y`@`h` WITH GRANT OPTION"},
	} {
		if got, err := rotate.GrantTo(tt.in, "x`y", "h"); got != tt.want || err != nil {
			t.Errorf("%s:\n got %s, %v\nwant %s", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "DROP TABLE t TO x", "GRANT SELECT ON *.*", "GRANT SELECT ON *.* TO"} {
		if got, err := rotate.GrantTo(in, "u", "h"); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}

func TestUserClauses(t *testing.T) {
	for _, tt := range []struct{ in, clauses, plugins string }{
		{"CREATE USER `app`@`%`", "[REQUIRE NONE]", "[]"},
		{"CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*2B'", "[REQUIRE NONE]", "[]"},
		{"CREATE USER `app`@`%` IDENTIFIED VIA ed25519 USING '/+ OR x' OR `mysql_native_password` USING '*B2' REQUIRE SSL WITH MAX_USER_CONNECTIONS 5 ACCOUNT LOCK",
			"[REQUIRE SSL WITH MAX_USER_CONNECTIONS 5]", "[ed25519 mysql_native_password]"},
		{"CREATE USER `app`@`%` IDENTIFIED VIA mysql_native_password USING '*B2' WITH MAX_QUERIES_PER_HOUR 7 PASSWORD EXPIRE NEVER",
			"[REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 7]", "[mysql_native_password]"},
		{"CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$\\'REQUIRE x' DEFAULT ROLE `r1`@`%`,`r2`@`%` REQUIRE ISSUER '/C=a b' SUBJECT '/CN=it''s' WITH MAX_USER_CONNECTIONS 3 PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT",
			"[DEFAULT ROLE `r1`@`%`,`r2`@`%` REQUIRE ISSUER '/C=a b' SUBJECT '/CN=it''s' WITH MAX_USER_CONNECTIONS 3]", "[]"},
		{"CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$' REQUIRE NONE PASSWORD EXPIRE DEFAULT", "[REQUIRE NONE]", "[]"},
	} {
		if got := fmt.Sprint(rotate.UserClauses(tt.in)); got != tt.clauses {
			t.Errorf("%s:\n got %s\nwant %s", tt.in, got, tt.clauses)
		}
		if got := fmt.Sprint(rotate.AuthPlugins(tt.in)); got != tt.plugins {
			t.Errorf("%s: got plugins %s, want %s", tt.in, got, tt.plugins)
		}
	}
}
