package schedule_test

import (
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/schedule"
)

func TestWindow(t *testing.T) {
	for _, c := range []struct {
		duration, expression string
		want                 time.Duration
	}{
		{"3h", "cron(0 10 * * ? *)", 3 * time.Hour},
		{"1h", "rate(10 days)", time.Hour},
		{"", "", 24 * time.Hour},
		{"", "rate(10 days)", 24 * time.Hour},
		{"", "rate(1 day)", 24 * time.Hour},
		{"", "rate(4 hours)", time.Hour},
		{"", "rate(1 hour)", time.Hour},
		{"", "cron(0 0 * * ? *)", 24 * time.Hour},
		{"", "cron(0 10 * * ? *)", 14 * time.Hour},
		{"", "cron(0 23 ? * SUN#1 *)", time.Hour},
		{"", "cron(0 8/8 * * ? *)", time.Hour},
		{"", "cron(0 */4 * * ? *)", time.Hour},
		{"", "cron(0 1,13 * * ? *)", time.Hour},
		{"", "cron(0 9-17 ? * MON-FRI *)", time.Hour},
		{"", "cron(0 * * * ? *)", time.Hour},
		{"", "cron(0 24 * * ? *)", 24 * time.Hour},
		{"", "cron(0)", 24 * time.Hour},
		{"", "cron(", 24 * time.Hour},
		{"", "at(noon)", 24 * time.Hour},
		{"-3h", "rate(4 hours)", time.Hour},
		{"three", "rate(4 hours)", time.Hour},
		{"999h", "rate(99 days)", 24 * time.Hour},
	} {
		if got := schedule.Window(c.duration, c.expression); got != c.want {
			t.Errorf("Window(%q, %q) = %v, want %v", c.duration, c.expression, got, c.want)
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add("3h", "cron(0 8/8 * * ? *)")
	f.Add("", "rate(4 hours)")
	f.Fuzz(func(t *testing.T, duration, expression string) {
		if got := schedule.Window(duration, expression); got <= 0 || got > schedule.Day {
			t.Errorf("Window(%q, %q) = %v, want a part of a day", duration, expression, got)
		}
	})
}
