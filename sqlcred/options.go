package sqlcred

import (
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Options are the settings of a connector. A nil *Options and zero fields mean
// the defaults. [New] and [OpenDB] copy them: later changes have no effect.
type Options struct {
	// Engine, Host, Port, DBName and TLS are defaults for fields that the
	// secret lacks. A secret that RDS manages has only a user name and a
	// password. The secret's own fields prevail.
	Engine string
	Host   string
	Port   int
	DBName string
	TLS    TLS

	// Keys are the names of the secret's JSON fields, if they differ from
	// the usual names.
	Keys Keys

	// Edit, if not nil, may change a login before it is used, for example its
	// host, for a pool of connections to a replica. It is called once or a few
	// times per version of the secret, possibly concurrently.
	Edit func(*Login)

	// Validate, if not nil, is called after Edit with the login of each version. If
	// it returns an error, that version is not used: as with a version that does
	// not decode, the connector goes on with the one before. The error is shown if
	// it has a method PublicError, see [secrets.Bind]. [OpenDB] itself refuses
	// versions without a user name or host.
	Validate func(Login) error

	// Params are further parameters for the DSN that [OpenDB] builds, under
	// the driver's names for them: sslrootcert, connect_timeout, charset. They
	// prevail over the parameters for the secret's field ssl. New ignores
	// them.
	Params map[string]string

	// MaxLogins is the maximum number of logins under way at a time. Others
	// wait, first come, first served. While a rotation is known to be
	// outstanding, the maximum is one. With drivers that do not hold back
	// their passwords, MaxLogins also limits the wrong logins per rotation.
	// Zero means 4. Negative means no limit, not even during a rotation; no
	// password is held back then.
	MaxLogins int

	// MaxWait limits a Connect whose context has no deadline. database/sql
	// opens connections in the background with such a context, and the
	// contexts of many HTTP servers have no deadline either. Zero means one
	// minute. Negative means no limit.
	//
	// Unless there is no limit, such a Connect returns 3 seconds after the
	// server has refused every version that could be offered. One that begins
	// later returns after 0.25 seconds. Queries wait for these Connects in
	// database/sql and learn the reason from their error.
	MaxWait time.Duration

	// RetriesPerHour limits the logins per hour that offer the server a
	// version again after a refusal, to find out whether the database was
	// repaired. Such logins begin when nothing else is left to offer. The
	// first half of them come every 5 to 5.5 seconds, the others evenly over
	// the hour. Zero means 720, which is one every 5 seconds. If the server
	// blocks accounts, choose less than it allows per hour, divided by the
	// number of processes. Negative means no such logins: then the refusals
	// end only when a version becomes current or pending.
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
	// with a version that is no longer current. This happens when they are
	// next taken out of the pool, and no query fails. By default connections
	// stay open as long as the server allows.
	//
	// The driver's connection is then inside a wrapper, and
	// [database/sql.Conn.Raw] passes the wrapper: see [DriverConn].
	RetireAfterRotation bool

	// IsRefused reports whether a login failed because of the user name or
	// the password, so that another version of the secret may help. Nil
	// means [IsRefused]. It is not called for an error that leads to an
	// [*AccountError].
	IsRefused func(error) bool
}

// orDefault returns a copy of o, or defaults if o is nil.
func (o *Options) orDefault() Options {
	if o == nil {
		return Options{}
	}
	copied := *o
	copied.Params = maps.Clone(o.Params)
	copied.Stages = slices.Clone(o.Stages)
	return copied
}

func (o *Options) maxWait() time.Duration {
	if o.MaxWait == 0 {
		return time.Minute
	}
	return max(o.MaxWait, 0)
}

func (o *Options) isRefused(err error) bool {
	if o.IsRefused != nil {
		return o.IsRefused(err)
	}
	return IsRefused(err)
}

// complete fills in the fields that l lacks and lets Edit change l.
func (o *Options) complete(l Login) Login {
	if l.Engine == "" {
		l.Engine = o.Engine
	}
	if l.Host == "" {
		l.Host = o.Host
	}
	if l.Port == 0 {
		l.Port = o.Port
	}
	if l.DBName == "" {
		l.DBName = o.DBName
	}
	if l.TLS == TLSDefault {
		l.TLS = o.TLS
	}
	if o.Edit != nil {
		o.Edit(&l)
	}
	return l
}
