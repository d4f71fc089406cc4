package secrets

import "time"

// A Status tells what a [Client] knows of a cached secret. It holds no value, and
// nothing that was made of one. Moments are zero where there are none.
type Status struct {
	ID    string // the id by which the secret is asked for
	Name  string
	ARN   string
	Alias []string // the other ids by which it is known

	Version string    // the current version, as far as is known; "" if it is too old to be served
	Serving string    // the version that a handle serves, see Ref.Status; else equal to Version
	Stages  []string  // the staging labels of Version when they were last seen
	Created time.Time // when Version was made
	Adopted time.Time // when Version became the current one in this cache

	Fetched   time.Time // when the service last gave the value
	Confirmed time.Time // when it last said that Version is current
	Expires   time.Time // the end of the TTL
	NextCheck time.Time // when the service is asked next: zero if it is left to the next read
	Checking  bool      // it is being asked

	// StaleSince is the end of the TTL where the service did not answer since and the
	// old version is served on. Zero means that it is not so: a secret that nobody
	// reads is left to expire, and is not stale.
	StaleSince time.Time

	Failures     int       // of refreshes, in a row
	FailingSince time.Time // the first of them
	LastFailure  time.Time // the last one, also where the service has answered since
	LastClass    FailureClass

	// Rotation is what DescribeSecret last said, and Phase what follows from it now.
	// Without the permission for it there is nothing but the phase idle.
	Rotation RotationState

	Recent   []Event // what happened to it of late, oldest first, at most 16, without Err
	Pins     []Event // the EventPinned of each handle that uses another version now
	Refused  []Event // the EventRefused of each type that serves another version now, or none
	Watchers int     // Watch loops under way
}
