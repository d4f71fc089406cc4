package secretstest

import (
	"strconv"
	"time"
)

// An epoch is a time as the service writes it: seconds since 1970 as a number
// with a fraction.
type epoch time.Time

// IsZero makes the omitzero option leave out a time that is not set.
func (e epoch) IsZero() bool { return time.Time(e).IsZero() }

// MarshalJSON implements json.Marshaler.
func (e epoch) MarshalJSON() ([]byte, error) {
	return appendEpoch(nil, time.Time(e)), nil
}

// appendEpoch appends t in milliseconds, as seconds with three decimals.
func appendEpoch(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms < 0 {
		ms = 0
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	frac := ms % 1000
	return append(b, '.', byte('0'+frac/100), byte('0'+frac/10%10), byte('0'+frac%10))
}
