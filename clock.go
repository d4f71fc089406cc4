package secrets

import "time"

// A clock measures time for a client. Its two readings disagree if the system
// time is changed, the machine is suspended, or the process is restored from a
// snapshot. The zero value uses package time.
type clock struct {
	wall func() time.Time     // the wall clock, which may go back; nil: time.Now
	ran  func() time.Duration // how long the client has run; some systems do not count suspended time; nil: since start

	start time.Time
}

// now returns the wall clock's time.
func (k *clock) now() time.Time {
	if k.wall != nil {
		return k.wall()
	}
	return time.Now()
}

// since returns how long the client has run.
func (k *clock) since() time.Duration {
	if k.ran != nil {
		return k.ran()
	}
	return time.Since(k.start)
}
