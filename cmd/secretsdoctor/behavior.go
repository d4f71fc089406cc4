package main

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// fetchEvery is how often the library fetches a value whose version has not
// changed, at least.
const fetchEvery = time.Hour

// meanCheck is the mean time from one check of a secret that is being read to
// the next: the TTL is drawn from the last tenth of Options.TTL, and the check
// comes a tenth ahead of it.
func meanCheck(ttl time.Duration) time.Duration {
	return time.Duration(float64(ttl) * 0.95 * 0.9)
}

// callsADay returns how many requests per day a process makes for a secret that
// it reads continuously, outside rotations.
func callsADay(ttl time.Duration, describe bool) (describes, fetches float64) {
	every := meanCheck(ttl)
	checks := float64(24*time.Hour) / float64(every)
	if !describe {
		return 0, checks
	}
	// The value is fetched by the first check an hour after the last fetch.
	return checks, checks / math.Ceil(float64(fetchEvery)/float64(every))
}

// behavior describes what the library does with the secret.
func (d *diagnosis) behavior() []string {
	if d.current.outcome != allowed {
		return nil
	}
	describe := d.describe.outcome == allowed
	describes, fetches := callsADay(d.ttl, describe)
	st := secrets.Stats{GetSecretValue: uint64(math.Round(fetches)), DescribeSecret: uint64(math.Round(describes))}
	lines := []string{
		fmt.Sprintf("with a TTL of %s a process that reads it continuously checks it every %s: about %d calls a day (%d DescribeSecret, %d GetSecretValue), $%.4f",
			short(d.ttl), short(meanCheck(d.ttl)), st.Calls(), st.DescribeSecret, st.GetSecretValue, st.Cost()),
		fmt.Sprintf("a new version is in use within %s, and at once where the old one is rejected in a Try", short(d.ttl)),
	}
	if !describe || !d.rotation.Enabled {
		return lines
	}
	return append(lines, fmt.Sprintf("in the rotation window it asks every %s to %s, while AWSPENDING is outstanding after 2 s, 4 s, 8 s and so on", short(d.ttl*9/40), short(d.ttl*9/10)))
}

// short returns d without units that are zero.
func short(d time.Duration) string {
	if d >= time.Minute {
		d = d.Round(time.Second)
	}
	s := d.String()
	if len(s) > 2 && s[len(s)-2:] == "0s" && (s[len(s)-3] == 'm') {
		s = s[:len(s)-2]
	}
	if len(s) > 2 && s[len(s)-2:] == "0m" && s[len(s)-3] == 'h' {
		s = s[:len(s)-2]
	}
	return s
}
