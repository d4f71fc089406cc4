// Package sqlcred logs database/sql in with a password from Secrets Manager.
// A rotation of the password fails no query and causes as few wrong logins as
// possible.
//
//	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
//	db, err := sqlcred.OpenDB("pgx", client, "prod/db", nil)
//
// This is all you need if the secret has the form that Amazon RDS uses and the
// driver is registered with database/sql. The package imports no driver. To use
// a driver's connector instead:
//
//	open := func(l sqlcred.Login) (driver.Connector, error) {
//		cfg := mysql.NewConfig()
//		cfg.Net, cfg.Addr, cfg.DBName = "tcp", net.JoinHostPort(l.Host, "3306"), l.DBName
//		cfg.User, cfg.Passwd = l.Username, l.Password()
//		return mysql.NewConnector(cfg)
//	}
//	db := sql.OpenDB(sqlcred.New(client, "prod/db", open, nil))
//
// A secret that RDS manages contains only a user name and a password. Set the
// rest in Options.Host, Port, DBName and Engine.
//
// # What happens in a rotation
//
// A rotation changes the password at the server first and moves the label
// AWSCURRENT later. In between, the server accepts only a password that is not
// current yet. This lasts for seconds if all goes well, and for hours if the
// rotation fails halfway. A connector logs in during that time too. When the
// server refuses a version, the connector offers the other labeled versions, each
// once, and then uses the accepted version until it becomes current. See
// [secrets.Try].
//
// Every login with a wrong password counts against the account, and some servers
// block an account after a few. Therefore logins pass a gate, see package
// [gate]. It admits at most Options.MaxLogins
// logins at a time, first come, first served, and one at a time while a rotation
// is known to be outstanding. Among the admitted logins, only one at a time may
// have sent its password without a verdict. A rotation then costs one wrong
// login per process, whether the server is near or far. This holds for
//
//   - pgx, through stdlib.GetConnector or by name, and pgxpool through package
//     pgxcred;
//   - lib/pq, through pq.NewConnector;
//   - go-sql-driver/mysql;
//   - every driver that dials with a [net.Dialer] and the context of the login;
//     it waits before it connects;
//   - your own connectors that call gate.Hold, see [New].
//
// Some drivers wait when they dial, among them pgx by name and
// go-sql-driver/mysql. They perform the rest of the login one at a time. To fill
// a pool quickly all the same, the gate lets a second login send its password if
// a login takes less than 10 ms, the second has waited for 10 ms, and more than
// MaxLogins logins want to begin. A rotation that happens at that moment costs
// two wrong logins. stdlib.GetConnector avoids this.
//
// With other drivers, lib/pq by name among them, the gate admits one login at a
// time. It admits a second one when the first in the queue has waited for 10 ms
// or for the mean time of a login, whichever is longer. It admits up to MaxLogins
// while a pool fills from a server where a login takes 10 ms or more. A rotation
// then costs one or two wrong logins, and up to MaxLogins while a pool fills from
// such a server.
//
// When the server refuses a version, no other login with that version begins,
// and logins that have not sent their password yet are canceled. If the caller
// of a login leaves, for instance at its deadline, the login goes on in the
// background for up to one second: the server may already have counted the
// password, and without the verdict the next login would be wrong too.
// [Connector.Close] ends such logins. With alternating users a rotation costs no
// wrong login, as long as the client notices each rotation before the next one.
//
// All of this applies to one connector. No client can promise it for many
// processes that share an account: each process has to find out by itself, so
// eight processes make eight wrong logins per rotation. If the server blocks an
// account after three wrong logins, rotate with alternating users, or let the
// server accept two passwords at once (RETAIN CURRENT PASSWORD in MySQL 8).
//
// On PostgreSQL, a login that is canceled before it sends its password costs
// nothing. MySQL and MariaDB count an interrupted handshake, and block a client's
// host after max_connect_errors (100) of them in a row. A rotation interrupts at
// most MaxLogins-1 handshakes per process, and none with a MaxLogins of 1. The
// next successful login resets the count.
//
// A driver that ignores the context of a login delays no caller. It finishes in
// the background, and the connection that it returns is closed.
//
// # When every version is refused
//
// The password may not be the cause: the server answers in the same way if the
// role may not log in, if pg_hba.conf lacks a line, if the user is gone, or, on
// MariaDB, if the user exists only as 'app'@'localhost'. The connector then
// makes one login every 5 to 5.5 seconds to find out whether the server accepts
// a current or pending version again. As long as somebody connects, it notices a
// repair within 6 seconds plus the time of a login if there is one such version,
// and within 12 if there are two. It offers versions with other labels again
// after one minute, two, four and so on, up to 15. Options.RetriesPerHour limits
// these logins per hour.
//
// # A server that moves
//
// A login that fails for another reason, or has no answer after three seconds,
// makes the connector check the secret, at most once in five seconds. If the
// secret now names another host, port or database, the same Connect goes there
// at once: within one second if the old server refuses connections, and within
// five if nothing answers.
//
// # Behind PgBouncer
//
// PgBouncer answers every failed login with SQLSTATE 08P01. The connector
// recognizes refusals among them by their texts. PgBouncer has to read passwords
// by auth_query, or from a file that the rotation also writes. It also needs a
// short server_login_retry: for that time (15 seconds by default) PgBouncer
// repeats to all clients the answer that the server gave to one of its own
// logins.
//
// # GORM, sqlx and ent
//
// They accept a pool, so one line is enough:
//
//	gormDB, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{})
//	sqlxDB := sqlx.NewDb(db, "pgx")
//	entClient := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, db)))
//
// # Tests
//
// Package sqlcredtest provides an in-memory database with users and passwords
// for the tests of programs.
//
// # Errors
//
// If the server accepts no version, Connect, and with it the first query, returns
// a [*secrets.RejectedError] when its context ends. database/sql also calls
// Connect in the background without a deadline. Such a call returns the error
// three seconds after every version was refused, so that the queries that wait
// for it learn the reason. The error names the user and the server, quotes the
// server's last answer, and tells how long the call waited. The connector logs
// one warning once the server has refused every version for one second, and a
// note when logins succeed again. If the server refuses a login because of the
// account and not because of the password, Connect returns an [*AccountError]
// immediately: a blocked account is not tried again. All other errors are the
// driver's own. [IsRefused] recognizes refusals by the server's error codes; set
// Options.IsRefused to replace it.
//
// No error contains a password. If a driver's error contains one, in any of the
// usual escapes, the text "error withheld: it contains the password" and the
// SQLSTATE or number replace it. A password of up to three bytes is replaced
// within the text.
//
// # Open connections
//
// Open connections survive a rotation: servers check a password only when a
// connection begins. By default connections are the driver's own, and
// [database/sql.Conn.Raw] gives access to them. With
// Options.RetireAfterRotation, connections opened with an old version leave the
// pool when they would next be used, and no query fails. This requires a wrapper,
// so code that uses Raw must call [DriverConn]:
//
//	conn.Raw(func(driverConn any) error {
//		pgxConn := sqlcred.DriverConn(driverConn).(*stdlib.Conn).Conn()
//		...
//	})
//
// Libraries that expect a driver's type in Raw do not find it. No wrapper is
// needed for a driver with a hook that decides whether to keep a connection.
// With pgx:
//
//	var c *sqlcred.Connector
//	c = sqlcred.New(client, "prod/db", func(l sqlcred.Login) (driver.Connector, error) {
//		dsn, err := l.DSN("pgx", nil)
//		if err != nil {
//			return nil, err
//		}
//		cfg, err := pgx.ParseConfig(dsn)
//		if err != nil {
//			return nil, err
//		}
//		return stdlib.GetConnector(*cfg, stdlib.OptionResetSession(func(context.Context, *pgx.Conn) error {
//			if c.Retired(l) {
//				return driver.ErrBadConn
//			}
//			return nil
//		})), nil
//	}, nil)
//
// # TLS
//
// The secret's field ssl says how [Login.DSN], and so [OpenDB], secures
// connections. With true, TLS is required, and the driver verifies the server's
// certificate and name. With false, TLS is off. Without the field Options.TLS
// applies, and without that the driver's default: a service has already
// configured its driver, and a rule of this package could weaken or break that
// configuration. (Package rotate treats the field in the same way, but requires
// TLS if the field is absent, because it sends new passwords and those of
// masters.) Systems do not trust the authorities that sign the certificates of
// Amazon RDS by default, so give the driver their bundle:
//
//	&sqlcred.Options{Params: map[string]string{"sslrootcert": "/etc/rds/global-bundle.pem"}}
//
// # Without database/sql
//
// Package pgxcred, a module of its own, does the same for pgx and pgxpool, and
// package rediscred for clients of Redis and Valkey. Other pools that dial by
// themselves can use package gate, which limits logins and remembers refusals,
// or [secrets.Try].
//
// If a pool asks for credentials before each login, three lines give it the
// secret, because a [Login] can be the type of a handle:
//
//	login := secrets.Bind[sqlcred.Login](client, "prod/db")
//
//	// go-sql-driver/mysql
//	config.Apply(mysql.BeforeConnect(func(ctx context.Context, c *mysql.Config) error {
//		l, err := login.Get(ctx)
//		c.User, c.Passwd = l.Username, l.Password()
//		return err
//	}))
//
// Such a function runs before the login and never learns the result. It returns
// the current version even if the server refuses that version. With a single
// user, logins fail from the moment the password changes until the label has
// moved and the client has noticed, and nothing limits their number. A caller
// that gets an error recognized by [IsRefused] can at least call
// [secrets.Client.Refresh]. With alternating users that is enough.
//
// [gate]: https://pkg.go.dev/github.com/seed-74dc7b3e/secrets/gate
package sqlcred
