package core

import (
	"errors"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// ScheduleType is the form of a schedule.
type ScheduleType string

// The forms of a schedule.
const (
	ScheduleOnce       ScheduleType = "once"       // at runAt
	ScheduleRecurring  ScheduleType = "recurring"  // every intervalMs, counted from startAt
	ScheduleCron       ScheduleType = "cron"       // by cronExpression in timezone
	ScheduleManual     ScheduleType = "manual"     // only when somebody asks
	ScheduleDependency ScheduleType = "dependency" // when the tasks it depends on have succeeded
)

// Timing says when a task runs. It is part of a task, or of a schedule that
// many tasks share.
type Timing struct {
	ScheduleType     ScheduleType      `json:"scheduleType"` // default: told from runAt, intervalMs, cronExpression; else manual
	RunAt            *time.Time        `json:"runAt"`
	IntervalMs       Millis            `json:"intervalMs"`
	CronExpression   string            `json:"cronExpression"`
	Timezone         string            `json:"timezone"` // IANA name; default UTC
	StartAt          *time.Time        `json:"startAt"`  // no occurrence before; anchor of an interval, default creation time
	EndAt            *time.Time        `json:"endAt"`    // no occurrence after
	MaxRuns          int               `json:"maxRuns"`  // planned executions in all; 0 is no limit
	JitterMs         Millis            `json:"jitterMs"` // each start is put off by up to this much, the same for each (task, nominal time)
	Calendars        []string          `json:"calendars"`
	DST              schedule.DST      `json:"dst"`
	ExecutionWindows []schedule.Window `json:"executionWindows"`
	OutsideWindow    schedule.Outside  `json:"outsideWindow"`
}

// WithDefaults fills what was left out.
func (t Timing) WithDefaults() Timing {
	if t.ScheduleType == "" {
		t.ScheduleType = t.impliedType()
	}
	if t.Timezone == "" {
		t.Timezone = "UTC"
	}
	if t.DST.Gap == "" {
		t.DST.Gap = schedule.GapShift
	}
	if t.DST.Fold == "" {
		t.DST.Fold = schedule.FoldFirst
	}
	if t.OutsideWindow == "" {
		t.OutsideWindow = schedule.OutsideDefer
	}
	return t
}

// normalized brings times to the precision of the stores and empty collections
// to one form, so that what is read back equals what was written.
func (t Timing) normalized() Timing {
	t.RunAt, t.StartAt, t.EndAt = utc(t.RunAt), utc(t.StartAt), utc(t.EndAt)
	if t.Calendars == nil {
		t.Calendars = []string{}
	}
	if t.ExecutionWindows == nil {
		t.ExecutionWindows = []schedule.Window{}
	}
	return t
}

func (t Timing) impliedType() ScheduleType {
	switch {
	case t.CronExpression != "":
		return ScheduleCron
	case t.IntervalMs != 0:
		return ScheduleRecurring
	case t.RunAt != nil:
		return ScheduleOnce
	}
	return ScheduleManual
}

// Compile turns the timing into the rule that the planner and the preview both
// use. seed is the task's id: H fields and jitter hash from it. The error is an
// INVALID_SCHEDULE or VALIDATION_FAILED that names the field.
func (t Timing) Compile(seed string, minInterval time.Duration, calendars []schedule.Calendar) (*schedule.Spec, error) {
	if problems := t.shape(); len(problems) > 0 {
		return nil, Invalid(CodeInvalidSchedule, problems)
	}
	spec, err := schedule.Compile(schedule.Config{
		Kind:        schedule.Kind(t.ScheduleType),
		RunAt:       timeOf(t.RunAt),
		Interval:    t.IntervalMs.Duration(),
		Cron:        t.CronExpression,
		Timezone:    t.Timezone,
		StartAt:     timeOf(t.StartAt),
		EndAt:       timeOf(t.EndAt),
		DST:         t.DST,
		Jitter:      t.JitterMs.Duration(),
		Windows:     t.ExecutionWindows,
		Outside:     t.OutsideWindow,
		Calendars:   calendars,
		Seed:        seed,
		MinInterval: minInterval,
	})
	if err != nil {
		return nil, scheduleError(err)
	}
	return spec, nil
}

// Usable says why a compiled timing may not be used by a task: it never fires,
// or fires more often than allowed. nil means it may.
func Usable(spec *schedule.Spec) error {
	if p := spec.Problem(); p != nil {
		return scheduleError(p)
	}
	return nil
}

// scheduleError translates the arithmetic's error into the contract's.
func scheduleError(err error) error {
	problem := scheduleProblem(err, "")
	if problem == nil {
		return &Error{Code: CodeInternal, Message: "schedule cannot be computed", Err: err}
	}
	return Invalid(CodeInvalidSchedule, []FieldProblem{*problem})
}

// scheduleProblem names what the arithmetic's error is about, without the
// prefix in its path; nil when it is no such error.
func scheduleProblem(err error, prefix string) *FieldProblem {
	e, ok := errors.AsType[*schedule.Error](err)
	if !ok {
		return nil
	}
	problem := e.Reason
	if e.Hint != "" {
		problem += "; " + e.Hint
	}
	return &FieldProblem{Field: "/" + strings.TrimPrefix(e.Field, prefix), Problem: problem}
}

// shape checks that the fields which belong to the schedule type are there and
// the others are not, so that a forgotten field is told and not ignored.
func (t Timing) shape() []FieldProblem {
	var p problems
	switch t.ScheduleType {
	case ScheduleOnce, ScheduleRecurring, ScheduleCron, ScheduleManual, ScheduleDependency:
	default:
		p.add("/scheduleType", "%q is not one of once, recurring, cron, manual, dependency", string(t.ScheduleType))
		return p
	}
	p.belongs("/runAt", t.RunAt != nil, t.ScheduleType, ScheduleOnce)
	p.belongs("/intervalMs", t.IntervalMs != 0, t.ScheduleType, ScheduleRecurring)
	p.belongs("/cronExpression", t.CronExpression != "", t.ScheduleType, ScheduleCron)
	p.duration("/intervalMs", t.IntervalMs)
	p.duration("/jitterMs", t.JitterMs)
	if t.MaxRuns < 0 {
		p.add("/maxRuns", "%d is negative; 0 means no limit", t.MaxRuns)
	}
	if t.StartAt != nil && t.EndAt != nil && !t.StartAt.Before(*t.EndAt) {
		p.add("/endAt", "is not after startAt")
	}
	p.instant("/runAt", t.RunAt)
	p.instant("/startAt", t.StartAt)
	p.instant("/endAt", t.EndAt)
	return p
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
