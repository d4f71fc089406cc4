// Package pgxcred logs pgx and pgxpool in with a password from Secrets Manager.
// A rotation of the PostgreSQL password fails no Acquire and no query, and causes
// as few wrong logins as possible. The package is for programs that use pgx
// directly. Programs that use database/sql can use package sqlcred, and both
// packages follow the same rules for logins.
//
//	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
//	config, err := pgxpool.ParseConfig("host=db.internal dbname=shop sslmode=verify-full")
//	err = pgxcred.Configure(config, client, "prod/db", nil)
//	pool, err := pgxpool.NewWithConfig(ctx, config)
//
// The configuration says where the server is and how to reach it: hosts, Unix
// sockets, TLS, target_session_attrs, run-time parameters. The secret provides
// the user name and the password, and with Options.ServerFromSecret also the
// host, port and database. Use [ConfigureConn] for single connections, and a
// [Connector] for programs that have both.
//
// # What happens in a rotation
//
// A rotation changes the password at the server first and moves the label
// AWSCURRENT later. In between, the server accepts only a password that is not
// current yet. When the server refuses a version of the secret, the login goes
// on with the other labeled versions, each once. Later logins offer the accepted
// version first.
//
// Logins pass a gate, first come, first served. It admits at most
// Options.MaxLogins at a time, and one at a time while a rotation is known to be
// outstanding. A refusal stops the logins that have not sent the same password
// yet. So a rotation costs one or two wrong logins per process, and one with a
// MaxLogins of 1. It costs none with alternating users, as long as the client
// notices each rotation before the next one. Package sqlcred explains the
// conditions, and what no client can promise to many processes that share an
// account.
//
// pgxpool itself offers the hook BeforeConnect, which can read the secret. That is
// not enough: the hook never learns that the login failed.
//
// Open connections survive a rotation: the server checks a password only when a
// connection begins. With Options.RetireAfterRotation, connections opened with an
// old version leave the pool when they would next be acquired, and no query
// fails.
//
// # Errors
//
// A failed connect returns a *pgconn.ConnectError, as always with pgx. errors.As
// finds the cause in it: a *pgconn.PgError with the server's SQLSTATE, a
// [*secrets.RejectedError] if every version was refused, a
// [*sqlcred.AccountError], or an *net.OpError. errors.Is finds
// context.DeadlineExceeded. errors.As does not find a net.Error that is a
// timeout, because pgx would then report the timeout instead of the cause. No
// error contains a password.
//
// An Acquire whose context ends before a connection is available returns only the
// error of the context. The pool logs in in the background, for whichever caller
// comes next, and does not pass on the cause. If the cause matters, give Acquire
// more time than a login takes to fail (Options.MaxWait), or call Ping.
//
// # How it works, and what it cannot do
//
// pgx has no hook that could try another password. So the DialFunc and
// AfterNetConnect of the configuration make an inner pgx connection that logs in.
// When it is ready, they pass its network connection to the outer pgx connection,
// and replay the messages that ended the login: parameters, key, notices. Queries
// are not affected. A connect makes about one hundred more allocations, and an
// open connection takes 12 KB more. This has consequences:
//
//   - [pgconn.PgConn.Conn] returns neither a *tls.Conn nor a *net.TCPConn:
//     [NetConn] does. [pgx.Conn.Config] has the user and the TLSConfig of the
//     login.
//   - The configuration of an open connection cannot make another connection. Use
//     the one that you passed to Configure. The one of [pgxpool.Pool.Config] works
//     too.
//   - Before the first login, a tracer sees the user "secret:" followed by the
//     secret's name. Later it sees the user that logged in last.
//   - OnPgError is called for errors of the login with a temporary connection. What
//     ValidateConnect stores in CustomData is lost.
//   - [pgconn.ConnectConfig] needs a copy of the configuration for each connection.
//     The functions of package pgx make a copy, this one does not.
//   - The package uses pgconn.PgConn.Hijack, which is outside pgx's promise of
//     compatibility. It was tested with pgx v5.12.0, the oldest version that it
//     builds with, and with the newest version available. Its tests fail if a pgx
//     configuration has a field that they do not know.
//
// The connection string alone controls TLS: the secret's field ssl is ignored.
// Other sources of a password (PGPASSWORD, a password file) are ignored too.
package pgxcred
