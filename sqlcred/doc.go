// Package sqlcred connects database/sql to a database whose password is in AWS
// Secrets Manager, so that a rotation of the password costs no failed query and
// as few wrong logins as possible.
//
//	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
//	db, err := sqlcred.OpenDB("pgx", client, "prod/db", nil)
//
// is enough with a secret in the form that Amazon RDS uses and a driver
// that is registered with database/sql. The package imports none. With a
// driver's connector it is
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
// servers block accounts after a few. So logins go through a gate, at most
// Options.MaxLogins at a time, first come, first served, and one at a time
// while a rotation is known to be outstanding. When one is refused, no other
// login with that version begins, and those that have not sent their password
// yet are cancelled. A rotation then costs at most MaxLogins wrong logins in a
// process, one or two where the server is near, and exactly one with a
// MaxLogins of 1. A login whose caller leaves, at a deadline for instance, is
// finished in the background, for a second at most: the server may have counted
// its password already, and without the verdict the next login would be wrong
// too. [Connector.Close] ends such logins. With alternating users a rotation
// costs none, if there is more time
// between two rotations than the client takes to notice the first.
//
// That holds for one connector. No client can promise it for many processes
// that share an account: each has to find out by itself. Where an account is
// blocked after three strikes, rotate with alternating users, or let the server
// accept two passwords at once (RETAIN CURRENT PASSWORD in MySQL 8).
//
// A login that is cancelled before its password is sent costs nothing on
// PostgreSQL. MySQL and MariaDB count an interrupted handshake, and block a
// client's host after max_connect_errors (100) of them in a row. A rotation
// makes at most MaxLogins-1 in a process, none with a MaxLogins of 1, and the
// login that follows starts the count again.
//
// Cancelling takes a driver that observes the context of a login, as pgx and the
// driver for MySQL do. lib/pq tells its dialer of the context
// and no one else; the context that sqlcred gives to a driver does not end once
// the connection is made, so a dialer may tie the connection to it, provided
// that connect_timeout is not set:
//
//	func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
//		conn, err := d.Dialer.DialContext(ctx, network, addr)
//		if err == nil {
//			context.AfterFunc(ctx, func() { conn.Close() })
//		}
//		return conn, err
//	}
//
// A driver that ignores the context delays no caller: it finishes in the
// background, and the connection it returns is closed.
//
// # Errors
//
// If no version is accepted, Connect, and with it the first query, returns a
// [*secrets.RejectedError] when its context ends; or after Options.MaxWait if
// that has no deadline, because database/sql opens connections in the
// background without one. The error quotes the server's last answer. A login
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
// Pools that ask for credentials before each login can be given the secret in
// three lines, [Login] being a type to bind:
//
//	login := secrets.Bind[sqlcred.Login](client, "prod/db")
//
//	// pgxpool
//	config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
//		l, err := login.Get(ctx)
//		c.User, c.Password = l.Username, l.Password()
//		return err
//	}
//
//	// go-sql-driver/mysql
//	config.Apply(mysql.BeforeConnect(func(ctx context.Context, c *mysql.Config) error {
//		l, err := login.Get(ctx)
//		c.User, c.Passwd = l.Username, l.Password()
//		return err
//	}))
//
//	// go-redis
//	options.CredentialsProviderContext = func(ctx context.Context) (string, string, error) {
//		l, err := login.Get(ctx)
//		return l.Username, l.Password(), err
//	}
//
// Such a function is called before the login and never learns how it ended. It
// returns the current version, also when the server refuses that: with a single
// user, logins fail from the moment the password changes until the label has
// moved and the client has noticed, and nothing bounds their number. A caller
// whose error [IsRefused] recognizes can at least call
// [secrets.Client.Refresh]. That is enough where users alternate. Otherwise use
// a connector; pgx has one in its package stdlib, and [secrets.Try] is for
// everything else.
package sqlcred
