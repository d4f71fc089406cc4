package pgxcred

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

// Options are the settings of a [Connector]. A nil *Options and zero fields
// mean the defaults. They are copied: later changes have no effect.
type Options struct {
	// Keys are the names of the secret's JSON fields, if they differ from
	// the usual names.
	Keys sqlcred.Keys

	// ServerFromSecret makes the secret's host, port and dbname prevail over
	// those of the configuration. If the secret later names another host, the
	// next login goes there. The host names that TLS verifies or sends change
	// too. Further hosts of the configuration are dropped. The connection
	// string must name a TCP host, but any name will do: for a Unix socket pgx
	// sets up no TLS, regardless of sslmode. By default only the configuration
	// says where the server is.
	ServerFromSecret bool

	// MaxLogins is the maximum number of logins under way at a time. Others
	// wait, first come, first served. While a rotation is known to be
	// outstanding, the maximum is one. MaxLogins also limits the wrong logins
	// per rotation. Zero means 4. Negative means no limit, not even during a
	// rotation.
	MaxLogins int

	// MaxWait limits a connect: the wait for its turn, and the logins with as
	// many versions of the secret as necessary. A pool connects without the
	// deadline of the Acquire that needs the connection. Two other limits may
	// end a connect sooner: the deadline of its context, if it has one, and
	// connect_timeout, which limits one login at one host. Zero means one
	// minute. Negative means no limit.
	MaxWait time.Duration

	// RetriesPerHour limits the logins per hour that offer the server a
	// version again after a refusal, to find out whether the database was
	// repaired. See [sqlcred.Options]. Zero means 720. Negative means none.
	RetriesPerHour int

	// Logger receives a warning when the server has refused every version
	// that could be offered for one second, and a note when it accepts one
	// again. Nil means [slog.Default].
	Logger *slog.Logger

	// Stages are the staging labels of the versions that may be offered to
	// the server. The version labeled secrets.Current is always included. Nil
	// means secrets.Current, secrets.Pending and secrets.Previous.
	Stages []string

	// RetireAfterRotation removes connections from the pool that were opened
	// with a version that is no longer current. This happens when they would
	// next be acquired, and no query fails. By default connections stay open
	// as long as the server allows. The option has no effect on single
	// connections: see [Connector.Retired].
	RetireAfterRotation bool

	// IsRefused reports whether a login failed because of the user name or
	// the password, so that another version of the secret may help. Nil
	// means [sqlcred.IsRefused].
	IsRefused func(error) bool
}

// orDefault returns a copy of o, or defaults if o is nil.
func (o *Options) orDefault() Options {
	if o == nil {
		return Options{}
	}
	copied := *o
	copied.Stages = slices.Clone(o.Stages)
	return copied
}

// maxWait returns the time limit of a connect, or 0 if there is none.
func (o *Options) maxWait() time.Duration { return max(cmp.Or(o.MaxWait, time.Minute), 0) }
