package lease

import (
	"testing"
	"time"
)

func TestReminder(t *testing.T) {
	var r Reminder
	begin := Time(1)
	for _, tt := range []struct {
		after time.Duration
		times int
		due   bool
	}{
		{0, 1, true},
		{time.Minute, 1, false},
		{RemindEvery - 1, 1, false},
		{RemindEvery, 2, true},
		{RemindEvery + time.Minute, 2, false},
		{5 * RemindEvery, 3, true},
		{2 * RemindEvery, 4, true}, // the clock was set back
		{2*RemindEvery + 1, 4, false},
	} {
		times, due := r.Due(begin.Add(tt.after))
		if times != tt.times || due != tt.due {
			t.Errorf("after %v: %d, %t; want %d, %t", tt.after, times, due, tt.times, tt.due)
		}
	}
}

func TestPending(t *testing.T) {
	var p Pending
	at := func(d time.Duration) Time { return Time(1).Add(d) }
	first := at(10 * time.Minute)
	for _, step := range []struct {
		name    string
		after   time.Duration
		version string
		want    PendingReport
	}{
		{"nothing is pending", 0, "", PendingReport{}},
		{"a rotation begins", 10 * time.Minute, "v2", PendingReport{Began: "v2", Since: first}},
		{"it goes on", 20 * time.Minute, "v2", PendingReport{Since: first}},
		{"it is an hour old", 70 * time.Minute, "v2", PendingReport{Since: first, Stuck: 1}},
		{"that was said", 80 * time.Minute, "v2", PendingReport{Since: first}},
		{"an hour later", 130 * time.Minute, "v2", PendingReport{Since: first, Stuck: 2}},
		{"another takes its place", 131 * time.Minute, "v3",
			PendingReport{Ended: "v2", EndedSince: first, Began: "v3", Since: at(131 * time.Minute)}},
		{"which is not stuck yet", 190 * time.Minute, "v3", PendingReport{Since: at(131 * time.Minute)}},
		{"and ends", 191 * time.Minute, "", PendingReport{Ended: "v3", EndedSince: at(131 * time.Minute), Since: at(191 * time.Minute)}},
		{"nothing is pending again", 192 * time.Minute, "", PendingReport{Since: at(191 * time.Minute)}},
	} {
		if got := p.Seen(at(step.after), step.version); got != step.want {
			t.Errorf("%s: got %+v, want %+v", step.name, got, step.want)
		}
		if v, _ := p.Since(); v != step.version {
			t.Errorf("%s: pending %q, want %q", step.name, v, step.version)
		}
	}
}
