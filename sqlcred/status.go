package sqlcred

import "github.com/seed-74dc7b3e/secrets"

// A Status tells how a [Connector] stands. It holds no password, and nothing that a
// driver said.
type Status struct {
	// Secret is what the client knows of the connector's secret. Its fields Serving,
	// Pins and Refused are about this connector alone.
	Secret secrets.Status

	Version  string // the version that logins are offered first; "" if none was read yet
	Stage    string // the staging label by which that is: AWSCURRENT, or the label of a fallback
	Rotating bool   // a rotation is known to be outstanding, or a fallback is in use

	UnderWay    int    // logins under way
	Waiting     int    // Connects that wait until one of them is over
	WrongLogins uint64 // refusals of a password by the server, since New; a login that was stopped before the answer has none
}

// Status tells how the connector stands, from memory: it makes no request, begins
// no login, and waits for neither. After Close the gate's counts fall to zero as
// those who log in leave.
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
