package rotate

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// SQLOptions are the options of Postgres, MySQL, SQLServer, Oracle and
// Redshift. The zero value, or a nil pointer, is for a single user who changes
// its own password. SQLServer, Oracle and Redshift support nothing else.
type SQLOptions struct {
	// Alternating alternates between two users: the secret's user and a clone with
	// CloneSuffix added to the name. Each rotation sets a new password for the
	// user that is not current, so that the current one works until the next
	// rotation. The secret's field masterarn names the secret of a master user who
	// may do that.
	//
	// A missing clone is created. Make changes to rights on the original user.
	//
	// In PostgreSQL the clone is a role that is a member of the original and
	// inherits its rights. A member does not inherit attributes (CREATEDB and the
	// like, CONNECTION LIMIT, VALID UNTIL) and settings (ALTER ROLE ... SET, in
	// one database or in all). The rotator copies these at each rotation to the
	// clone, for which the master must have the attributes of the original.
	// Objects that the clone creates belong to the clone; see SetRole.
	//
	// In MySQL and MariaDB the clone has the same host part. At each rotation to
	// it, it gets the original's grants from SHOW GRANTS, its TLS requirement and
	// its default role. Other rights of the clone stay, unless RevokeLost is set.
	Alternating bool

	// CloneSuffix is the ending of the clone's name. Empty means "_clone". The
	// name must not be longer than the server allows: 63 bytes in PostgreSQL, 32
	// characters in MySQL, 80 in MariaDB.
	CloneSuffix string

	// SetRole makes a PostgreSQL clone act as the original from the start of each
	// session (ALTER ROLE clone SET role). Objects that it creates then belong to
	// the original, which can alter and drop them when it is current. Set it for
	// users that create objects. A role setting of the original itself has
	// precedence. SetRole takes effect at the next rotation to the clone.
	//
	// It is not the default because it has drawbacks. A clone that acts as the
	// original can no longer alter what it created before under its own name
	// (REASSIGN OWNED BY clone TO original helps). current_user differs from
	// session_user. And DISCARD ALL, which some poolers send between two clients,
	// ends its effect for the rest of the session.
	SetRole bool

	// RevokeLost revokes from a MySQL or MariaDB clone, at each rotation to it,
	// the privileges and roles that the original does not have: those that the
	// original has lost, and those granted only to the clone. Therefore grant
	// rights to the original: a rotation to the original changes no rights. The
	// master must be able to read the clone's grants. If a clone has all
	// privileges on an object and its original has fewer, the clone may have none
	// for a moment.
	RevokeLost bool

	// TwoPasswords keeps the working password valid until the next rotation, so
	// that AWSCURRENT always logs in. It needs MySQL 8.0.14 or later (RETAIN
	// CURRENT PASSWORD) or MariaDB 10.4 or later (IDENTIFIED VIA ... OR ...).
	// MySQL requires the privilege APPLICATION_PASSWORD_ADMIN and no policy
	// against reusing a password. MariaDB requires CREATE USER, or a masterarn in
	// the secret whose user has it. TwoPasswords is an error for PostgreSQL, which
	// does not support it, and with Alternating, which does not need it.
	TwoPasswords bool

	// Password configures how new passwords are made.
	Password Password

	// TestQuery is the query of testSecret. Empty means "SELECT 1", for Oracle
	// with "FROM DUAL".
	TestQuery string

	// Iterations is the work factor of PostgreSQL's SCRAM-SHA-256. Zero means
	// 4096, which is PostgreSQL's default.
	Iterations int

	// Rejected reports whether a login error means that the password was refused.
	// Nil means IsRejected.
	Rejected func(error) bool

	// Complete, if not nil, gets the login of each secret and returns it with
	// missing fields added, such as the host of a secret that RDS manages. It
	// cannot replace the password. An error ends the step.
	Complete func(ctx context.Context, secretID string, l Login) (Login, error)

	// SameServer is called if host or port of the master's secret differ from
	// those of the rotated secret. It reports whether both name the same database,
	// for instance a replica, or the cluster of an instance. Nil means that they
	// never do.
	//
	// It must not trust the content of the rotated secret. Otherwise whoever may
	// write that secret could name any master secret in it, and make that master
	// change a user of the master's own database.
	SameServer func(ctx context.Context, user, master Login) (bool, error)
}

// SQL is a Rotator for users of a database. Postgres, MySQL, SQLServer, Oracle
// and Redshift make it. It is safe for concurrent use by multiple goroutines if
// the functions in its options are.
type SQL struct {
	dialect dialect
	open    OpenFunc
	opts    SQLOptions
}

// Postgres returns a Rotator for PostgreSQL 10 and later and its derivatives.
// New passwords must be printable ASCII: this package computes the verifier,
// and for other characters that requires normalization (SASLprep), which the
// standard library does not have.
//
// On Amazon RDS with rds.restrict_password_commands, users may change their
// own password only as a member of rds_password.
func Postgres(open OpenFunc, opts *SQLOptions) *SQL { return newSQL(postgres{}, open, opts) }

// MySQL returns a Rotator for MySQL 5.7.6 and later and for MariaDB. New
// passwords must be printable ASCII.
func MySQL(open OpenFunc, opts *SQLOptions) *SQL { return newSQL(mysql{}, open, opts) }

func newSQL(d dialect, open OpenFunc, opts *SQLOptions) *SQL {
	s := &SQL{dialect: d, open: open}
	if opts != nil {
		s.opts = *opts
	}
	return s
}

// Create returns the current value with a new password. With alternating users,
// the value also has the other user's name. Create first checks that the
// secret, and the master's secret if it will be needed, contain what the next
// steps need, and that there is a driver. So nothing is stored that setSecret
// could not use. Create does not connect to the database.
func (s *SQL) Create(ctx context.Context, r *Rotation) (Value, error) {
	if err := s.check(); err != nil {
		return Value{}, err
	}
	v, err := r.Current(ctx)
	if err != nil {
		return Value{}, err
	}
	l, err := s.reader().login(ctx, r, r.SecretID(), v)
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", current, err)
	}
	if s.opts.Alternating {
		other, err := s.otherUser(l)
		if err != nil {
			return Value{}, err
		}
		if v, err = v.WithField("username", other); err != nil {
			return Value{}, err
		}
	}
	if err := s.ready(ctx, r, l); err != nil {
		return Value{}, err
	}
	p, limit := s.opts.Password, s.dialect.passwordLimit()
	if limit > 0 && p.Length == 0 {
		p.Length = min(p.length(), limit)
	}
	if limit > 0 && p.Length > limit {
		return Value{}, fmt.Errorf("password: Length %d is more than %s takes, %d", p.Length, s.dialect.name(), limit)
	}
	password, err := r.NewPassword(ctx, p)
	if err != nil {
		return Value{}, err
	}
	return v.WithField("password", password)
}

// ready returns an error if the steps after createSecret could not even begin.
func (s *SQL) ready(ctx context.Context, r *Rotation, l Login) error {
	if err := hasHost(l); err != nil {
		return err
	}
	if err := s.opens(r, l); err != nil {
		return err
	}
	if !s.opts.Alternating && (!s.opts.TwoPasswords || l.MasterARN == "") {
		return nil
	}
	m, err := s.reader().master(ctx, r, l)
	if err != nil {
		return err
	}
	return s.opens(r, m)
}

// opens returns an error if the OpenFunc makes no connector of a login. It
// does not connect.
func (s *SQL) opens(r *Rotation, l Login) error {
	c, err := makeConnector(s.open, l)
	if err != nil {
		return r.scrub(err)
	}
	_ = onceConnector{c}.Close()
	return nil
}

// Test logs in with the AWSPENDING version and runs one query.
func (s *SQL) Test(ctx context.Context, r *Rotation) error {
	if err := s.check(); err != nil {
		return err
	}
	_, pend, err := s.versions(ctx, r)
	if err != nil {
		return err
	}
	ses, err := s.login(ctx, r, pend, pending)
	if err != nil {
		return err
	}
	defer ses.close()
	query := s.opts.TestQuery
	if query == "" {
		query = s.dialect.testQuery()
	}
	rows, err := ses.conn.QueryContext(ctx, query)
	if err == nil {
		for rows.Next() {
		}
		err = errors.Join(rows.Err(), rows.Close())
	}
	if err != nil {
		return fmt.Errorf("test query: %w", r.scrub(err))
	}
	return nil
}

// check finds options that cannot be.
func (s *SQL) check() error {
	switch {
	case s.open == nil:
		return errors.New("the OpenFunc is nil")
	case s.opts.TwoPasswords && s.opts.Alternating:
		return errors.New("SQLOptions: TwoPasswords and Alternating exclude each other")
	case s.opts.Alternating && !s.dialect.alternates():
		return fmt.Errorf("SQLOptions: alternating users of %s are not supported", s.dialect.name())
	case s.opts.TwoPasswords && !s.dialect.twoPasswords():
		return fmt.Errorf("SQLOptions: %s cannot hold two passwords of a user", s.dialect.name())
	case s.opts.Iterations < 0:
		return errors.New("SQLOptions: Iterations is negative")
	}
	return nil
}

// reader returns the reader of the rotator's secrets.
func (s *SQL) reader() reader {
	return reader{
		engines: s.dialect.engines(), port: s.dialect.port(),
		complete: s.opts.Complete, sameServer: s.opts.SameServer,
	}
}

// versions returns the logins of AWSCURRENT and AWSPENDING, which must be for
// the same place. Nothing has been dialled then.
func (s *SQL) versions(ctx context.Context, r *Rotation) (cur, pend Login, err error) {
	return s.reader().pair(ctx, r, func(cur Login) (string, error) {
		if s.opts.Alternating {
			return s.otherUser(cur)
		}
		return cur.Username, nil
	})
}

// otherUser returns the name of the user whose turn it is after l's.
func (s *SQL) otherUser(l Login) (string, error) {
	suffix := s.opts.CloneSuffix
	if suffix == "" {
		suffix = "_clone"
	}
	if base, ok := strings.CutSuffix(l.Username, suffix); ok && base != "" {
		return base, nil
	}
	name := l.Username + suffix
	if n, limit := s.dialect.nameLength(name), s.dialect.maxName(l.Engine); n > limit {
		return "", fmt.Errorf("the clone's name would be longer than %d", limit)
	}
	return name, nil
}

// checkPassword says whether a password may be set. Other characters than
// printable ASCII mean different bytes to different clients.
func checkPassword(p string) error {
	if p == "" {
		return errors.New(`the field "password" is empty`)
	}
	for i := range len(p) {
		if p[i] < 0x20 || p[i] > 0x7e {
			return errors.New(`the field "password" holds other characters than printable ASCII`)
		}
	}
	return nil
}

// login logs in. If the server refuses, the error wraps ErrRefused and the
// driver's error.
func (s *SQL) login(ctx context.Context, r *Rotation, l Login, label string) (*session, error) {
	ses, err := open(ctx, s.open, l)
	if err == nil {
		return ses, nil
	}
	rejected := s.opts.Rejected
	if rejected == nil {
		rejected = IsRejected
	}
	said := r.scrub(err)
	if rejected(err) {
		return nil, fmt.Errorf("log in with %s: %w: %w", label, ErrRefused, said)
	}
	return nil, fmt.Errorf("log in with %s: %w", label, said)
}
