// Package schedule works out the rotation windows of RotationRules.
package schedule

import (
	"regexp"
	"strconv"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/words"
)

// Rules are the RotationRules of a secret.
type Rules struct {
	AfterDays int // 0: absent
	Duration  string
	Schedule  string
}

// The texts of InvalidParameterException for rules that don't hold.
var (
	errBothRules     = words.Error("You cannot specify both rotation frequency and schedule expression together.")
	errSchedule      = words.Error("Invalid schedule expression.")
	errRateHours     = words.Error("Rate in hour should be least 4 and less than 24.")
	errRateDays      = words.Error("Rate in day should be greater than 0 and less than 1000.")
	errDuration      = words.Error("Duration must be at least 1 hour, at most 24 hour.")
	errDurationRate  = words.Error("Duration cannot be greater than Rate in hour.")
	errDurationInDay = words.Error("Starting hour and duration must be within a day.")
)

// A Schedule says when a secret is rotated, in UTC. It is immutable and safe
// for concurrent use by multiple goroutines. Exactly one of days, hours and
// cron is set.
type Schedule struct {
	days     int // midnight, so many days after the day of the last rotation
	hours    int // every so many hours, counted from a midnight
	cron     *cron
	duration time.Duration // of the window; 0: to the end of the day
}

const day = 24 * time.Hour

// Parse returns the schedule of rotation rules, or nil if they have
// neither a number of days nor an expression. A window is as long as Duration
// says; without one it is an hour for a schedule in hours, and lasts to the
// end of the day for a schedule in days.
func Parse(r Rules) (*Schedule, error) {
	if r.AfterDays != 0 && r.Schedule != "" {
		return nil, errBothRules
	}
	s := new(Schedule)
	if r.Duration != "" {
		hours, err := parseDuration(r.Duration)
		if err != nil {
			return nil, err
		}
		s.duration = time.Duration(hours) * time.Hour
	}
	if r.Schedule == "" {
		if r.AfterDays == 0 {
			return nil, nil
		}
		s.days = r.AfterDays
		return s, nil
	}
	if err := s.parse(r.Schedule); err != nil {
		return nil, err
	}
	return s, s.checkWindow()
}

func parseDuration(text string) (hours int, err error) {
	n := len(text) - 1
	if n < 1 || text[n] != 'h' {
		return 0, errDuration
	}
	hours, err = strconv.Atoi(text[:n])
	if err != nil || hours < 1 || hours > 24 {
		return 0, errDuration
	}
	return hours, nil
}

var (
	ratePattern = regexp.MustCompile(`^rate\((\d+) +(hours?|days?)\)$`)
	cronPattern = regexp.MustCompile(`^cron\((.*)\)$`)
)

func (s *Schedule) parse(expression string) (err error) {
	if m := cronPattern.FindStringSubmatch(expression); m != nil {
		s.cron, err = parseCron(m[1])
		return err
	}
	m := ratePattern.FindStringSubmatch(expression)
	if m == nil {
		return errSchedule
	}
	n, err := strconv.Atoi(m[1])
	if m[2][0] == 'h' {
		if err != nil || n < 4 || n >= 24 {
			return errRateHours
		}
		s.hours = n
		return nil
	}
	if err != nil || n < 1 || n >= 1000 {
		return errRateDays
	}
	s.days = n
	return nil
}

// checkWindow gives the window its default length, and checks that it reaches
// neither into the next window nor into the next day.
func (s *Schedule) checkWindow() error {
	gap, last := s.hours, 0
	if s.cron != nil {
		gap, last = s.cron.gap(), s.cron.lastHour()
	}
	if s.duration == 0 {
		if gap > 0 {
			s.duration = time.Hour
		}
		return nil
	}
	hours := int(s.duration / time.Hour)
	if gap > 0 && hours > gap {
		return errDurationRate
	}
	if last+hours > 24 {
		return errDurationInDay
	}
	return nil
}

// Next returns the first window of the schedule that begins after the given
// time, the time of the last rotation. The end is the window's last second,
// which the service reports as NextRotationDate.
func (s *Schedule) Next(after time.Time) (start, end time.Time) {
	after = after.UTC()
	switch {
	case s.cron != nil:
		start = s.cron.next(after)
		if start.IsZero() {
			return start, start
		}
	case s.hours > 0:
		every := int64(s.hours) * 3600
		start = time.Unix((floorDiv(after.Unix(), every)+1)*every, 0).UTC()
	default:
		start = midnight(after).AddDate(0, 0, s.days)
	}
	end = midnight(start).Add(day)
	if s.duration > 0 {
		if e := start.Add(s.duration); e.Before(end) {
			end = e
		}
	}
	return start, end.Add(-time.Second)
}

// Days returns the number of days that DescribeSecret gives as
// AutomaticallyAfterDays for a schedule: those from one window to the next,
// rounded up.
func (s *Schedule) Days(after time.Time) int {
	if s.days > 0 {
		return s.days
	}
	first, _ := s.Next(after)
	second, _ := s.Next(first)
	return max(1, int((second.Sub(first)+day-1)/day))
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
