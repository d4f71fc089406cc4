// Package sqlcred connects database/sql with a password that rotates. The
// password is in AWS Secrets Manager, and a rotation of it costs no failed query
// and as few wrong logins as possible.
//
//	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
//	db, err := sqlcred.OpenDB("pgx", client, "prod/db", nil)
//
// That is enough with a secret in the form that Amazon RDS uses and a driver
// that is registered with database/sql. The package imports none. With a
// driver's connector:
//
//	open := func(l sqlcred.Login) (driver.Connector, error) {
//		cfg := mysql.NewConfig()
//		cfg.Net, cfg.Addr, cfg.DBName = "tcp", net.JoinHostPort(l.Host, "3306"), l.DBName
//		cfg.User, cfg.Passwd = l.Username, l.Password()
//		return mysql.NewConnector(cfg)
//	}
//	db := sql.OpenDB(sqlcred.New(client, "prod/db", open, nil))
//
// A secret that RDS manages holds a user name and a password only:
// Options.Host, Port, DBName and Engine say the rest.
//
// # What happens in a rotation
//
// Between the moment a rotation changes the password at the server and the
// moment it moves the label AWSCURRENT, the server accepts only a password
// that is not current yet. That lasts for seconds when all goes well, and for
// hours when the rotation fails in between. A connector logs in through it:
// when the server refuses a version, it offers the others that have a label,
// each once, and stays with the one that was accepted until that is current.
// See [secrets.Try].
//
// Every login with the wrong password counts against the account, and some
// servers block accounts after a few. So logins go through a gate, see package
// [gate]: at most Options.MaxLogins at a time, first
// come, first served, and one at a time while a rotation is known to be outstanding.
// Of those under way one at a time may have sent its password without a verdict.
// So a rotation costs one wrong login in a process, near and far, with
//
//   - pgx, through stdlib.GetConnector or by name, and pgxpool through package
//     pgxcred;
//   - lib/pq, through pq.NewConnector;
//   - go-sql-driver/mysql;
//   - every driver that dials with a [net.Dialer] and the context of the login, which
//     waits before it connects;
//   - connectors of one's own that call gate.Hold, see [New].
//
// Drivers that wait when they dial, pgx by name and go-sql-driver/mysql among them, do
// all the rest one login at a time. So that a pool fills quickly all the same, two of
// them may send their passwords at a time where a login takes less than 10 ms, the
// second has waited that long, and more wait than MaxLogins: a rotation that falls into
// such a moment costs two. stdlib.GetConnector does better.
//
// With other drivers, lib/pq by name among them, one login is under way at a time,
// and one more each time that the first of the queue has waited for 10 ms, or for the
// time of a login: two, or up to MaxLogins while a pool fills from a server that a
// login to takes longer than 10 ms. A rotation then costs one or two wrong logins, near
// and far, and at most MaxLogins in such a moment.
//
// When a login is refused no other with that version begins, and those that have not
// sent their password yet are cancelled. A login whose caller leaves, at a deadline
// for instance, is finished in the background, for a second at most: the server may
// have counted its password already, and without the verdict the next login would be
// wrong too. [Connector.Close] ends such logins. With alternating users a rotation
// costs none, if there is more time between two rotations than the client takes to
// notice the first.
//
// That holds for one connector. No client can promise it for many processes
// that share an account: each has to find out by itself, so that eight cost
// eight wrong logins a rotation. Where an account is
// blocked after three strikes, rotate with alternating users, or let the server
// accept two passwords at once (RETAIN CURRENT PASSWORD in MySQL 8).
//
// A login that is cancelled before its password is sent costs nothing on
// PostgreSQL. MySQL and MariaDB count an interrupted handshake, and block a
// client's host after max_connect_errors (100) of them in a row. A rotation
// makes at most MaxLogins-1 in a process, none with a MaxLogins of 1, and the
// login that follows starts the count again.
//
// A driver that ignores the context of a login delays no caller: it finishes in
// the background, and the connection it returns is closed.
//
// # When every version is refused
//
// The password need not be what is wrong: a role that may not log in, a line that
// pg_hba.conf lacks, a user that is gone, and MariaDB's 'app'@'localhost' read
// alike. Then one login every 5 to 5.5 seconds finds out whether the server
// accepts a current or pending version again. A repair is found within 6
// seconds and the time of a login where there is one of them, and within 12 where
// there are two, as long as somebody connects; a version with another label is
// offered again after a minute, two, four and so on up to 15.
// Options.RetriesPerHour bounds these logins for an hour.
//
// # A server that moves
//
// A login that fails for another reason, or has no answer for three seconds, causes a
// check of the secret, once in five seconds. If the secret names another host, port or
// database by then, the same Connect goes there at once: within a second where the
// old server refuses connections, and within five where nothing answers.
//
// # Behind PgBouncer
//
// PgBouncer answers every failed login with SQLSTATE 08P01; the refusals among them
// are known by their texts. What it needs: passwords from auth_query, or a file that
// the rotation writes too, and a short server_login_retry, since for that time (15
// seconds by default) PgBouncer repeats to all clients the answer that the server gave
// to one of its own logins.
//
// # GORM, sqlx and ent
//
// They take a pool, so one line is enough:
//
//	gormDB, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{})
//	sqlxDB := sqlx.NewDb(db, "pgx")
//	entClient := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, db)))
//
// # Tests
//
// Package sqlcredtest is a database in memory that knows users and passwords, for the
// tests of programs.
//
// # Errors
//
// If no version is accepted, Connect, and with it the first query, returns a
// [*secrets.RejectedError] when its context ends. A Connect without a deadline, as
// database/sql begins them in the background, returns it three seconds after
// every version was refused, so that those who queue behind it learn why. The error
// names the user and the server, quotes the server's last answer, and says how long
// the call waited. A second after the first full refusal a warning is logged, once,
// and a note when logins succeed again. A login
// that is refused because of the account, and not of the password, ends at once
// with an [*AccountError]: a blocked account is not tried again. All other
// errors are the driver's own. Refusals are recognized by the server's error
// codes, see [IsRefused]; Options.IsRefused may judge in its place.
//
// No error contains a password. A driver's error that does, in any of the usual
// escapes, is replaced by "error withheld: it contains the password" and its
// SQLSTATE or number; a password of up to three bytes is replaced in the text.
//
// # Open connections
//
// Connections that are open survive a rotation: servers check a password when
// a connection begins. By default they are the driver's own, and
// [database/sql.Conn.Raw] reaches them. With Options.RetireAfterRotation those
// opened with an old version leave the pool when they would next be used,
// without a failed query. That takes a wrapper, so code that uses Raw must go
// through [DriverConn]:
//
//	conn.Raw(func(driverConn any) error {
//		pgxConn := sqlcred.DriverConn(driverConn).(*stdlib.Conn).Conn()
//		...
//	})
//
// and libraries that expect a driver's type in Raw do not find it. A driver that
// can be asked whether to keep a connection needs no wrapper. With pgx:
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
// connections: true insists on TLS with the server's certificate and name
// checked, and false uses none. Without the field Options.TLS applies, and
// without that the driver's default: a service has its driver configured
// already, and a rule of this package would weaken that or break it. (Package
// rotate reads the field alike, but insists on TLS where it is absent, because
// it sends new passwords and the master's.)
// The authorities that sign the certificates of Amazon RDS are not among those
// that systems trust: give the driver their bundle.
//
//	&sqlcred.Options{Params: map[string]string{"sslrootcert": "/etc/rds/global-bundle.pem"}}
//
// # Without database/sql
//
// Package pgxcred, a module of its own, does the same for pgx and pgxpool, and
// package rediscred for clients of Redis and Valkey. Other pools that dial by
// themselves can use package gate, which bounds logins and remembers refusals,
// or [secrets.Try].
//
// A pool that asks for credentials before each login can be given the secret in
// three lines, [Login] being a type to bind:
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
// Such a function is called before the login and never learns how it ended. It
// returns the current version, also when the server refuses that: with a single
// user, logins fail from the moment the password changes until the label has
// moved and the client has noticed, and nothing bounds their number. A caller
// whose error [IsRefused] recognizes can at least call
// [secrets.Client.Refresh]. That is enough where users alternate.
//
// [gate]: https://pkg.go.dev/github.com/seed-74dc7b3e/secrets/gate
package sqlcred
