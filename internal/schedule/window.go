// Package schedule reads the rules by which Secrets Manager rotates a secret.
package schedule

import (
	"strconv"
	"strings"
	"time"
)

// Day is the length of a rotation window, unless it is known to be shorter.
const Day = 24 * time.Hour

// Window returns the length of a rotation window. Its arguments are the Duration
// ("3h", or "" for none) and the ScheduleExpression of a secret's RotationRules.
// Without a duration, a window that opens every few hours closes after an hour. Any
// other window closes at the end of the UTC day in which it opens. See
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

// cronWindow returns the window of cron(minutes hours …). If there is a single hour,
// it is the rest of the day after that hour. If there are several, it is one hour.
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
