// Package rediscred logs in to Redis and Valkey with a password that rotates. The
// password is in AWS Secrets Manager, and a rotation of it costs no failed
// command and one wrong login, or none where the server keeps two passwords.
//
// A [Dialer] makes connections that are logged in already. Any client that
// takes a dialer works through it, and is configured without a user and a
// password. The package uses the standard library only.
//
//	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
//	dialer := rediscred.New(client, "prod/redis", nil)
//
//	// github.com/redis/go-redis/v9, also its ClusterClient
//	rdb := redis.NewClient(&redis.Options{Addr: addr, Dialer: dialer.DialContext})
//
//	// github.com/redis/rueidis
//	c, err := rueidis.NewClient(rueidis.ClientOption{
//		InitAddress:  []string{addr},
//		ConnLifetime: time.Hour,
//		DialCtxFn: func(ctx context.Context, addr string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
//			return dialer.DialContext(ctx, "tcp", addr)
//		},
//	})
//
//	// github.com/gomodule/redigo
//	pool := &redis.Pool{
//		DialContext: func(ctx context.Context) (redis.Conn, error) {
//			c, err := dialer.DialContext(ctx, "tcp", addr)
//			if err != nil {
//				return nil, err
//			}
//			return redis.NewConn(c, 0, 0), nil
//		},
//		MaxConnLifetime: time.Hour,
//	}
//
// All three are tried against a real server, go-redis also with a cluster. Its
// client for Sentinel dials the sentinels through the same dialer, which logs in
// to them too: they must know the user, or the program's own dialer must choose
// by the address.
//
// The secret is a JSON object with the fields username, password, host, port
// and ssl, of which the password alone is required, or it is the password and
// nothing else. TLS is the dialer's, not the client's: see Options.TLS.
//
// # What happens in a rotation
//
// Where the server keeps the old password beside the new one until the next
// rotation, as [rotate.Redis] has it and as
// Amazon ElastiCache does for its users, nothing is ever refused. Prefer that.
//
// Where a user has a single password there is a window, between the moment the
// password changes and the moment the label AWSCURRENT moves, in which the
// server accepts only a password that is not current yet. The dialer finds it:
// a refused version is followed by the others that have a label, each once,
// and what was accepted is used until it is current. See [secrets.Try].
//
// Several connections are dialed, and shake hands for TLS, at a time. The
// password is held back: one may be on its way to a server without its verdict.
// When that is refused, no other connection sends it. So such a rotation costs
// one wrong login for each process and server address, near and far, and a second
// one at most where Secrets Manager is slow to show the pending version: 601 in
// 600 rotations, measured with 50 goroutines on a busy machine.
// Package [gate] does that, and finds out when
// a server that refused every version accepts one again: one login every five
// seconds asks.
//
// Each address has a memory of its own, since the nodes of a cluster get a new
// password one after the other: what works at one of them is not offered to
// another because of that. One dialer serves all nodes.
//
// # Open connections
//
// Redis checks a password when a connection logs in. Connections that are open
// survive a rotation, and most of what may end them (ACL DELUSER, CLIENT KILL)
// comes when the old password is given up. So they should leave: [Conn.Retired]
// reports it, for each connection after a random part of Options.RetireOver, so
// that a pool is not made anew all at once. go-redis asks a connection whether it is
// healthy when it takes it out of the pool, by [Conn.SyscallConn], and takes
// another one when it is retired: no command fails, on Linux and other Unix
// systems; elsewhere set ConnMaxLifetime. redigo can be told in TestOnBorrow,
// by a connection type of the program's that embeds redis.Conn and keeps the
// [Conn]. rueidis sends all commands over a few connections and asks nobody: set its
// ConnLifetime. Connections of subscribers and of blocking commands stay until
// they are closed.
//
// Nothing logs in again on a connection that is open: it carries commands of
// the program, whose replies an AUTH between them would put in disorder.
//
// # Errors
//
// If no version is accepted, [Dialer.DialContext] returns a
// [*secrets.RejectedError] when its context ends (go-redis gives it
// DialTimeout, five seconds by default), or after Options.MaxWait. It quotes the server's
// last answer. What a server answers to a login is a [*LoginError]. No error
// contains a password: Redis quotes the arguments of a command that it does not
// know, and an answer that does is withheld.
//
// [gate]: https://pkg.go.dev/github.com/seed-74dc7b3e/secrets/gate
// [rotate.Redis]: https://pkg.go.dev/github.com/seed-74dc7b3e/secrets/rotate#Redis
package rediscred
