package schedule

import (
	"testing"
	"time"
)

// FuzzCron parses any schedule. The windows of a valid schedule must follow one
// another, begin on the hour, and end on the day they begin.
func FuzzCron(f *testing.F) {
	for _, s := range []string{"cron(0 8 1 * ? *)", "cron(0 4/12 * * ? *)", "cron(0 8 ? 1/3 2#3 *)", "cron(0 22 L * ? *)", "cron(0 22 ? * 6L *)",
		"cron(0 9 ? JAN-MAR,DEC MON-FRI,L *)", "cron(0 0,8,16 29 2 ? *)", "rate(4 hours)", "rate(23 hours)", "rate(999 days)", "cron(0 8 ? 2 SUN#5 *)"} {
		for _, d := range []string{"", "1h", "8h", "24h"} {
			f.Add(s, d, int64(1_715_769_000))
		}
	}
	f.Fuzz(func(t *testing.T, expression, duration string, unix int64) {
		s, err := Parse(Rules{Schedule: expression, Duration: duration})
		if err != nil || s == nil {
			return
		}
		after := time.Unix(unix%8_000_000_000, 0).UTC()
		for range 3 {
			start, end := s.Next(after)
			switch {
			case start.IsZero() || !start.After(after):
				t.Fatalf("window after %v: got %v", after, start)
			case start.Minute() != 0 || start.Second() != 0:
				t.Fatalf("window begins at %v", start)
			case !end.After(start) || !midnight(start).Equal(midnight(end)):
				t.Fatalf("window from %v: got end %v", start, end)
			}
			if s.Days(after) < 1 {
				t.Fatalf("days between windows after %v: got %d", after, s.Days(after))
			}
			after = start
		}
	})
}
