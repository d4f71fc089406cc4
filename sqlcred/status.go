package sqlcred

import "github.com/seed-74dc7b3e/secrets"

// A Status describes the state of a [Connector]. It contains no password and no
// text from a driver.
type Status struct {
	// Secret is the client's status of the secret. Its fields Serving, Pins
	// and Refused describe this connector alone.
	Secret secrets.Status

	Version  string // the version that the next login offers first; "" if no version was read yet
	Stage    string // the staging label of Version: AWSCURRENT, or the label of a fallback
	Rotating bool   // a rotation is known to be outstanding, or a fallback is in use

	UnderWay    int    // logins under way
	Waiting     int    // Connects that wait for their turn to log in
	WrongLogins uint64 // passwords refused by the server since New, without logins canceled before the server's verdict
}

// Status returns the state of the connector from memory. It makes no request,
// begins no login, and does not wait for any. After Close, UnderWay and Waiting
// fall to zero as the calls of Connect return.
func (c *Connector) Status() Status {
	c.isMade()
	s := Status{Rotating: c.ref.Rotating(), WrongLogins: c.wrong.Load()}
	s.UnderWay, s.Waiting = c.gate.Counts()
	s.Secret, _ = c.ref.Status()
	if pins := s.Secret.Pins; len(pins) > 0 {
		s.Version, s.Stage = pins[0].Version, pins[0].Stage
	} else if s.Version = s.Secret.Serving; s.Version != "" {
		s.Stage = secrets.Current
	}
	return s
}
