package memory

import (
	"bytes"
	"maps"
	"slices"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

// The store's rows share no memory with what callers hold: everything that can
// be changed through a copy is copied.

func cloneTask(t core.Task) core.Task {
	t.Timing = cloneTiming(t.Timing)
	t.Policy = clonePolicy(t.Policy)
	t.ScheduleID = clonePtr(t.ScheduleID)
	t.Data = bytes.Clone(t.Data)
	t.Labels, t.DependsOn = maps.Clone(t.Labels), slices.Clone(t.DependsOn)
	t.NextRun, t.LastRun, t.PauseReason = clonePtr(t.NextRun), clonePtr(t.LastRun), clonePtr(t.PauseReason)
	t.Plan.NextNominal, t.Plan.LastNominal = clonePtr(t.Plan.NextNominal), clonePtr(t.Plan.LastNominal)
	t.Plan.Since = clonePtr(t.Plan.Since)
	return t
}

func cloneSchedule(s core.Schedule) core.Schedule {
	s.Timing = cloneTiming(s.Timing)
	return s
}

func cloneCalendar(c core.Calendar) core.Calendar {
	c.Dates, c.Yearly, c.Weekdays = slices.Clone(c.Dates), slices.Clone(c.Yearly), slices.Clone(c.Weekdays)
	c.Ranges = slices.Clone(c.Ranges)
	return c
}

func cloneTiming(t core.Timing) core.Timing {
	t.RunAt, t.StartAt, t.EndAt = clonePtr(t.RunAt), clonePtr(t.StartAt), clonePtr(t.EndAt)
	t.Calendars = slices.Clone(t.Calendars)
	t.ExecutionWindows = cloneWindows(t.ExecutionWindows)
	return t
}

func cloneWindows(windows []schedule.Window) []schedule.Window {
	windows = slices.Clone(windows)
	for i := range windows {
		windows[i].Days = slices.Clone(windows[i].Days)
	}
	return windows
}

func clonePolicy(p core.Policy) core.Policy {
	p.RateLimit = clonePtr(p.RateLimit)
	return p
}

func cloneExecution(e core.Execution) core.Execution {
	e.StartTime, e.EndTime, e.Duration = clonePtr(e.StartTime), clonePtr(e.EndTime), clonePtr(e.Duration)
	e.Error, e.ErrorCode, e.RetryOf = clonePtr(e.Error), clonePtr(e.ErrorCode), clonePtr(e.RetryOf)
	e.Result, e.Data = bytes.Clone(e.Result), bytes.Clone(e.Data)
	e.Policy = clonePolicy(e.Policy)
	if e.Awaits != nil {
		awaits := *e.Awaits
		awaits.Tasks, awaits.Until = slices.Clone(awaits.Tasks), clonePtr(awaits.Until)
		e.Awaits = &awaits
	}
	if e.Hours != nil {
		hours := *e.Hours
		hours.Windows, hours.Calendars = cloneWindows(hours.Windows), slices.Clone(hours.Calendars)
		e.Hours = &hours
	}
	e.LateAt, e.Progress = clonePtr(e.LateAt), clonePtr(e.Progress)
	e.Attempts = slices.Clone(e.Attempts)
	for i := range e.Attempts {
		a := &e.Attempts[i]
		a.Error, a.ErrorCode = clonePtr(a.Error), clonePtr(a.ErrorCode)
	}
	return e
}

func cloneLogs(logs []core.AttemptLog) []core.AttemptLog {
	clone := make([]core.AttemptLog, len(logs))
	for i, l := range logs {
		clone[i] = cloneLog(l)
	}
	return clone
}

func cloneLog(l core.AttemptLog) core.AttemptLog {
	l.Lines = slices.Clone(l.Lines)
	for i := range l.Lines {
		l.Lines[i].Fields = maps.Clone(l.Lines[i].Fields)
	}
	return l
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
