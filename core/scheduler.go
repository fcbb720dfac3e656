package core

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Scheduler is everything that can be asked of the service: the operations
// behind the REST API. It is safe for concurrent use.
type Scheduler struct {
	store     Store
	types     TypeCatalogue
	signals   Signals
	defaults  Defaults
	timetable Timetable
	clock     Clock
}

// SchedulerConfig is what a Scheduler stands on. All fields are required.
type SchedulerConfig struct {
	Store     Store
	Types     TypeCatalogue
	Signals   Signals
	Defaults  Defaults
	Timetable Timetable
	Clock     Clock
}

// NewScheduler makes a Scheduler.
func NewScheduler(c SchedulerConfig) *Scheduler {
	return &Scheduler{
		store: c.Store, types: c.Types, signals: c.Signals,
		defaults: c.Defaults, timetable: c.Timetable, clock: c.Clock,
	}
}

// NewSpec returns a task spec with every default in place; what a user says
// goes on top.
func (s *Scheduler) NewSpec() TaskSpec {
	return TaskSpec{Policy: s.defaults.Policy(), Data: []byte("{}"), Enabled: true}
}

// CreateTask validates and stores a task. With an idempotency key that was used
// for the same content it returns the task made then and ErrReplayed. Errors:
// VALIDATION_FAILED, INVALID_SCHEDULE, PLUGIN_UNAVAILABLE.
func (s *Scheduler) CreateTask(ctx context.Context, spec TaskSpec, key *Idempotency) (Task, error) {
	now := s.clock.Now()
	t, err := s.prepare(ctx, NewTask(spec, now))
	if err != nil {
		return Task{}, err
	}
	if t, err = s.timetable.Arm(t, now); err != nil {
		return Task{}, err
	}
	t, err = s.store.CreateTask(ctx, t, key)
	if err == nil {
		s.signals.Send(ctx, Signal{Kind: SignalPlan})
	}
	return t, err
}

// prepare completes a task's spec (shared timing, defaults, interval anchor)
// and checks it.
func (s *Scheduler) prepare(ctx context.Context, t Task) (Task, error) {
	if t.ScheduleID != nil {
		if err := s.adoptTiming(ctx, &t); err != nil {
			return t, err
		}
	}
	t.Timing = t.Timing.WithDefaults()
	if t.RateLimit != nil && t.RateLimit.Key == "" {
		limit := *t.RateLimit
		limit.Key = "task:" + t.ID
		t.RateLimit = &limit
	}
	t.TaskSpec = t.Anchored(t.CreatedAt)
	if err := t.Validate(); err != nil {
		return t, err
	}
	if err := s.timetable.Check(t); err != nil {
		return t, err
	}
	return t, s.types.ValidateData(t.Type, t.Data)
}

func (s *Scheduler) adoptTiming(ctx context.Context, t *Task) error {
	id, ok := ParseID(*t.ScheduleID)
	if !ok {
		return Invalid(CodeValidationFailed, []FieldProblem{{Field: "/scheduleId", Problem: "is not a UUID"}})
	}
	shared, err := s.store.Schedule(ctx, id)
	if CodeOf(err) == CodeNotFound {
		return Invalid(CodeValidationFailed, []FieldProblem{{Field: "/scheduleId", Problem: "no schedule has this id"}})
	}
	if err != nil {
		return err
	}
	own := t.Timing.normalized()
	if !reflect.DeepEqual(own, Timing{}.normalized()) && !reflect.DeepEqual(own, shared.Timing) {
		return Invalid(CodeValidationFailed, []FieldProblem{{
			Field: "/scheduleId", Problem: "a task takes its timing from a shared schedule or has its own, not both",
		}})
	}
	t.ScheduleID, t.Timing = &id, shared.Timing
	return nil
}

// Task returns a task or NOT_FOUND.
func (s *Scheduler) Task(ctx context.Context, id string) (Task, error) { return s.store.Task(ctx, id) }

// Tasks lists tasks, newest first.
func (s *Scheduler) Tasks(ctx context.Context, f TaskFilter, p Page) ([]Task, error) {
	return s.store.Tasks(ctx, f, p)
}

// UpdateTask replaces what a user says about a task, if its version is version
// or AnyVersion. A task whose timing did not change keeps its next occurrence.
// Errors: NOT_FOUND, PRECONDITION_FAILED and those of CreateTask.
func (s *Scheduler) UpdateTask(ctx context.Context, id string, version int64, spec TaskSpec) (Task, error) {
	old, err := s.store.Task(ctx, id)
	if err != nil {
		return Task{}, err
	}
	next := old
	next.TaskSpec = spec.normalized()
	if next, err = s.prepare(ctx, next); err != nil {
		return Task{}, err
	}
	t, err := s.store.UpdateTask(ctx, id, version, func(now time.Time, t Task) (Task, error) {
		retimed := !reflect.DeepEqual(t.Timing, next.Timing) || t.Enabled != next.Enabled
		t.TaskSpec = next.TaskSpec
		if !retimed {
			return t, nil
		}
		return s.timetable.Arm(t, now)
	})
	if err == nil {
		s.signals.Send(ctx, Signal{Kind: SignalPlan})
	}
	return t, err
}

// DeleteTask removes a task; its waiting executions end as cancelled and its
// running ones are asked to end. History stays. Errors: NOT_FOUND,
// PRECONDITION_FAILED.
func (s *Scheduler) DeleteTask(ctx context.Context, id string, version int64) error {
	running, err := s.store.DeleteTask(ctx, id, version)
	s.sendCancel(ctx, running)
	return err
}

// CreateSchedule validates and stores a shared schedule.
func (s *Scheduler) CreateSchedule(ctx context.Context, spec ScheduleSpec, key *Idempotency) (Schedule, error) {
	now := s.clock.Now()
	sc := NewSchedule(spec, now)
	sc, err := s.prepareSchedule(sc)
	if err != nil {
		return Schedule{}, err
	}
	return s.store.CreateSchedule(ctx, sc, key)
}

func (s *Scheduler) prepareSchedule(sc Schedule) (Schedule, error) {
	sc.Timing = sc.Timing.WithDefaults()
	if sc.ScheduleType == ScheduleRecurring && sc.StartAt == nil {
		sc.StartAt = utc(&sc.CreatedAt)
	}
	if err := sc.Validate(); err != nil {
		return sc, err
	}
	return sc, s.timetable.Check(Task{ID: sc.ID, TaskSpec: TaskSpec{Timing: sc.Timing}})
}

// Schedule returns a schedule or NOT_FOUND.
func (s *Scheduler) Schedule(ctx context.Context, id string) (Schedule, error) {
	return s.store.Schedule(ctx, id)
}

// Schedules lists schedules, newest first.
func (s *Scheduler) Schedules(ctx context.Context, p Page) ([]Schedule, error) {
	return s.store.Schedules(ctx, p)
}

// UpdateSchedule replaces a schedule and re-times every task that uses it, in
// one step. Errors: NOT_FOUND, PRECONDITION_FAILED, those of CreateSchedule,
// and CONFLICT when a task cannot follow.
func (s *Scheduler) UpdateSchedule(ctx context.Context, id string, version int64, spec ScheduleSpec) (Schedule, error) {
	old, err := s.store.Schedule(ctx, id)
	if err != nil {
		return Schedule{}, err
	}
	next := NewSchedule(spec, old.CreatedAt)
	next.ID = old.ID
	if next, err = s.prepareSchedule(next); err != nil {
		return Schedule{}, err
	}
	change := func(_ time.Time, sc Schedule) (Schedule, error) {
		sc.ScheduleSpec = next.ScheduleSpec
		return sc, nil
	}
	sc, err := s.store.UpdateSchedule(ctx, id, version, change, s.retime)
	if err == nil {
		s.signals.Send(ctx, Signal{Kind: SignalPlan})
	}
	return sc, err
}

// retime gives a task the timing of its schedule.
func (s *Scheduler) retime(now time.Time, sc Schedule, t Task) (Task, error) {
	t.Timing = sc.Timing
	armed, err := s.timetable.Arm(t, now)
	if err != nil {
		e, _ := errors.AsType[*Error](err)
		return t, &Error{Code: CodeConflict, Message: fmt.Sprintf("task %s cannot follow the schedule: %s", t.ID, e.Message)}
	}
	return armed, nil
}

// DeleteSchedule removes a schedule that no task uses; else CONFLICT.
func (s *Scheduler) DeleteSchedule(ctx context.Context, id string, version int64) error {
	return s.store.DeleteSchedule(ctx, id, version)
}

// Plugins lists every configured task type, loaded or not.
func (s *Scheduler) Plugins() []PluginStatus { return s.types.Plugins() }
