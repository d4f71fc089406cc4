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
	// Keys are the names of the secret's JSON fields, where they differ
	// from the usual ones.
	Keys sqlcred.Keys

	// ServerFromSecret makes the secret's host, port and dbname prevail over
	// those of the configuration, so that a secret that names another host
	// is followed with the next login. Host names that TLS checks or sends
	// follow too; further hosts of the configuration are dropped. The
	// configuration must name a TCP host, any, in its connection string:
	// for a Unix socket pgx sets up no TLS, whatever sslmode says. By
	// default the configuration alone says where the server is.
	ServerFromSecret bool

	// MaxLogins is how many logins may be under way at a time; others wait,
	// first come, first served. While a rotation is known to be outstanding
	// it is one at a time. It bounds the number of logins with a wrong
	// password that a rotation costs. Zero means 4. Negative means no bound,
	// also during a rotation.
	MaxLogins int

	// MaxWait bounds a connect: the wait for its turn, and the logins with
	// as many versions of the secret as it takes. A pool connects without
	// the deadline of the Acquire that asked for the connection. The
	// deadline of a context, where there is one, and connect_timeout, which
	// bounds one login at one host, may end it sooner. Zero means one
	// minute. Negative means no bound.
	MaxWait time.Duration

	// RetriesPerHour bounds the logins in any hour that offer the server a
	// version which it has refused before, to find out whether the database was
	// repaired: see [sqlcred.Options]. Zero means 720, negative none.
	RetriesPerHour int

	// Logger gets a warning when the server has refused every version that
	// could be offered for a second, and a note when it accepts one again. Nil
	// means [slog.Default].
	Logger *slog.Logger

	// Stages are the labels of the versions that may be offered to the
	// server; secrets.Current always may. Nil means that, secrets.Pending
	// and secrets.Previous.
	Stages []string

	// RetireAfterRotation makes connections leave the pool when they were
	// opened with a version of the secret that is no longer the current
	// one, the next time they would be acquired. No query fails by it.
	// Without it connections live on, as the server allows. It has no
	// effect on single connections: see [Connector.Retired].
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

// maxWait returns the bound of a connect, or 0 if there is none.
func (o *Options) maxWait() time.Duration { return max(cmp.Or(o.MaxWait, time.Minute), 0) }
