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
	// Engine, Host, Port, DBName and TLS stand in for what the secret does
	// not say. A secret that RDS manages has a username and a password and
	// nothing else. What the secret does say prevails.
	Engine string
	Host   string
	Port   int
	DBName string
	TLS    TLS

	// Keys are the names of the secret's JSON fields, where they differ
	// from the usual ones.
	Keys Keys

	// Edit may change a login before it is used: another host, for a pool
	// of connections to a replica. It is called once per version of the
	// secret, or a few times, possibly at the same time.
	Edit func(*Login)

	// Params are further parameters of the DSN that [OpenDB] builds, by the
	// names the driver has for them: sslrootcert, connect_timeout, charset.
	// They prevail over what the secret's field ssl stands for. New does not
	// use them.
	Params map[string]string

	// MaxLogins is how many logins may be under way at a time at the most;
	// others wait, first come, first served. While a rotation is known to be
	// outstanding it is one at a time. With drivers that do not hold their
	// passwords back it bounds the number of logins with a wrong
	// password that a rotation costs. Zero means 4. Negative means no bound,
	// also during a rotation, and no holding back.
	MaxLogins int

	// MaxWait bounds a Connect whose context has no deadline. database/sql
	// opens connections in the background with such a context, and those of
	// many HTTP servers have none either. Zero means one minute. Negative
	// means no bound. Once the server has refused every version that could be
	// offered, such a Connect ends after 3 seconds, and one that begins later
	// after a quarter of one, unless there is no bound: queries wait behind it in
	// database/sql, and learn by it why.
	MaxWait time.Duration

	// RetriesPerHour bounds the logins in any hour that offer the server a
	// version which it has refused before, to find out whether the database was
	// repaired. They come when nothing else is left to offer, every 5 to 5.5
	// seconds up to half the number, and evenly over the hour from then on. Zero
	// means 720, which is one every 5 seconds. Choose less than the
	// server allows in an hour where it blocks accounts, and divide that by the
	// number of processes. Negative means none: then only a version that
	// becomes current or pending ends the refusals.
	RetriesPerHour int

	// Logger gets a warning when the server has refused every version that
	// could be offered for a second, and a note when it accepts one again. Nil means
	// [slog.Default].
	Logger *slog.Logger

	// Stages are the labels of the versions that may be offered to the
	// server; secrets.Current always may. Nil means that, secrets.Pending
	// and secrets.Previous.
	Stages []string

	// RetireAfterRotation makes connections leave the pool when they were
	// opened with a version of the secret that is no longer the current
	// one, the next time they are taken out of the pool. No query fails by
	// it. Without it connections live on, as the server allows.
	//
	// It takes a wrapper around the driver's connection, so that what
	// [database/sql.Conn.Raw] passes is the wrapper: see [DriverConn].
	RetireAfterRotation bool

	// IsRefused reports whether a login failed because of the user name or
	// the password, so that another version of the secret may help. Nil
	// means [IsRefused]. It is not asked about an error that makes an
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

// complete fills in what l lacks and lets Edit change it.
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
