package core

import (
	"context"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// MaxBackfill bounds the occurrences of one backfill. With the overlap policy
// queue_all they all fit the task's own line.
const MaxBackfill = MaxOverlapQueue

// BackfillRequest asks for the occurrences of a past range to be executed.
type BackfillRequest struct {
	From, To time.Time     // nominal times: From ≤ t < To
	Overlap  OverlapPolicy // among themselves; default queue_all: one after the other, oldest first
	DryRun   bool          // only say what would be executed
}

// BackfillReport says what a backfill does, occurrence by occurrence.
type BackfillReport struct {
	Occurrences []BackfilledOccurrence
}

// BackfilledOccurrence is one nominal time of the range.
type BackfilledOccurrence struct {
	Nominal     time.Time
	ExecutionID string // of the execution that was planned; "" in a dry run and for what was skipped
	Skipped     string // why no execution is planned
}

// Backfill plans the occurrences of a past range of a task's schedule. Those
// that have an execution already which succeeded or is still live are left out.
// The executions have the lowest priority, so that they do not get into the way
// of what is due now. Errors: NOT_FOUND, VALIDATION_FAILED, PLUGIN_UNAVAILABLE.
func (s *Scheduler) Backfill(ctx context.Context, taskID string, r BackfillRequest) (BackfillReport, error) {
	t, err := s.store.Task(ctx, taskID)
	if err != nil {
		return BackfillReport{}, err
	}
	if r.Overlap == "" {
		r.Overlap = OverlapQueueAll
	}
	planned, err := s.backfillRange(ctx, t, r)
	if err != nil {
		return BackfillReport{}, err
	}
	if err := s.types.ValidateData(t.Type, t.Data); err != nil {
		return BackfillReport{}, err
	}
	done, err := s.store.Occurred(ctx, t.ID, r.From, r.To)
	if err != nil {
		return BackfillReport{}, err
	}
	report := BackfillReport{Occurrences: make([]BackfilledOccurrence, len(planned))}
	for i, o := range planned {
		b := &report.Occurrences[i]
		b.Nominal = Instant(o.Nominal)
		if status, ok := done[b.Nominal]; ok {
			b.Skipped = "its execution is " + string(status)
			continue
		}
		if r.DryRun {
			continue
		}
		if err := s.backfillOne(ctx, t, r.Overlap, b); err != nil {
			return report, err
		}
	}
	if !r.DryRun {
		s.signals.Send(ctx, Signal{Kind: SignalDispatch})
	}
	return report, nil
}

// backfillRange lists the occurrences of the range, by the function that plans.
func (s *Scheduler) backfillRange(ctx context.Context, t Task, r BackfillRequest) ([]schedule.Occurrence, error) {
	var p problems
	now := s.clock.Now()
	if !r.From.Before(r.To) {
		p.add("/to", "is not after from")
	}
	if r.To.After(now) {
		p.add("/to", "is in the future; what comes there is planned anyway")
	}
	oneOf(&p, "/overlap", r.Overlap, OverlapSkip, OverlapQueue, OverlapQueueAll, OverlapCancelPrevious, OverlapAllow)
	if !t.Timed() {
		p.add("/from", "the task has no times of its own: its scheduleType is %s", t.ScheduleType)
	}
	if err := Invalid(CodeValidationFailed, p); err != nil {
		return nil, err
	}
	set, err := s.calendarsOf(ctx, t.Timing)
	if err != nil {
		return nil, err
	}
	spec, err := s.timetable.Compile(t, set)
	if err != nil {
		return nil, err
	}
	all := spec.Between(r.From.Add(-time.Microsecond), r.To.Add(-time.Microsecond), MaxBackfill+1)
	if len(all) > MaxBackfill {
		return nil, Invalid(CodeValidationFailed, []FieldProblem{{
			Field: "/to", Problem: fmt.Sprintf("the range has more than %d occurrences; backfill it in parts", MaxBackfill),
		}})
	}
	return all, nil
}

func (s *Scheduler) backfillOne(ctx context.Context, t Task, overlap OverlapPolicy, b *BackfilledOccurrence) error {
	now := s.clock.Now()
	e := NewExecution(t, TriggerBackfill, b.Nominal, now, now)
	e.Policy.Overlap, e.Policy.Priority = overlap, 0
	stored, running, err := s.store.CreateExecution(ctx, e, nil)
	switch {
	case CodeOf(err) == CodeTaskLocked:
		b.Skipped = "overlap policy " + string(overlap) + " forbids it now"
		return nil
	case err != nil:
		return err
	}
	s.sendCancel(ctx, running)
	b.ExecutionID = stored.ID
	return nil
}
