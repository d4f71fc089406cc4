package rotation

// The scripts: what the service shows and the resource accepts, moment by
// moment.

// singleUser is a rotation of one user's password.
func singleUser() []moment {
	return []moment{
		{current: "0", accepts: "0"},
		{current: "0", pending: "1", valueless: true, accepts: "0"},
		{current: "0", pending: "1", accepts: "0"},
		{current: "0", pending: "1", accepts: "1"}, // setSecret
		{current: "1", previous: "0", accepts: "1"},
	}
}

// alternatingUsers is a rotation between two users, both of whom log in.
func alternatingUsers() []moment {
	return []moment{
		{current: "1", previous: "0", accepts: "01"},
		{current: "1", pending: "2", previous: "0", accepts: "1"}, // setSecret of the other user
		{current: "1", pending: "2", previous: "0", accepts: "12"},
		{current: "2", previous: "1", accepts: "12"},
	}
}

// stuck is a rotation that died after setSecret.
func stuckRotation() []moment { return singleUser()[:4] }

// from leaves out the first moments, so that the rest can be explored deeper.
func from(script []moment, first int) []moment { return script[first:] }

func with(script []moment, change func(*moment)) []moment {
	for i := range script {
		change(&script[i])
	}
	return script
}

// models are sub-models that are explored completely and together cover what
// can happen to a handle.
func models() []*model {
	all := []*model{
		{name: "single user, 3 callers", script: from(singleUser(), 2), callers: 3, refreshes: 1},
		{name: "single user, every moment", script: singleUser(), callers: 2, refreshes: 1, healthy: true},
		{name: "single user, answers on their way", script: from(singleUser(), 2), callers: 2, late: true, refreshes: 1, healthy: true},
		{name: "single user, callers leave", script: from(singleUser(), 2), callers: 2, leaves: 2, healthy: true},
		{name: "single user, 3 callers, one leaves", script: from(singleUser(), 2), callers: 3, leaves: 1, healthy: true, full: true},
		{name: "single user, callers go on", script: from(singleUser(), 3), callers: 2, again: true, healthy: true},
		{name: "single user, faults", script: from(singleUser(), 2), callers: 2, faults: 1, refreshes: 1, healthy: true},
		{name: "single user, lag", script: from(singleUser(), 2), callers: 2, lags: 2, refreshes: 1, back: true, healthy: true},
		{name: "single user, an outage that ends", script: append(with(from(singleUser(), 3)[:1], func(m *moment) { m.down = true }), from(singleUser(), 3)...), callers: 2, refreshes: 1, healthy: true},
		{name: "an outage without end", script: with(from(singleUser(), 3), func(m *moment) { m.down = true }), callers: 2, refreshes: 1, back: true},
		{name: "AWSPENDING denied", script: from(singleUser(), 2), callers: 2, denied: true, refreshes: 1, healthy: true},
		{name: "DescribeSecret denied", script: from(singleUser(), 2), callers: 2, undescribe: true, faults: 1, refreshes: 1, healthy: true},
		{name: "stuck after setSecret", script: stuckRotation(), callers: 2, again: true, healthy: true},
		{name: "stuck without a value", script: singleUser()[:2], callers: 2, again: true, healthy: true},
		{name: "alternating users, 3 callers", script: from(alternatingUsers(), 1), callers: 3, refreshes: 1},
		{name: "alternating users", script: alternatingUsers(), callers: 2, faults: 1, lags: 1, refreshes: 1, healthy: true},
		{name: "rollback", script: []moment{
			{current: "1", previous: "0", accepts: "1"},
			{current: "1", previous: "0", accepts: "0"}, // the resource was set back
			{current: "0", previous: "1", accepts: "0"}, // and the label after it
		}, callers: 2, back: true, faults: 1, refreshes: 1, healthy: true},
		{name: "the resource was set back, AWSPENDING out of reach", script: []moment{
			{current: "1", pending: "2", previous: "0", accepts: "0"},
		}, callers: 2, faults: 1, healthy: true},
		{name: "alternating users, the other is locked", script: []moment{
			{current: "1", previous: "0", accepts: "1"},
			{current: "1", previous: "0", accepts: "0"},
			{current: "1", pending: "2", previous: "0", accepts: "02"},
			{current: "2", previous: "1", accepts: "2"},
		}, callers: 2, lags: 1, refreshes: 1, healthy: true},
		{name: "the resource was set back, with values in memory", script: []moment{
			{current: "0", accepts: "0"},
			{current: "1", previous: "0", accepts: "0"},
		}, callers: 2, faults: 1, refreshes: 1, healthy: true},
		{name: "finished before the resource knew", script: []moment{
			{current: "0", pending: "1", accepts: ""},
			{current: "1", previous: "0", accepts: ""},
			{current: "1", previous: "0", accepts: "1"},
		}, callers: 1, again: true, leaves: 2, refreshes: 1, healthy: true},
		{name: "the pending version was taken back", script: []moment{
			{current: "0", pending: "1", accepts: "1"},
			{current: "0", pending: "1", accepts: "0"},
		}, callers: 2, healthy: true, again: true},
		{name: "custom labels", script: []moment{
			{current: "1", blue: "0", accepts: "1"},
			{current: "1", blue: "0", accepts: "0"},
		}, cfg: Config{Stages: []string{Pending, Previous, "BLUE"}}, callers: 2, faults: 1, healthy: true},
		{name: "current alone", script: from(singleUser(), 3), cfg: Config{Stages: []string{}}, callers: 2, refreshes: 1, healthy: true},
		{name: "nothing is accepted, pauses grow", script: []moment{
			{current: "1", pending: "2", previous: "0", accepts: ""},
			{current: "1", pending: "2", previous: "0", accepts: "1"},
		}, cfg: Config{MinPause: 1, MaxPause: 2}, callers: 1, again: true, healthy: true},
		{name: "nothing is accepted, 2 callers", script: []moment{
			{current: "1", pending: "2", previous: "0", accepts: ""},
			{current: "1", pending: "2", previous: "0", accepts: "1"},
		}, cfg: Config{MinPause: 2, MaxPause: 8}, callers: 2, healthy: true, full: true},
		{name: "single user, all at once", script: singleUser(), callers: 3, faults: 1, lags: 1, leaves: 1, refreshes: 1, back: true, full: true},
		{name: "alternating users, all at once", script: alternatingUsers(), callers: 3, faults: 1, lags: 1, leaves: 1, refreshes: 1, back: true, full: true},
	}
	for _, m := range all {
		m.cfg = ticks(m.cfg)
	}
	return all
}
