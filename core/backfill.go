package core

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// MaxBackfill bounds the occurrences of one backfill. With the overlap policy
// queue_all they all fit the task's own line.
const MaxBackfill = MaxOverlapQueue

// The rate at which the executions of a backfill become due.
const (
	DefaultBackfillRate = 60 // a minute
	maxBackfillRate     = 6000
)

// BackfillRequest asks for the occurrences of a past range to be executed.
type BackfillRequest struct {
	From, To  time.Time     // nominal times: From ≤ t < To
	Overlap   OverlapPolicy // among themselves; default queue_all: one after the other, oldest first
	PerMinute int           // executions that become due in a minute; default DefaultBackfillRate
	DryRun    bool          // only say what would be executed
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

// BackfillStore plans the past. It is part of PlanStore.
type BackfillStore interface {
	// PlanBackfill shows decide a task, with the occurrences in [from, to) that
	// have been executed or are about to be, and applies the plan, in one step.
	// With an idempotency key that was used for the same content nothing is
	// applied, and it fails with ErrReplayed after decide was asked. Errors:
	// NOT_FOUND, and decide's.
	PlanBackfill(ctx context.Context, taskID string, from, to time.Time, key *Idempotency,
		decide func(now time.Time, d BackfillTask) (BackfillPlan, error)) (running []string, err error)
}

// BackfillTask is a task with what a backfill depends on.
type BackfillTask struct {
	Task     Task
	Active   Active
	Occurred map[time.Time]Status // as ExecutionStore.Occurred tells
}

// BackfillPlan is what a backfill does.
type BackfillPlan struct {
	Executions     []Execution // pending ones, and skipped ones of what the task owed
	CancelPrevious bool        // end what is active before
	NextRun        *time.Time  // of the task from now on
	State          PlanState   // of the task from now on
}

// Backfill plans the occurrences of a past range of a task's schedule. Those
// that have an execution already which succeeded or is still live are left out,
// so a backfill can be repeated. What the task still owes, because it is paused
// or late, is taken over from the schedule, if the range has it from its
// beginning; else it is left to the schedule.
//
// The executions become due at the asked rate and go behind all other work,
// however long they have waited. Errors: NOT_FOUND, VALIDATION_FAILED,
// PLUGIN_UNAVAILABLE; ErrReplayed, beside the report of what is there.
func (s *Scheduler) Backfill(ctx context.Context, taskID string, r BackfillRequest, key *Idempotency) (BackfillReport, error) {
	r.Overlap = cmp.Or(r.Overlap, OverlapQueueAll)
	r.PerMinute = cmp.Or(r.PerMinute, DefaultBackfillRate)
	if err := s.checkBackfill(r); err != nil {
		return BackfillReport{}, err
	}
	return onBasis(func() (BackfillReport, error) { return s.backfill(ctx, taskID, r, key) })
}

func (s *Scheduler) checkBackfill(r BackfillRequest) error {
	var p problems
	if !r.From.Before(r.To) {
		p.add("/to", "is not after from")
	}
	if r.To.After(s.clock.Now()) {
		p.add("/to", "is in the future; what comes there is planned anyway")
	}
	oneOf(&p, "/overlap", r.Overlap, OverlapSkip, OverlapQueue, OverlapQueueAll, OverlapCancelPrevious, OverlapAllow)
	p.within("/perMinute", r.PerMinute, 1, maxBackfillRate)
	return Invalid(CodeValidationFailed, p)
}

func (s *Scheduler) backfill(ctx context.Context, taskID string, r BackfillRequest, key *Idempotency) (BackfillReport, error) {
	t, err := s.store.Task(ctx, taskID)
	if err != nil {
		return BackfillReport{}, err
	}
	spec, occurrences, err := s.backfillRange(ctx, t, r)
	if err != nil {
		return BackfillReport{}, err
	}
	if err := s.types.ValidateData(t.Type, t.Data); err != nil {
		return BackfillReport{}, err
	}
	if r.DryRun {
		key = nil
	}
	var report BackfillReport
	running, err := s.store.PlanBackfill(ctx, t.ID, r.From, r.To, key, func(now time.Time, d BackfillTask) (BackfillPlan, error) {
		if d.Task.Version != t.Version {
			return BackfillPlan{}, ErrBasisChanged
		}
		b := backfilling{now: now, request: r, task: d.Task, active: d.Active, occurred: d.Occurred}
		plan := b.plan(spec, occurrences)
		report = b.report
		if r.DryRun {
			return BackfillPlan{NextRun: d.Task.NextRun, State: d.Task.Plan}, nil
		}
		return plan, nil
	})
	if err != nil || r.DryRun {
		return report, err
	}
	s.sendCancel(ctx, running)
	s.signals.Send(ctx, Signal{Kind: SignalPlan})
	s.signals.Send(ctx, Signal{Kind: SignalDispatch})
	return report, nil
}

// backfillRange lists the occurrences of the range, by the function that plans.
func (s *Scheduler) backfillRange(ctx context.Context, t Task, r BackfillRequest) (*schedule.Spec, []schedule.Occurrence, error) {
	if !t.Timed() {
		return nil, nil, Invalid(CodeValidationFailed, []FieldProblem{{
			Field: "/from", Problem: fmt.Sprintf("the task has no times of its own: its scheduleType is %s", t.ScheduleType),
		}})
	}
	set, err := s.calendarsOf(ctx, t.Timing)
	if err != nil {
		return nil, nil, err
	}
	spec, err := s.timetable.Compile(t, set)
	if err != nil {
		return nil, nil, err
	}
	all := spec.Between(r.From.Add(-time.Microsecond), r.To.Add(-time.Microsecond), MaxBackfill+1)
	if len(all) > MaxBackfill {
		return nil, nil, Invalid(CodeValidationFailed, []FieldProblem{{
			Field: "/to", Problem: fmt.Sprintf("the range has more than %d occurrences; backfill it in parts", MaxBackfill),
		}})
	}
	return spec, all, nil
}

// backfilling gathers the plan of one backfill.
type backfilling struct {
	now      time.Time
	request  BackfillRequest
	task     Task
	active   Active
	occurred map[time.Time]Status
	admitted int
	report   BackfillReport
	result   BackfillPlan
}

func (b *backfilling) plan(spec *schedule.Spec, occurrences []schedule.Occurrence) BackfillPlan {
	b.result = BackfillPlan{NextRun: b.task.NextRun, State: b.task.Plan}
	owed, mine := b.owed(), b.takesOver(occurrences)
	for i, o := range occurrences {
		done := BackfilledOccurrence{Nominal: Instant(o.Nominal)}
		switch status, ok := b.occurred[done.Nominal]; {
		case ok:
			done.Skipped = "its execution is " + string(status)
		case owed != nil && !done.Nominal.Before(*owed) && !mine:
			done.Skipped = "the schedule still owes it; backfill from " + rfc3339(*owed) + " on, or let the misfire policy decide"
		default:
			b.admit(&done, i == len(occurrences)-1)
			if done.Skipped != "" && mine && !done.Nominal.Before(*owed) {
				b.dismiss(done)
			}
		}
		b.report.Occurrences = append(b.report.Occurrences, done)
	}
	if mine {
		b.advance(spec, occurrences)
	}
	return b.result
}

// owed is the first occurrence that is due and not planned; nil when there is
// none.
func (b *backfilling) owed() *time.Time {
	if !b.task.Enabled || !b.task.owes(b.now) {
		return nil
	}
	return b.task.Plan.NextNominal
}

// takesOver reports whether the range has what the task owes from its beginning.
func (b *backfilling) takesOver(occurrences []schedule.Occurrence) bool {
	owed := b.owed()
	return owed != nil && len(occurrences) > 0 && !b.request.From.After(*owed) &&
		!Instant(occurrences[len(occurrences)-1].Nominal).Before(*owed)
}

// admit plans an occurrence, unless the overlap policy forbids it.
func (b *backfilling) admit(done *BackfilledOccurrence, last bool) {
	a := b.request.Overlap.Admit(b.active)
	switch {
	case !a.Admit:
		done.Skipped = "overlap policy " + string(b.request.Overlap) + ": " + a.Reason
		return
	case a.CancelPrevious && !last:
		done.Skipped = "replaced by the next occurrence"
		return
	}
	b.result.CancelPrevious = b.result.CancelPrevious || a.CancelPrevious
	b.active.Waiting++
	due := b.now.Add(time.Duration(b.admitted) * time.Minute / time.Duration(b.request.PerMinute))
	b.admitted++
	e := NewExecution(b.task, TriggerBackfill, done.Nominal, due, b.now)
	e.Policy.Overlap, e.Policy.Priority = b.request.Overlap, 0
	b.result.Executions = append(b.result.Executions, e)
	if !b.request.DryRun {
		done.ExecutionID = e.ID
	}
}

// dismiss records an occurrence that the task owed and that does not run.
func (b *backfilling) dismiss(o BackfilledOccurrence) {
	e := NewExecution(b.task, TriggerBackfill, o.Nominal, b.now, b.now)
	e.Dismiss(StatusSkipped, o.Skipped, b.now)
	b.result.Executions = append(b.result.Executions, e)
}

// advance moves the schedule behind the range.
func (b *backfilling) advance(spec *schedule.Spec, occurrences []schedule.Occurrence) {
	last := Instant(occurrences[len(occurrences)-1].Nominal)
	t := b.task
	t.Plan.LastNominal, t.Plan.Since = &last, &last
	t.NextRun, t.Plan.NextNominal = nil, nil
	if o, ok := spec.Next(last); ok {
		t.setNext(o)
	}
	b.result.NextRun, b.result.State = t.NextRun, t.Plan
}
