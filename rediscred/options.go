package rediscred

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"time"
)

// Options are the settings of a dialer. A nil *Options and zero fields mean
// the defaults. [New] copies them: later changes have no effect.
type Options struct {
	// Username is the ACL user if the secret names none. Empty means the
	// server's user "default", with the form of AUTH from before Redis 6.
	Username string

	// TLS, if not nil, is the configuration with which every connection uses
	// TLS, regardless of the secret. An empty ServerName means the host that
	// is dialed. If TLS is nil, connections use TLS with the system's
	// certificate authorities if the secret's field ssl is true, and no TLS
	// otherwise.
	TLS *tls.Config

	// Dial makes a network connection without TLS; the dialer adds TLS. Nil
	// means a [net.Dialer] with its defaults.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// MaxLogins is the maximum number of logins under way at one server at a
	// time, dialing included. While a rotation is known to be outstanding, the
	// maximum is one. Only one login at a time may have sent its password
	// without a verdict. Zero means 4. Negative means no limit on either.
	MaxLogins int

	// RetriesPerHour limits the logins per hour with passwords that a server
	// has refused before. Zero means 720. See [gate.Options].
	RetriesPerHour int

	// MaxWait limits a DialContext whose context has no deadline. Zero means
	// one minute. Negative means no limit.
	MaxWait time.Duration

	// Stages are the staging labels of the versions that may be offered to
	// the server. The version labeled secrets.Current is always included. Nil
	// means secrets.Current, secrets.Pending and secrets.Previous.
	Stages []string

	// RetireOver is the time over which connections retire whose version is
	// no longer current, each after a random part of it. See [Conn.Retired].
	// Zero means 10 seconds. Negative means that connections never retire.
	RetireOver time.Duration
}

// orDefault returns a copy of o, or defaults if o is nil.
func (o *Options) orDefault() Options {
	if o == nil {
		return Options{}
	}
	copied := *o
	copied.Stages = slices.Clone(o.Stages)
	if o.TLS != nil {
		copied.TLS = o.TLS.Clone()
	}
	return copied
}

func (o *Options) maxWait() time.Duration {
	if o.MaxWait == 0 {
		return time.Minute
	}
	return max(o.MaxWait, 0)
}

func (o *Options) retireOver() time.Duration {
	if o.RetireOver == 0 {
		return 10 * time.Second
	}
	return o.RetireOver
}

// dial makes a connection without TLS.
func (o *Options) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial(ctx, network, addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// tls returns the configuration for a connection to addr, or nil for none.
func (o *Options) tls(addr string, secretWants bool) *tls.Config {
	var c *tls.Config
	switch {
	case o.TLS != nil:
		c = o.TLS.Clone()
	case secretWants:
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	default:
		return nil
	}
	if host, _, err := net.SplitHostPort(addr); c.ServerName == "" && err == nil {
		c.ServerName = host
	}
	return c
}
