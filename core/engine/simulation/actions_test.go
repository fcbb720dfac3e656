package simulation

import (
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// users ask the API for things, and remember what it promised.
type users struct {
	w         *world
	dice      *dice
	scheduler *core.Scheduler
	promises  *promises
	schedule  string // the shared one
	made      int    // tasks so far
	keys      int    // idempotency keys so far
	tasks     []string
	asked     []string // executions asked for
}

func newUsers(w *world) *users {
	u := &users{w: w, dice: w.source.of("users"), promises: newPromises(w)}
	u.scheduler = w.scheduler(newLink(w, "api"))
	spec := core.ScheduleSpec{Name: "shared", Timing: core.Timing{IntervalMs: 20_000}}
	for u.schedule == "" {
		s, err := u.scheduler.CreateSchedule(bg(), spec, nil)
		if err == nil {
			u.schedule = s.ID
		}
	}
	return u
}

const maxTasks = 20

// act does one random thing.
func (u *users) act() {
	if len(u.tasks) < 3 {
		u.create()
		return
	}
	id := u.tasks[u.dice.below(len(u.tasks))]
	switch n := u.dice.below(100); {
	case n < 15 && len(u.tasks) < maxTasks:
		u.create()
	case n < 30:
		u.update(id)
	case n < 37:
		u.pause(id)
	case n < 45:
		u.resume(id)
	case n < 65:
		u.execute(id)
	case n < 75:
		u.retry()
	case n < 80:
		u.cancel(id)
	case n < 85:
		u.cancelOne()
	case n < 91:
		u.delete(id)
	case n < 95:
		u.backfill(id)
	case n < 98:
		u.reschedule()
	}
}

// unsure reports whether an operation may have happened although it failed.
func (u *users) unsure(err error) bool {
	if err == nil || errors.Is(err, core.ErrReplayed) {
		return false
	}
	if _, clear := errors.AsType[*core.Error](err); clear {
		if core.CodeOf(err) == core.CodeInternal {
			u.w.trace.violate(nil, "the API has failed: %v", err)
		}
		return false
	}
	return true
}

func (u *users) key() *core.Idempotency {
	u.keys++
	return &core.Idempotency{Key: fmt.Sprint("key ", u.keys), Fingerprint: "same"}
}

// create makes a task and asks again until it knows that it did, under one key.
func (u *users) create() {
	u.made++
	name, key := nameOf(u.made), u.key()
	spec := drawSpec(u.dice, u.scheduler.NewSpec(), name, u.w.clock.Now(), u.tasks)
	if spec.IntervalMs > 0 && u.dice.chance(0.2) {
		spec.Timing, spec.ScheduleID = core.Timing{}, &u.schedule
	}
	for {
		t, err := u.scheduler.CreateTask(bg(), spec, key)
		if u.unsure(err) {
			time.Sleep(u.dice.between(0, 20*time.Second))
			continue
		}
		if err == nil || errors.Is(err, core.ErrReplayed) {
			u.tasks = append(u.tasks, t.ID)
			u.promises.created(t)
		}
		return
	}
}

// update changes some part of a task.
func (u *users) update(id string) {
	t, err := u.w.store.Task(bg(), id)
	if err != nil {
		return
	}
	spec := t.TaskSpec
	switch u.dice.below(5) {
	case 0:
		if spec.ScheduleID == nil {
			drawTiming(u.dice, &spec, u.w.clock.Now(), len(spec.DependsOn) > 0)
		}
	case 1:
		drawPolicy(u.dice, &spec)
	case 2, 3:
		spec.Enabled = !spec.Enabled || u.dice.chance(0.5)
	}
	spec.Description = fmt.Sprint("revision ", u.w.steps.Load())
	_, err = u.scheduler.UpdateTask(bg(), id, core.AnyVersion, spec)
	u.promises.described(id, spec.Description, err, u.unsure(err))
}

func (u *users) pause(id string) {
	_, err := u.scheduler.PauseTask(bg(), id, "simulated")
	u.promises.paused(id, true, err, u.unsure(err))
}

func (u *users) resume(id string) {
	_, err := u.scheduler.ResumeTask(bg(), id)
	u.promises.paused(id, false, err, u.unsure(err))
}

// execute asks for an execution, sometimes twice at once under one key.
func (u *users) execute(id string) {
	if !u.dice.chance(0.3) {
		e, err := u.scheduler.Execute(bg(), id, nil)
		u.submitted(e, err)
		return
	}
	key := u.key()
	answers := make(chan submitted, 2)
	for range 2 {
		go func() {
			e, err := u.scheduler.Execute(bg(), id, key)
			if err != nil && !errors.Is(err, core.ErrReplayed) {
				e = core.Execution{}
			}
			answers <- submitted{execution: e}
		}()
	}
	a, b := (<-answers).execution, (<-answers).execution
	if a.ID != "" && b.ID != "" && a.ID != b.ID {
		u.w.trace.violate([]string{a.ID, b.ID}, "one key made two executions, %s and %s", short(a.ID), short(b.ID))
	}
	u.remember(a.ID)
	u.remember(b.ID)
}

func (u *users) submitted(e core.Execution, err error) {
	if !u.unsure(err) && (err == nil || errors.Is(err, core.ErrReplayed)) {
		u.remember(e.ID)
	}
}

func (u *users) remember(id string) {
	if id != "" {
		u.asked = append(u.asked, id)
		u.promises.executions[id] = true
	}
}

// retry retries one of the last executions, whatever became of it.
func (u *users) retry() {
	all, err := u.w.store.Executions(bg(), core.ExecutionFilter{}, core.Page{Limit: 30})
	if err != nil || len(all) == 0 {
		return
	}
	e, err := u.scheduler.Retry(bg(), all[u.dice.below(len(all))].ID, nil)
	u.submitted(e, err)
}

func (u *users) cancel(id string) {
	_, err := u.scheduler.CancelTask(bg(), id)
	u.unsure(err)
}

func (u *users) cancelOne() {
	all, err := u.w.store.Executions(bg(), core.ExecutionFilter{}, core.Page{Limit: 10})
	if err != nil || len(all) == 0 {
		return
	}
	id := all[u.dice.below(len(all))].ID
	_, err = u.scheduler.CancelExecution(bg(), id)
	u.unsure(err)
}

// delete removes a task.
func (u *users) delete(id string) {
	err := u.scheduler.DeleteTask(bg(), id, core.AnyVersion)
	unsure := u.unsure(err)
	u.promises.deleted(id, err, unsure)
	if err == nil || unsure {
		for i := range u.tasks {
			if u.tasks[i] == id {
				u.tasks = append(u.tasks[:i], u.tasks[i+1:]...)
				break
			}
		}
	}
}

// backfill asks for the last minutes again.
func (u *users) backfill(id string) {
	now := u.w.clock.Now()
	report, err := u.scheduler.Backfill(bg(), id, core.BackfillRequest{
		From: now.Add(-u.dice.between(time.Minute, 5*time.Minute)), To: now.Add(-time.Second),
		Overlap:   pick(u.dice, core.OverlapQueueAll, core.OverlapSkip, core.OverlapQueue),
		PerMinute: 600,
	}, nil)
	u.unsure(err)
	for _, o := range report.Occurrences {
		u.remember(o.ExecutionID)
	}
}

// reschedule changes the shared schedule under all its tasks.
func (u *users) reschedule() {
	spec := core.ScheduleSpec{Name: "shared", Timing: core.Timing{IntervalMs: core.Millis(u.dice.below(60_000) + 5000)}}
	_, err := u.scheduler.UpdateSchedule(bg(), u.schedule, core.AnyVersion, spec)
	u.unsure(err)
}
