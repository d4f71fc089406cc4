package schedule

import (
	"fmt"
	"testing"
	"time"
)

func TestParseRulesErrors(t *testing.T) {
	const (
		both     = "You cannot specify both rotation frequency and schedule expression together."
		invalid  = "Invalid schedule expression."
		hours    = "Rate in hour should be least 4 and less than 24."
		days     = "Rate in day should be greater than 0 and less than 1000."
		duration = "Duration must be at least 1 hour, at most 24 hour."
		tooLong  = "Duration cannot be greater than Rate in hour."
		inDay    = "Starting hour and duration must be within a day."
	)
	tests := []struct {
		name  string
		rules Rules
		want  string
	}{
		{"days", Rules{AfterDays: 30}, "<nil>"},
		{"days and a duration", Rules{AfterDays: 30, Duration: "3h"}, "<nil>"},
		{"nothing", Rules{}, "<nil>"},
		{"days and an expression", Rules{AfterDays: 30, Schedule: "rate(10 days)"}, both},
		{"rate in days", Rules{Schedule: "rate(10 days)"}, "<nil>"},
		{"rate of a day", Rules{Schedule: "rate(1 day)"}, "<nil>"},
		{"rate in hours", Rules{Schedule: "rate(12 hours)"}, "<nil>"},
		{"every four hours at most", Rules{Schedule: "rate(3 hours)"}, hours},
		{"every four hours", Rules{Schedule: "rate(4 hours)"}, "<nil>"},
		{"a day in hours", Rules{Schedule: "rate(24 hours)"}, hours},
		{"no days", Rules{Schedule: "rate(0 days)"}, days},
		{"999 days", Rules{Schedule: "rate(999 days)"}, "<nil>"},
		{"1000 days", Rules{Schedule: "rate(1000 days)"}, days},
		{"huge", Rules{Schedule: "rate(99999999999999999999 days)"}, days},
		{"minutes", Rules{Schedule: "rate(300 minutes)"}, invalid},
		{"no unit", Rules{Schedule: "rate(10)"}, invalid},
		{"negative", Rules{Schedule: "rate(-1 days)"}, invalid},
		{"no function", Rules{Schedule: "10 days"}, invalid},
		{"cron", Rules{Schedule: "cron(0 8 1 * ? *)"}, "<nil>"},
		{"cron with five fields", Rules{Schedule: "cron(0 8 * * ?)"}, invalid},
		{"cron on the half hour", Rules{Schedule: "cron(30 8 * * ? *)"}, invalid},
		{"cron with a year", Rules{Schedule: "cron(0 8 * * ? 2030)"}, invalid},
		{"cron with both days", Rules{Schedule: "cron(0 8 1 * MON *)"}, invalid},
		{"cron with neither day", Rules{Schedule: "cron(0 8 ? * ? *)"}, invalid},
		{"cron every hour", Rules{Schedule: "cron(0 * * * ? *)"}, invalid},
		{"cron every three hours", Rules{Schedule: "cron(0 0/3 * * ? *)"}, invalid},
		{"cron every four hours", Rules{Schedule: "cron(0 0/4 * * ? *)"}, "<nil>"},
		{"cron hour 24", Rules{Schedule: "cron(0 24 * * ? *)"}, invalid},
		{"cron day 32", Rules{Schedule: "cron(0 8 32 * ? *)"}, invalid},
		{"cron February 30", Rules{Schedule: "cron(0 8 30 2 ? *)"}, invalid},
		{"cron February 29", Rules{Schedule: "cron(0 8 29 FEB ? *)"}, "<nil>"},
		{"cron sixth Friday", Rules{Schedule: "cron(0 8 ? * FRI#6 *)"}, invalid},
		{"cron range backwards", Rules{Schedule: "cron(0 8 9-3 * ? *)"}, invalid},
		{"cron step 0", Rules{Schedule: "cron(0 8 1/0 * ? *)"}, invalid},
		{"cron unknown month", Rules{Schedule: "cron(0 8 1 MAI ? *)"}, invalid},
		{"cron W", Rules{Schedule: "cron(0 8 15W * ? *)"}, invalid},
		{"no hours", Rules{AfterDays: 1, Duration: "0h"}, duration},
		{"25 hours", Rules{AfterDays: 1, Duration: "25h"}, duration},
		{"24 hours", Rules{AfterDays: 1, Duration: "24h"}, "<nil>"},
		{"no unit of duration", Rules{AfterDays: 1, Duration: "12"}, duration},
		{"window as long as the rate", Rules{Schedule: "rate(6 hours)", Duration: "6h"}, "<nil>"},
		{"window longer than the rate", Rules{Schedule: "rate(6 hours)", Duration: "7h"}, tooLong},
		{"window longer than cron's hours", Rules{Schedule: "cron(0 0/8 * * ? *)", Duration: "9h"}, tooLong},
		{"window to the end of the day", Rules{Schedule: "cron(0 20 * * ? *)", Duration: "4h"}, "<nil>"},
		{"window into the next day", Rules{Schedule: "cron(0 20 * * ? *)", Duration: "5h"}, inDay},
		{"last of cron's hours into the next day", Rules{Schedule: "cron(0 8,22 * * ? *)", Duration: "3h"}, inDay},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse(test.rules)
			if got := fmt.Sprint(err); got != test.want {
				t.Errorf("got error %q, want %q", got, test.want)
			}
		})
	}
}

func TestParseRulesWithoutRules(t *testing.T) {
	if s, err := Parse(Rules{}); s != nil || err != nil {
		t.Errorf("got %v, %v, want no schedule", s, err)
	}
}

func TestNextWindow(t *testing.T) {
	// 15 May 2024 was a Wednesday.
	const after = "2024-05-15T10:30:00Z"
	tests := []struct {
		name       string
		rules      Rules
		after      string
		start, end string
	}{
		{"days", Rules{AfterDays: 30}, after, "2024-06-14T00:00:00Z", "2024-06-14T23:59:59Z"},
		{"one day", Rules{AfterDays: 1}, after, "2024-05-16T00:00:00Z", "2024-05-16T23:59:59Z"},
		{"days with a duration", Rules{AfterDays: 1, Duration: "2h"}, after, "2024-05-16T00:00:00Z", "2024-05-16T01:59:59Z"},
		{"rate in days", Rules{Schedule: "rate(10 days)"}, after, "2024-05-25T00:00:00Z", "2024-05-25T23:59:59Z"},
		{"rate in days with a duration", Rules{Schedule: "rate(10 days)", Duration: "3h"}, after, "2024-05-25T00:00:00Z", "2024-05-25T02:59:59Z"},
		{"rate in hours opens an hour", Rules{Schedule: "rate(12 hours)"}, after, "2024-05-15T12:00:00Z", "2024-05-15T12:59:59Z"},
		{"rate in hours counts from midnight", Rules{Schedule: "rate(4 hours)"}, "2024-05-15T23:00:00Z", "2024-05-16T00:00:00Z", "2024-05-16T00:59:59Z"},
		{"rate in hours with a duration", Rules{Schedule: "rate(6 hours)", Duration: "4h"}, after, "2024-05-15T12:00:00Z", "2024-05-15T15:59:59Z"},
		{"a window that has begun is over", Rules{Schedule: "rate(4 hours)"}, "2024-05-15T12:00:00Z", "2024-05-15T16:00:00Z", "2024-05-15T16:59:59Z"},
		{"the clock's zone does not matter", Rules{AfterDays: 1}, "2024-05-16T01:00:00+02:00", "2024-05-16T00:00:00Z", "2024-05-16T23:59:59Z"},
		{"first of the month", Rules{Schedule: "cron(0 8 1 * ? *)"}, after, "2024-06-01T08:00:00Z", "2024-06-01T23:59:59Z"},
		{"every day at an hour", Rules{Schedule: "cron(0 1 * * ? *)", Duration: "2h"}, after, "2024-05-16T01:00:00Z", "2024-05-16T02:59:59Z"},
		{"later the same day", Rules{Schedule: "cron(0 18 * * ? *)"}, after, "2024-05-15T18:00:00Z", "2024-05-15T23:59:59Z"},
		{"increments of hours", Rules{Schedule: "cron(0 4/12 * * ? *)"}, after, "2024-05-15T16:00:00Z", "2024-05-15T16:59:59Z"},
		{"increments of hours begin anew each day", Rules{Schedule: "cron(0 8/8 * * ? *)"}, "2024-05-15T16:00:00Z", "2024-05-16T08:00:00Z", "2024-05-16T08:59:59Z"},
		{"increments of hours with a duration", Rules{Schedule: "cron(0 8/8 * * ? *)", Duration: "5h"}, after, "2024-05-15T16:00:00Z", "2024-05-15T20:59:59Z"},
		{"Sundays", Rules{Schedule: "cron(0 16 ? * SUN *)"}, after, "2024-05-19T16:00:00Z", "2024-05-19T23:59:59Z"},
		{"Sunday is 1", Rules{Schedule: "cron(0 16 ? * 1 *)"}, after, "2024-05-19T16:00:00Z", "2024-05-19T23:59:59Z"},
		{"a range of weekdays", Rules{Schedule: "cron(0 9 ? * MON-FRI *)"}, "2024-05-17T10:00:00Z", "2024-05-20T09:00:00Z", "2024-05-20T23:59:59Z"},
		{"the third Monday of some months", Rules{Schedule: "cron(0 8 ? 1/3 2#3 *)"}, after, "2024-07-15T08:00:00Z", "2024-07-15T23:59:59Z"},
		{"the last day of the month", Rules{Schedule: "cron(0 22 L * ? *)"}, "2024-02-10T00:00:00Z", "2024-02-29T22:00:00Z", "2024-02-29T23:59:59Z"},
		{"the last Friday of the month", Rules{Schedule: "cron(0 22 ? * 6L *)"}, after, "2024-05-31T22:00:00Z", "2024-05-31T23:59:59Z"},
		{"L as a weekday is Saturday", Rules{Schedule: "cron(0 22 ? * L *)"}, after, "2024-05-18T22:00:00Z", "2024-05-18T23:59:59Z"},
		{"the first and the 15th", Rules{Schedule: "cron(0 16 1,15 * ? *)"}, "2024-05-15T16:00:00Z", "2024-06-01T16:00:00Z", "2024-06-01T23:59:59Z"},
		{"every 60 days of months", Rules{Schedule: "cron(0 10 1 */2 ? *)"}, after, "2024-07-01T10:00:00Z", "2024-07-01T23:59:59Z"},
		{"named months", Rules{Schedule: "cron(0 10 ? FEB,MAY,AUG,NOV TUE#2 *)"}, after, "2024-08-13T10:00:00Z", "2024-08-13T23:59:59Z"},
		{"leap years", Rules{Schedule: "cron(0 0 29 2 ? *)"}, after, "2028-02-29T00:00:00Z", "2028-02-29T23:59:59Z"},
		{"the next year", Rules{Schedule: "cron(0 0 1 1 ? *)"}, after, "2025-01-01T00:00:00Z", "2025-01-01T23:59:59Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := Parse(test.rules)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, test.after)
			if err != nil {
				t.Fatal(err)
			}
			start, end := s.Next(at)
			if got := start.Format(time.RFC3339); got != test.start {
				t.Errorf("start: got %s, want %s", got, test.start)
			}
			if got := end.Format(time.RFC3339); got != test.end {
				t.Errorf("end: got %s, want %s", got, test.end)
			}
		})
	}
}

func TestDaysBetween(t *testing.T) {
	at := time.Date(2024, 5, 15, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		rules Rules
		want  int
	}{
		{Rules{AfterDays: 30}, 30},
		{Rules{Schedule: "rate(10 days)"}, 10},
		{Rules{Schedule: "rate(12 hours)"}, 1},
		{Rules{Schedule: "cron(0 8 ? * MON *)"}, 7},
		{Rules{Schedule: "cron(0 8 1 * ? *)"}, 30},
	}
	for _, test := range tests {
		s, err := Parse(test.rules)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Days(at); got != test.want {
			t.Errorf("%+v: got %d days, want %d", test.rules, got, test.want)
		}
	}
}
