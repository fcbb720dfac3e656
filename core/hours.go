package core

import (
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// Hours say when an execution may start: the execution windows and calendars of
// its task, as they were when it was planned. The schedule has applied them to
// the occurrence already; they are looked at again before each attempt, because
// a retry or a long queue may carry it out of its window. What people ask for by
// hand has none.
type Hours struct {
	Windows   []schedule.Window `json:"windows"`
	Calendars []string          `json:"calendars"`
	Timezone  string            `json:"timezone"`
}

// hoursOf returns the hours of a task's executions with a trigger, nil when they
// may start at any time.
func hoursOf(t Task, trigger Trigger) *Hours {
	if trigger == TriggerManual || trigger == TriggerRetry || len(t.ExecutionWindows)+len(t.Calendars) == 0 {
		return nil
	}
	return &Hours{Windows: t.ExecutionWindows, Calendars: t.Calendars, Timezone: t.Timezone}
}

// closedRecheck is when hours that never open again are looked at anew: somebody
// may change the calendar.
const closedRecheck = 24 * time.Hour

// Open reports whether an execution may start at an instant, and if not, when
// to look again. Calendars that are gone exclude nothing.
func (h *Hours) Open(at time.Time, set CalendarSet) (open bool, next time.Time) {
	if h == nil {
		return true, at
	}
	var calendars []schedule.Calendar
	for _, name := range h.Calendars {
		if c, ok := set[name]; ok {
			c.OnExcluded = schedule.ExcludedSkip // whether the date is excluded is all that counts
			calendars = append(calendars, c)
		}
	}
	spec, err := schedule.Compile(schedule.Config{
		Kind: schedule.KindManual, Windows: h.Windows, Calendars: calendars, Timezone: h.Timezone,
	})
	if err != nil {
		return true, at // it could be compiled when it was planned; do not hold it for ever
	}
	open, next = spec.InWindow(at)
	if !open && next.IsZero() {
		next = at.Add(closedRecheck)
	}
	return open, next
}
