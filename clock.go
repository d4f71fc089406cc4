package secrets

import "time"

// A clock is what a client measures time by. Two things can be asked, which
// disagree where the clock is set, where the machine is suspended, and where the
// process is restored from a snapshot. The zero value asks package time.
type clock struct {
	wall func() time.Time     // what time it is; it may go back; nil: time.Now
	ran  func() time.Duration // for how long the client has run, which some systems do not count while suspended; nil: since start

	start time.Time
}

// now returns what time it is.
func (k *clock) now() time.Time {
	if k.wall != nil {
		return k.wall()
	}
	return time.Now()
}

// since returns for how long the client has run.
func (k *clock) since() time.Duration {
	if k.ran != nil {
		return k.ran()
	}
	return time.Since(k.start)
}
