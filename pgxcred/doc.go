// Package pgxcred logs pgx and pgxpool in with a password that rotates. The
// password is in AWS Secrets Manager, and a rotation of it costs no failed
// Acquire, no failed query, and as few wrong logins as possible. It is for
// programs that use pgx directly what package sqlcred is for those that use
// database/sql, and it logs in by that package's rules.
//
//	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
//	config, err := pgxpool.ParseConfig("host=db.internal dbname=shop sslmode=verify-full")
//	err = pgxcred.Configure(config, client, "prod/db", nil)
//	pool, err := pgxpool.NewWithConfig(ctx, config)
//
// The configuration says where the server is and how to reach it: hosts,
// Unix sockets, TLS, target_session_attrs, run-time parameters. The secret says
// the user name and the password; with Options.ServerFromSecret also host, port
// and database. [ConfigureConn] is for single connections, and a [Connector]
// for programs that have both.
//
// # What happens in a rotation
//
// Between the moment a rotation changes the password at the server and the
// moment it moves the label AWSCURRENT, the server accepts only a password that
// is not current yet. When the server refuses a version of the secret, the
// login goes on with the others that have a label, each once, and the one that
// was accepted is offered first from then on. Logins pass a gate, first come,
// first served, at most Options.MaxLogins at a time, and one at a time while a
// rotation is known to be outstanding; a refusal stops those that have not sent
// the same password yet. So a rotation costs one or two wrong logins in a
// process, one with a MaxLogins of 1, and none with alternating users if there
// is more time between two rotations than the client takes to notice the first.
// See package sqlcred for what that rests on, and for what no client can
// promise to many processes that share an account.
//
// A function for BeforeConnect that reads the secret, which is what pgxpool
// offers, cannot do that: it never learns that the login failed.
//
// Open connections survive a rotation: the server checks a password when a
// connection begins. With Options.RetireAfterRotation those that were opened
// with an old version leave the pool when they would next be acquired, without a
// failed query.
//
// # Errors
//
// A connect that fails returns a *pgconn.ConnectError, as ever, and errors.As
// finds in it what the login ended with: a *pgconn.PgError with the server's
// SQLSTATE, a [*secrets.RejectedError] if every version was refused, a
// [*sqlcred.AccountError], an *net.OpError. errors.Is finds
// context.DeadlineExceeded; a net.Error that is a timeout is not found, because
// pgx would put it in the place of the reason. No error contains a password.
//
// An Acquire whose context ends before its connection is there returns the bare
// error of the context: a pool logs in in the background, for whoever comes
// next, and hands on no reason. Give Acquire more time than a login takes that is
// known to fail (Options.MaxWait), or ask with a Ping, where the reason matters.
//
// # How it works, and what it cannot do
//
// pgx has no hook that could try another password. So the configuration's
// DialFunc and AfterNetConnect log in by themselves, with a pgx connection
// inside; when that is ready, its network connection is taken out of it and
// given to the outer connection, to which the messages that ended the login are
// replayed: parameters, key, notices. Queries are not touched; a connect takes
// about a hundred allocations more, and an open connection 12 KB. Therefore:
//
//   - [pgconn.PgConn.Conn] is not a *tls.Conn or *net.TCPConn: [NetConn] returns
//     that. [pgx.Conn.Config] tells user and TLSConfig of the login.
//   - The configuration of an open connection cannot be used to make another:
//     use the one that was given to Configure. That of [pgxpool.Pool.Config]
//     can.
//   - Before the first login a tracer is shown the user "secret:" and the
//     secret's name, from then on the user that logged in last.
//   - OnPgError is called for errors of the login with a connection that is
//     nobody's. What ValidateConnect leaves in CustomData is lost.
//   - [pgconn.ConnectConfig] needs a copy of the configuration for each
//     connection: pgx's own functions make one, it does not.
//   - It rests on pgconn.PgConn.Hijack, which stands outside pgx's promise of
//     compatibility. The package was tested with pgx v5.12.0, the oldest that it
//     builds with, and the newest there was. Its tests fail with a pgx whose
//     configuration has a field that they do not know.
//
// TLS is what the connection string says: the secret's field ssl is not heeded.
// Other configuration that asks for a password (PGPASSWORD, a password file) is
// ignored.
package pgxcred
