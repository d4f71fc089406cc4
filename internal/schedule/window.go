// Package schedule reads the rules by which Secrets Manager rotates a secret.
package schedule

import (
	"strconv"
	"strings"
	"time"
)

// Day is how long a rotation window lasts of which nothing shorter is known.
const Day = 24 * time.Hour

// Window returns how long a rotation window lasts, of the given Duration ("3h",
// or "" for none) and ScheduleExpression of a secret's RotationRules. Without a
// duration, a window that opens every few hours closes after an hour, and
// another closes at the end of the UTC day in which it opens. See
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html.
func Window(duration, expression string) time.Duration {
	if d, err := time.ParseDuration(duration); err == nil && d > 0 {
		return min(d, Day)
	}
	switch name, args, _ := strings.Cut(strings.TrimSuffix(expression, ")"), "("); strings.TrimSpace(name) {
	case "rate":
		if strings.Contains(args, "hour") {
			return time.Hour
		}
	case "cron":
		return cronWindow(strings.Fields(args))
	}
	return Day
}

// cronWindow returns the window of cron(minutes hours …): the rest of the day
// after an hour alone, an hour where there are several in a day.
func cronWindow(fields []string) time.Duration {
	if len(fields) < 2 {
		return Day
	}
	hour, err := strconv.Atoi(fields[1])
	switch {
	case err != nil:
		return time.Hour // a list, a range, a step or every hour
	case hour < 0 || hour > 23:
		return Day
	}
	return Day - time.Duration(hour)*time.Hour
}
