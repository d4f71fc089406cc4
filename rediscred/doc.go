// Package rediscred logs in to Redis and Valkey with a rotating secret.
// The password is in AWS Secrets Manager. A rotation of the password fails no
// command and costs one wrong login, or none if the server keeps two passwords.
//
// A [Dialer] returns connections that are already logged in. Any client that
// takes a dialer works with it; configure the client without a user and a
// password. The package uses only the standard library.
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
// All three are tested with a real server, go-redis also with a cluster. The
// Sentinel client of go-redis uses the same dialer for the sentinels, so the
// dialer logs in to them too. The sentinels must know the user, or the program
// must select a dialer by address.
//
// The secret is a JSON object with the fields username, password, host, port and
// ssl, of which only the password is required. It can also be the bare password.
// The dialer, not the client, sets up TLS: see [Options].TLS.
//
// # What happens in a rotation
//
// Some servers keep the old password beside the new one until the next rotation.
// [rotate.Redis] arranges this, and Amazon
// ElastiCache does it for its users. Then nothing is ever refused. Prefer this.
//
// If a user has a single password, there is a window between the moment the
// password changes and the moment the label AWSCURRENT moves. In this window the
// server accepts only a password that is not current yet. The dialer finds it:
// after a refusal it offers the other labeled versions, each once, and then uses
// the accepted version until it is current. See [secrets.Try].
//
// The dialer dials several connections at a time, TLS handshakes included, but
// holds back the password. Only one connection at a time may have sent its
// password to a server without a verdict. If the server refuses it, no other
// connection sends the same password. So such a rotation costs one wrong login
// per process and server address, whether the server is near or far. It costs at
// most one more if Secrets Manager is slow to show the pending version. 600
// rotations cost 601 wrong logins, measured with 50 goroutines on a busy machine.
// Package [gate] implements this. If a server
// refused every version, one login every five seconds finds out whether it
// accepts one again.
//
// The nodes of a cluster get a new password one after the other. Therefore the
// dialer remembers the accepted and refused versions separately for each address.
// One dialer serves all nodes.
//
// # Open connections
//
// Redis checks a password only when a connection logs in. Open connections
// survive a rotation, but giving up the old password may end them (ACL DELUSER,
// CLIENT KILL). So they should leave their pool: [Conn.Retired] reports when.
// Each connection retires after a random part of Options.RetireOver, so that a
// pool does not replace all its connections at once.
//
//   - go-redis checks a connection with [Conn.SyscallConn] when it takes it out of
//     the pool, and takes another one if it is retired. No command fails. This
//     works on Linux and other Unix systems; elsewhere set ConnMaxLifetime.
//   - For redigo, call Retired in TestOnBorrow. This requires a connection type in
//     your program that embeds redis.Conn and keeps the Conn.
//   - rueidis sends all commands over a few connections and has no such hook: set
//     its ConnLifetime.
//
// Connections of subscribers and of blocking commands stay open until they are
// closed.
//
// The package never logs in again on an open connection. The replies to an AUTH
// would mix with those to the program's commands.
//
// # Errors
//
// If the server accepts no version, [Dialer.DialContext] returns a
// [*secrets.RejectedError] when its context ends, or after Options.MaxWait.
// go-redis sets the context's deadline by DialTimeout, five seconds by default.
// The error quotes the server's last answer. A server's error answer to a login is
// a [*LoginError]. No error contains a password: Redis quotes the arguments of a
// command that it does not know, and the package withholds an answer that quotes
// one.
//
// [gate]: https://pkg.go.dev/github.com/seed-74dc7b3e/secrets/gate
// [rotate.Redis]: https://pkg.go.dev/github.com/seed-74dc7b3e/secrets/rotate#Redis
package rediscred
