package core

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// Preview is what a timing will do.
type Preview struct {
	Occurrences []schedule.Occurrence
	Location    *time.Location // of the schedule
	Description string         // in words
	Warnings    []schedule.Warning
}

// The warnings that a preview adds to those of the schedule itself.
const (
	WarnHerd          schedule.WarningCode = "HERD"            // many other tasks are due in the same minute
	WarnDependsOnTask schedule.WarningCode = "DEPENDS_ON_TASK" // H and jitter differ from task to task
	WarnDisabled      schedule.WarningCode = "DISABLED"        // the task does not run now
)

// MaxPreview bounds the occurrences of a preview.
const MaxPreview = 1000

// hashField finds an H at the beginning of a field or list entry of a cron
// expression; no name of a month or day begins with it.
var hashField = regexp.MustCompile(`(?i)(^|[\s,])H`)

const (
	herdSize   = 50 // other tasks in a minute that make a herd
	herdProbes = 5  // occurrences that are looked at for herds
)

// Preview computes what a timing would do from an instant on, by the function
// that plans it. A timing that never fires is no error here: it has no
// occurrences and the warning NEVER. taskID, when given, is the task whose H
// fields and jitter are meant. Errors: INVALID_SCHEDULE.
func (s *Scheduler) Preview(ctx context.Context, timing Timing, taskID string, from time.Time, count int) (Preview, error) {
	t := Task{ID: taskID, TaskSpec: TaskSpec{Timing: timing.normalized().WithDefaults()}}
	t.TaskSpec = t.Anchored(from)
	set, err := s.calendarsOf(ctx, t.Timing)
	if err != nil {
		return Preview{}, err
	}
	spec, err := s.timetable.Compile(t, set)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Location: spec.Location(), Description: spec.Describe(), Warnings: spec.Warnings(from)}
	if taskID == "" && (t.JitterMs > 0 || hashField.MatchString(t.CronExpression)) {
		p.Warnings = append(p.Warnings, schedule.Warning{
			Code: WarnDependsOnTask, Message: "H fields and jitter are drawn from the task's id; another task has other times",
		})
	}
	p.Occurrences = take(startingFrom(from, occurrences(spec, from)), t.left(count))
	return s.warnOfHerd(ctx, p, nil)
}

// Upcoming computes what a task will do next. Errors: NOT_FOUND.
func (s *Scheduler) Upcoming(ctx context.Context, id string, count int) (Preview, error) {
	t, err := s.store.Task(ctx, id)
	if err != nil {
		return Preview{}, err
	}
	set, err := s.calendarsOf(ctx, t.Timing)
	if err != nil {
		return Preview{}, err
	}
	spec, err := s.timetable.Compile(t, set)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Location: spec.Location(), Description: spec.Describe(), Warnings: spec.Warnings(s.clock.Now())}
	if !t.Enabled {
		p.Warnings = append(p.Warnings, schedule.Warning{Code: WarnDisabled, Message: "the task is disabled and does not run"})
	}
	if t.Plan.NextNominal == nil {
		return p, nil
	}
	p.Occurrences = take(t.occurrences(spec), t.left(count))
	return s.warnOfHerd(ctx, p, t.NextRun)
}

// left is how many occurrences a task still has, at most count.
func (t Task) left(count int) int {
	if t.MaxRuns == 0 {
		return count
	}
	return max(0, min(count, t.MaxRuns-t.Plan.Runs))
}

// warnOfHerd tells when many other tasks are due in the same minute. own, when
// given, is the next run of the task itself.
func (s *Scheduler) warnOfHerd(ctx context.Context, p Preview, own *time.Time) (Preview, error) {
	for i, o := range p.Occurrences {
		if i == herdProbes {
			break
		}
		minute := o.At.Truncate(time.Minute)
		n, err := s.store.CountDue(ctx, minute, minute.Add(time.Minute))
		if err != nil {
			return p, err
		}
		if own != nil && own.Truncate(time.Minute).Equal(minute) {
			n--
		}
		if n >= herdSize {
			p.Warnings = append(p.Warnings, schedule.Warning{
				Code: WarnHerd,
				Message: fmt.Sprintf("%d other tasks are due in the minute of %s; H in the minute field or jitterMs spreads them",
					n, minute.In(p.Location).Format("15:04 on 2 January 2006")),
			})
			break
		}
	}
	return p, nil
}
