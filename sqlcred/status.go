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
	WrongLogins uint64 // times that the server refused a password that this connector sent, since New
}

// Status tells how the connector stands, from memory: it makes no request, begins
// no login, and waits for neither. After Close the gate's counts fall to zero as
// those who log in leave.
func (c *Connector) Status() Status {
	s := Status{Rotating: c.ref.Rotating(), WrongLogins: c.wrong.Load()}
	s.UnderWay, s.Waiting = c.gate.counts()
	s.Secret, _ = c.ref.Status()
	if pins := s.Secret.Pins; len(pins) > 0 {
		s.Version, s.Stage = pins[0].Version, pins[0].Stage
	} else if s.Version = s.Secret.Serving; s.Version != "" {
		s.Stage = secrets.Current
	}
	return s
}

// counts returns how many logins are under way and how many wait.
func (g *gate) counts() (underWay, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.underWay), len(g.waiting)
}
