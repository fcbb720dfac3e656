package simulation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// recorder is the store as it truly is: it takes one step at a time, compares
// what the step has left with what was there before, and asks the invariants.
type recorder struct {
	core.Store
	w *world

	mu     sync.Mutex
	known  map[string]core.Execution // as of the last step
	live   []string                  // sorted
	tasks  map[string]core.Task
	agenda *agenda
	tokens map[int64]grant
	last   int64     // the greatest token so far
	jumped time.Time // when the clock last jumped, in simulated time
	steps  int
	// setBack is the latest time that the clock has shown before it was set back.
	setBack time.Time
	moves   map[string]int // how often an execution went from one state to another, by step
}

// grant is a claim that the store gave.
type grant struct{ executionID, owner string }

func newRecorder(s core.Store, w *world) *recorder {
	return &recorder{
		Store: s, w: w, known: map[string]core.Execution{}, tasks: map[string]core.Task{},
		agenda: newAgenda(w), tokens: map[int64]grant{}, moves: map[string]int{},
	}
}

// step is one call of the store that may change something.
type step struct {
	name       string
	now        time.Time
	owner      string
	executions []string // that it may touch beside the live ones
	tasks      []string // that it may touch
	leases     []core.Lease
	planned    map[string][]string // task → executions of its plan
	tokens     int64               // the greatest token before it
}

// observe does a step and looks at what it did.
func observe[T any](r *recorder, s *step, do func() (T, error)) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.now, s.tokens = core.Instant(r.w.clock.Now()), r.last
	v, err := do()
	r.look(s)
	return v, err
}

// auditEvery is how often everything is looked at, and not only what is live.
const auditEvery = 1000

// look compares what may have changed with what was known.
func (r *recorder) look(s *step) {
	ids := slices.Clone(r.live)
	if r.steps++; r.steps%auditEvery == 0 {
		ids = r.all()
	}
	ids = append(ids, s.executions...)
	started := false
	touched := map[string]bool{}
	for _, id := range ids {
		was, known := r.known[id]
		e, err := r.Store.Execution(bg(), id)
		if err != nil {
			if known {
				r.w.trace.violate([]string{id}, "execution %s has vanished (%s)", short(id), s.name)
			}
			continue
		}
		if known && same(was, e) {
			continue
		}
		r.known[id] = e
		r.follow(e)
		touched[e.TaskID] = true
		if was.Status != e.Status {
			r.moves[fmt.Sprintf("%s: %s→%s", s.name, was.Status, e.Status)]++
		}
		r.checkTransition(s, was, e, known)
		started = started || e.Status == core.StatusRunning && was.Status != core.StatusRunning
	}
	if started {
		r.checkGates()
	}
	r.lookAtTasks(s, touched)
}

// all lists the ids of all executions that are known.
func (r *recorder) all() []string { return slices.Sorted(maps.Keys(r.known)) }

// started tells how many attempts have begun.
func (r *recorder) started() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tokens)
}

// follow keeps the list of live executions.
func (r *recorder) follow(e core.Execution) {
	i, found := slices.BinarySearch(r.live, e.ID)
	switch {
	case !found && !e.Status.Final():
		r.live = slices.Insert(r.live, i, e.ID)
	case found && e.Status.Final():
		r.live = slices.Delete(r.live, i, i+1)
	}
}

// lookAtTasks compares the tasks of the step, and of executions it changed.
func (r *recorder) lookAtTasks(s *step, touched map[string]bool) {
	for _, id := range s.tasks {
		touched[id] = true
	}
	for id := range touched {
		was, known := r.tasks[id]
		t, err := r.Store.Task(bg(), id)
		if err != nil {
			delete(r.tasks, id)
			r.agenda.forget(id)
			continue
		}
		r.tasks[id] = t
		r.agenda.follow(s, was, t, known, r.executionsOf(s.planned[id]))
	}
}

func (r *recorder) executionsOf(ids []string) []core.Execution {
	var all []core.Execution
	for _, id := range ids {
		if e, ok := r.known[id]; ok {
			all = append(all, e)
		}
	}
	return all
}

// same reports whether two states of an execution are one.
func same(a, b core.Execution) bool {
	return a.Status == b.Status && a.Token == b.Token && a.Attempt == b.Attempt &&
		len(a.Attempts) == len(b.Attempts) && a.DueAt.Equal(b.DueAt) && a.LeaseUntil.Equal(b.LeaseUntil) &&
		a.CancelRequested == b.CancelRequested && (a.Awaits == nil) == (b.Awaits == nil) &&
		(a.EndTime == nil) == (b.EndTime == nil) && (a.EndTime == nil || a.EndTime.Equal(*b.EndTime))
}

// The steps.

func (r *recorder) PlanDue(ctx context.Context, limit int, decide func(time.Time, core.DueTask) core.Plan) (core.PlanReport, error) {
	s := &step{name: "plan", planned: map[string][]string{}}
	note := func(now time.Time, d core.DueTask) core.Plan {
		p := decide(now, d)
		if p.Later {
			return p
		}
		s.tasks = append(s.tasks, d.Task.ID)
		s.planned[d.Task.ID] = nil
		for _, e := range p.Executions {
			s.planned[d.Task.ID] = append(s.planned[d.Task.ID], e.ID)
			s.executions = append(s.executions, e.ID)
		}
		return p
	}
	return observe(r, s, func() (core.PlanReport, error) { return r.Store.PlanDue(ctx, limit, note) })
}

func (r *recorder) PlanBackfill(ctx context.Context, taskID string, from, to time.Time, key *core.Idempotency,
	decide func(time.Time, core.BackfillTask) (core.BackfillPlan, error),
) ([]string, error) {
	s := &step{name: "backfill", tasks: []string{taskID}, planned: map[string][]string{}}
	return observe(r, s, func() ([]string, error) {
		return r.Store.PlanBackfill(ctx, taskID, from, to, key, func(now time.Time, d core.BackfillTask) (core.BackfillPlan, error) {
			p, err := decide(now, d)
			for _, e := range p.Executions {
				s.planned[taskID] = append(s.planned[taskID], e.ID)
				s.executions = append(s.executions, e.ID)
			}
			return p, err
		})
	})
}

func (r *recorder) Judge(ctx context.Context, limit int, rule func(time.Time, core.Execution, []core.DependencyState) core.Verdict) (core.JudgeReport, error) {
	return observe(r, &step{name: "judge"}, func() (core.JudgeReport, error) { return r.Store.Judge(ctx, limit, rule) })
}

func (r *recorder) MarkQueued(ctx context.Context, marks []core.QueueMark) ([]string, error) {
	s := &step{name: "mark"}
	for _, m := range marks {
		s.executions = append(s.executions, m.ID)
	}
	return observe(r, s, func() ([]string, error) { return r.Store.MarkQueued(ctx, marks) })
}

func (r *recorder) Unqueue(ctx context.Context, ids []string) error {
	_, err := observe(r, &step{name: "unqueue", executions: ids}, func() (any, error) { return nil, r.Store.Unqueue(ctx, ids) })
	return err
}

func (r *recorder) UnqueueStale(ctx context.Context, types []string, age time.Duration, limit int) (int, error) {
	return observe(r, &step{name: "unqueue"}, func() (int, error) { return r.Store.UnqueueStale(ctx, types, age, limit) })
}

func (r *recorder) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	return observe(r, &step{name: "claim", executions: ids, owner: owner}, func() ([]core.Execution, error) {
		return r.Store.Claim(ctx, ids, owner, ttl)
	})
}

func (r *recorder) Heartbeat(ctx context.Context, leases []core.Lease, ttl time.Duration) (core.HeartbeatReport, error) {
	return observe(r, &step{name: "heartbeat", leases: leases}, func() (core.HeartbeatReport, error) {
		return r.Store.Heartbeat(ctx, leases, ttl)
	})
}

func (r *recorder) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	s := &step{name: "finish"}
	for _, c := range done {
		s.leases = append(s.leases, c.Lease)
		s.executions = append(s.executions, c.ExecutionID)
	}
	return observe(r, s, func() ([]core.Finished, error) { return r.Store.Finish(ctx, done) })
}

func (r *recorder) Reap(ctx context.Context, limit int, settle func(time.Time, *core.Execution)) ([]core.Execution, error) {
	return observe(r, &step{name: "reap"}, func() ([]core.Execution, error) { return r.Store.Reap(ctx, limit, settle) })
}

func (r *recorder) RaiseLate(ctx context.Context, limit int) (core.LateReport, error) {
	return observe(r, &step{name: "late"}, func() (core.LateReport, error) { return r.Store.RaiseLate(ctx, limit) })
}

func (r *recorder) CreateTask(ctx context.Context, t core.Task, key *core.Idempotency) (core.Task, error) {
	return observe(r, &step{name: "create", tasks: []string{t.ID}}, func() (core.Task, error) { return r.Store.CreateTask(ctx, t, key) })
}

func (r *recorder) UpdateTask(ctx context.Context, id string, version int64, change func(time.Time, core.Task) (core.Task, error)) (core.Task, error) {
	return observe(r, &step{name: "update", tasks: []string{id}}, func() (core.Task, error) { return r.Store.UpdateTask(ctx, id, version, change) })
}

func (r *recorder) DeleteTask(ctx context.Context, id string, version int64) ([]string, error) {
	return observe(r, &step{name: "delete", tasks: []string{id}}, func() ([]string, error) { return r.Store.DeleteTask(ctx, id, version) })
}

func (r *recorder) UpdateSchedule(ctx context.Context, id string, version int64,
	change func(time.Time, core.Schedule) (core.Schedule, error),
	retime func(time.Time, core.Schedule, core.Task) (core.Task, error),
) (core.Schedule, error) {
	s := &step{name: "update schedule"}
	note := func(now time.Time, sc core.Schedule, t core.Task) (core.Task, error) {
		s.tasks = append(s.tasks, t.ID)
		return retime(now, sc, t)
	}
	return observe(r, s, func() (core.Schedule, error) { return r.Store.UpdateSchedule(ctx, id, version, change, note) })
}

func (r *recorder) CreateExecution(ctx context.Context, e core.Execution, key *core.Idempotency) (core.Execution, []string, error) {
	s := &step{name: "submit", executions: []string{e.ID}}
	made, err := observe(r, s, func() (made submitted, err error) {
		made.execution, made.running, err = r.Store.CreateExecution(ctx, e, key)
		return made, err
	})
	return made.execution, made.running, err
}

func (r *recorder) Cancel(ctx context.Context, c core.Cancellation) (core.CancelReport, error) {
	s := &step{name: "cancel"}
	if c.TaskID != "" {
		s.tasks = []string{c.TaskID}
	}
	return observe(r, s, func() (core.CancelReport, error) { return r.Store.Cancel(ctx, c) })
}

// executed reports whether a nominal time of a task has succeeded or is about
// to run.
func (r *recorder) executed(taskID string, nominal time.Time) bool {
	for _, e := range r.known {
		if e.TaskID == taskID && e.NominalTime.Equal(nominal) && (e.Status == core.StatusSucceeded || !e.Status.Final()) {
			return true
		}
	}
	return false
}
