package rotatetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

// TestSASLprep holds what the documentation says of passwords that PostgreSQL
// normalizes before it hashes them: which driver does the same, and so logs
// in. The rotator makes none of them.
func TestSASLprep(t *testing.T) {
	t.Parallel()
	passwords := []struct {
		name, password string
		fails          []string // the drivers whose logins are refused
	}{
		{"umlaut", "p\u00e4ssword", nil},
		{"soft hyphen", "pass\u00adword", []string{"pgx", "postgres"}},
		{"ligature", "\ufb01rst pass", []string{"pgx", "postgres"}},
		{"no-break space", "pass\u00a0word", []string{"postgres"}},
		{"angstrom sign", "pass\u212bword", []string{"postgres"}},
	}
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			for _, p := range passwords {
				user := fmt.Sprintf("sasl %s %s", driver, p.name)
				db.exec(t, fmt.Sprintf(`CREATE ROLE "%s" LOGIN PASSWORD '%s' IN ROLE readers`, user, p.password))
				err := db.try(t.Context(), user, p.password)
				if want := slices.Contains(p.fails, driver); rotate.IsRejected(err) != want || !want && err != nil {
					t.Errorf("%s: got %v, want a refusal: %t", p.name, err, want)
				}
			}
		})
	}
}
