package core

import (
	"context"
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
	load      LoadReporter
	observer  Observer
	rates     RateReporter
}

// SchedulerConfig is what a Scheduler stands on. All fields
// but Load, Rates and Observer are required.
type SchedulerConfig struct {
	Store     Store
	Types     TypeCatalogue
	Signals   Signals
	Defaults  Defaults
	Timetable Timetable
	Clock     Clock
	Load      LoadReporter // of this node, for Explain; nil leaves it out
	Rates     RateReporter // of this node, for Explain; nil leaves it out
	Observer  Observer     // of executions that a request ends; nil is none
}

// NewScheduler makes a Scheduler.
func NewScheduler(c SchedulerConfig) *Scheduler {
	if c.Observer == nil {
		c.Observer = Observers{}
	}
	return &Scheduler{
		store: c.Store, types: c.Types, signals: c.Signals,
		defaults: c.Defaults, timetable: c.Timetable, clock: c.Clock, load: c.Load, observer: c.Observer, rates: c.Rates,
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
	if t, done, err := replay(ctx, s, key, s.store.Task); done || err != nil {
		return t, err
	}
	t, err := onBasis(func() (Task, error) { return s.createTask(ctx, spec, key) })
	if err == nil {
		s.signals.Send(ctx, Signal{Kind: SignalPlan})
	}
	return t, err
}

func (s *Scheduler) createTask(ctx context.Context, spec TaskSpec, key *Idempotency) (Task, error) {
	now := s.clock.Now()
	t, set, err := s.prepare(ctx, NewTask(spec, now))
	if err != nil {
		return Task{}, err
	}
	if t, err = s.timetable.Arm(t, set, now); err != nil {
		return Task{}, err
	}
	t.Basis = &Basis{Calendars: set}
	return s.store.CreateTask(ctx, t, key)
}

// prepare completes a task's spec (shared timing, defaults, interval anchor),
// checks it and returns the calendars it names.
func (s *Scheduler) prepare(ctx context.Context, t Task) (Task, CalendarSet, error) {
	if t.ScheduleID != nil {
		if err := s.adoptTiming(ctx, &t); err != nil {
			return t, nil, err
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
		return t, nil, err
	}
	set, err := s.calendarsOf(ctx, t.Timing)
	if err != nil {
		return t, nil, err
	}
	if err := s.timetable.Check(t, set); err != nil {
		return t, nil, err
	}
	return t, set, s.types.ValidateData(t.Type, t.Data)
}

// calendarsOf reads the calendars that a timing names.
func (s *Scheduler) calendarsOf(ctx context.Context, t Timing) (CalendarSet, error) {
	if len(t.Calendars) == 0 {
		return CalendarSet{}, nil
	}
	return s.store.CalendarSet(ctx, t.Calendars)
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
	t, err := onBasis(func() (Task, error) { return s.updateTask(ctx, id, version, spec) })
	if err == nil {
		s.signals.Send(ctx, Signal{Kind: SignalPlan})
	}
	return t, err
}

func (s *Scheduler) updateTask(ctx context.Context, id string, version int64, spec TaskSpec) (Task, error) {
	old, err := s.store.Task(ctx, id)
	if err != nil {
		return Task{}, err
	}
	next := old
	next.TaskSpec = spec.normalized()
	next, set, err := s.prepare(ctx, next)
	if err != nil {
		return Task{}, err
	}
	return s.store.UpdateTask(ctx, id, version, func(now time.Time, t Task) (Task, error) {
		retimed := !reflect.DeepEqual(t.Timing, next.Timing) || t.Enabled != next.Enabled
		t.TaskSpec, t.Basis = next.TaskSpec, &Basis{Calendars: set}
		if !retimed {
			return t, nil
		}
		return s.timetable.Arm(t, set, now)
	})
}

// DeleteTask removes a task; its waiting executions end as cancelled and its
// running ones are asked to end. History stays. Errors: NOT_FOUND,
// PRECONDITION_FAILED.
func (s *Scheduler) DeleteTask(ctx context.Context, id string, version int64) error {
	running, err := s.store.DeleteTask(ctx, id, version)
	s.sendCancel(ctx, running)
	return err
}

// Plugins lists every configured task type, loaded or not.
func (s *Scheduler) Plugins() []PluginStatus { return s.types.Plugins() }
