package rotate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// A change is a password to be set.
type change struct {
	user     string // name, without MySQL's host part
	password string
	old      string // the working password; empty if a master changes it
	opts     *SQLOptions
}

// A dialect implements what differs between kinds of servers.
type dialect interface {
	name() string
	engines() []string // the first is the default
	port() int
	nameLength(name string) int
	maxName(engine string) int
	passwordLimit() int // how long a password may be; 0: of any length
	testQuery() string
	alternates() bool
	twoPasswords() bool
	dsn(l Login, params url.Values) (string, error)

	// setOwn changes the password of the user that ses is logged in as.
	setOwn(ctx context.Context, ses *session, c change) error

	// setBoth does the same and keeps the password keep. admin is a session
	// that may do it, perhaps ses. works reports whether the new password logs
	// in already.
	setBoth(ctx context.Context, ses, admin *session, c change, keep string, works func() (bool, error)) error

	// setOther makes master change the password of the alternating user c.user. If
	// that user is missing, it is made like the user that ses is logged in as. The
	// new password must not log in before everything else is done.
	setOther(ctx context.Context, ses, master *session, like string, c change) error
}

// dialectFor returns the dialect of an engine.
func dialectFor(engine string) (dialect, bool) {
	for _, d := range []dialect{postgres{}, mysql{}, sqlServer{}, oracle{}, redshift{}} {
		for _, e := range d.engines() {
			if e == engine {
				return d, true
			}
		}
	}
	return nil, false
}

// Set makes the database accept the AWSPENDING password, unless it already
// does.
func (s *SQL) Set(ctx context.Context, r *Rotation) error {
	if err := s.check(); err != nil {
		return err
	}
	cur, pend, err := s.versions(ctx, r)
	if err != nil {
		return err
	}
	works, err := s.works(ctx, r, pend)
	if works || err != nil {
		return err
	}
	c := change{user: pend.Username, password: pend.Password(), opts: &s.opts}
	if s.opts.Alternating {
		err = s.setOther(ctx, r, cur, c)
	} else {
		err = s.setOwn(ctx, r, cur, pend, c)
	}
	return r.scrub(err)
}

// works reports whether pending logs in.
func (s *SQL) works(ctx context.Context, r *Rotation, pend Login) (bool, error) {
	ses, err := s.login(ctx, r, pend, pending)
	if errors.Is(err, ErrRefused) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ses.close()
	return true, nil
}

// setOwn logs in with the current or the previous password and changes it.
func (s *SQL) setOwn(ctx context.Context, r *Rotation, cur, pend Login, c change) error {
	ses, with, err := s.loginOld(ctx, r, cur, pend)
	if errors.Is(err, ErrRefused) {
		// An earlier delivery, interrupted or running at the same time, may have
		// changed the password since works tried it.
		works, again := s.works(ctx, r, pend)
		if works || again != nil {
			return again
		}
		return fmt.Errorf("AWSPENDING is refused before and after, and: %w", err)
	}
	if err != nil {
		return err
	}
	defer ses.close()
	c.old = with.Password()
	if !s.opts.TwoPasswords {
		return s.dialect.setOwn(ctx, ses, c)
	}
	admin := ses
	if cur.MasterARN != "" {
		if admin, err = s.master(ctx, r, cur); err != nil {
			return err
		}
		defer admin.close()
	}
	return s.dialect.setBoth(ctx, ses, admin, c, with.Password(), func() (bool, error) { return s.works(ctx, r, pend) })
}

// loginOld logs in with the current password, or with the previous one if
// that is refused. A password that equals one refused before is not tried.
func (s *SQL) loginOld(ctx context.Context, r *Rotation, cur, pend Login) (*session, Login, error) {
	refused := fmt.Errorf("%s: %w", current, ErrRefused) // pending's password, and refused as that
	if cur.Password() != pend.Password() {
		ses, err := s.login(ctx, r, cur, current)
		if err == nil || !errors.Is(err, ErrRefused) {
			return ses, cur, err
		}
		refused = err
	}
	old, err := s.reader().previous(ctx, r, cur, pend, refused)
	if err != nil {
		return nil, cur, err
	}
	ses, err := s.login(ctx, r, old, previous)
	if errors.Is(err, ErrRefused) {
		err = fmt.Errorf("AWSCURRENT is refused, and: %w", err)
	}
	return ses, old, err
}

// setOther changes the user that is not current. The current user must log in
// first: this proves that the author of the secret can log in to this server,
// before the master acts on the secret's behalf.
func (s *SQL) setOther(ctx context.Context, r *Rotation, cur Login, c change) error {
	ses, err := s.login(ctx, r, cur, current)
	if err != nil {
		return err
	}
	defer ses.close()
	master, err := s.master(ctx, r, cur)
	if err != nil {
		return err
	}
	defer master.close()
	return s.dialect.setOther(ctx, ses, master, cur.Username, c)
}

// master logs in as the master user.
func (s *SQL) master(ctx context.Context, r *Rotation, cur Login) (*session, error) {
	m, err := s.reader().master(ctx, r, cur)
	if err != nil {
		return nil, err
	}
	return s.login(ctx, r, m, "the master's secret")
}
