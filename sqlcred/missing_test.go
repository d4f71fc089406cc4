package sqlcred_test

import (
	"testing"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// What a login lacks is named together with where it may come from.
func TestDSNNamesRemedy(t *testing.T) {
	for want, l := range map[string]sqlcred.Login{
		"sqlcred: data source name: the login has no host: set Options.Host, or give the secret a field for it":                                 sqlcred.Login{Username: "u"}.WithPassword("hunter2"),
		`sqlcred: data source name: the login has no username: give the secret a field "username", or name the one that it has in Options.Keys`: sqlcred.Login{Host: "h"}.WithPassword("hunter2"),
		`sqlcred: data source name: the login has no password: give the secret a field "password", or name the one that it has in Options.Keys`: {Host: "h", Username: "u"},
	} {
		if dsn, err := l.DSN("pgx", nil); err == nil || err.Error() != want {
			t.Errorf("DSN = %q, %v; want %q", dsn, err, want)
		}
	}
}
