package schedule

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// A cron is the schedule of a cron() expression: on the hour, in any year.
// The sets hold bit i for value i.
type cron struct {
	hours    uint64
	days     uint64 // of the month; 0: any, weekdays decide
	lastDay  bool   // the month's last day too
	months   uint64
	weekdays uint64 // 1 is Sunday; 0: any
	nth      []nthWeekday
}

// An nthWeekday is a weekday's n-th in the month; 0 is its last.
type nthWeekday struct{ weekday, n int }

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// A cronField is one of the fields that take sets.
type cronField struct {
	min, max int
	names    []string // of the values from min on
}

var (
	hourField    = cronField{0, 23, nil}
	dayField     = cronField{1, 31, nil}
	monthField   = cronField{1, 12, monthNames}
	weekdayField = cronField{1, 7, weekdayNames}
)

// parseCron parses the six fields of a cron() expression: minutes, which must
// be 0; hours; day of the month; month; day of the week; and year, which must
// be *. One of the two days must be ?, the other not. Hours must be at least
// four apart, and there must be a day that the expression means.
func parseCron(text string) (*cron, error) {
	f := strings.Fields(text)
	if len(f) != 6 || f[0] != "0" || f[5] != "*" || (f[2] == "?") == (f[4] == "?") {
		return nil, errSchedule
	}
	c := new(cron)
	var ok [4]bool
	c.hours, ok[0] = hourField.parse(f[1])
	ok[1] = c.parseDays(f[2])
	c.months, ok[2] = monthField.parse(f[3])
	ok[3] = c.parseWeekdays(f[4])
	if ok != [4]bool{true, true, true, true} {
		return nil, errSchedule
	}
	if gap := c.gap(); gap > 0 && gap < 4 {
		return nil, errSchedule
	}
	if c.next(time.Unix(0, 0)).IsZero() {
		return nil, errSchedule
	}
	return c, nil
}

// parse parses a list of values, ranges and steps.
func (f cronField) parse(text string) (set uint64, ok bool) {
	for _, item := range strings.Split(text, ",") {
		low, high, step := 0, 0, 1
		spec, stepText, stepped := strings.Cut(item, "/")
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 || n > f.max {
				return 0, false
			}
			step = n
		}
		from, to, ranged := strings.Cut(spec, "-")
		var ok1, ok2 bool
		switch {
		case spec == "*":
			low, high, ok1, ok2 = f.min, f.max, true, true
		case ranged:
			low, ok1 = f.value(from)
			high, ok2 = f.value(to)
		default:
			low, ok1 = f.value(from)
			high, ok2 = low, true
			if stepped {
				high = f.max
			}
		}
		if !ok1 || !ok2 || low > high {
			return 0, false
		}
		for i := low; i <= high; i += step {
			set |= 1 << i
		}
	}
	return set, true
}

func (f cronField) value(text string) (int, bool) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, true
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.min && n <= f.max
}

func (c *cron) parseDays(text string) (ok bool) {
	var rest []string
	for _, item := range strings.Split(text, ",") {
		if item == "L" {
			c.lastDay = true
			continue
		}
		rest = append(rest, item)
	}
	if text == "?" || len(rest) == 0 {
		return true
	}
	c.days, ok = dayField.parse(strings.Join(rest, ","))
	return ok
}

func (c *cron) parseWeekdays(text string) (ok bool) {
	if text == "?" {
		return true
	}
	var rest []string
	for _, item := range strings.Split(text, ",") {
		name, n, isNth := strings.Cut(item, "#")
		last, isLast := strings.CutSuffix(item, "L")
		switch {
		case item == "L":
			rest = append(rest, "7")
		case isNth:
			w, ok := weekdayField.value(name)
			i, err := strconv.Atoi(n)
			if !ok || err != nil || i < 1 || i > 5 {
				return false
			}
			c.nth = append(c.nth, nthWeekday{w, i})
		case isLast:
			w, ok := weekdayField.value(last)
			if !ok {
				return false
			}
			c.nth = append(c.nth, nthWeekday{w, 0})
		default:
			rest = append(rest, item)
		}
	}
	if len(rest) == 0 {
		return true
	}
	c.weekdays, ok = weekdayField.parse(strings.Join(rest, ","))
	return ok
}

// gap returns the smallest number of hours between two hours of a day, or 0 if
// there is only one hour. The gap between the last hour and the first of the
// next day does not count.
func (c *cron) gap() int {
	least, prev := 0, -1
	for h := range 24 {
		if c.hours&(1<<h) == 0 {
			continue
		}
		if prev >= 0 && (least == 0 || h-prev < least) {
			least = h - prev
		}
		prev = h
	}
	return least
}

func (c *cron) lastHour() int { return bits.Len64(c.hours) - 1 }

// next returns the first hour of the schedule after a moment, or zero if there
// is none in forty years. (A February has a fifth Sunday every 28 years.)
func (c *cron) next(after time.Time) time.Time {
	after = after.UTC()
	d := midnight(after)
	for range 40 * 366 {
		if c.matchDay(d) {
			for h := range 24 {
				t := d.Add(time.Duration(h) * time.Hour)
				if c.hours&(1<<h) != 0 && t.After(after) {
					return t
				}
			}
		}
		d = d.AddDate(0, 0, 1)
	}
	return time.Time{}
}

func (c *cron) matchDay(d time.Time) bool {
	if c.months&(1<<d.Month()) == 0 {
		return false
	}
	isLast := func(step int) bool { return d.AddDate(0, 0, step).Month() != d.Month() }
	if c.days != 0 || c.lastDay {
		return c.days&(1<<d.Day()) != 0 || c.lastDay && isLast(1)
	}
	weekday := int(d.Weekday()) + 1
	if c.weekdays&(1<<weekday) != 0 {
		return true
	}
	for _, w := range c.nth {
		if w.weekday == weekday && (w.n == 0 && isLast(7) || w.n == (d.Day()+6)/7) {
			return true
		}
	}
	return false
}
