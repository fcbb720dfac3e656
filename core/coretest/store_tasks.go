package coretest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) tasks(t *testing.T) {
	s.run(t, "a task comes back with every field", taskRoundTrip)
	s.run(t, "a task without optional fields comes back as it was", bareTaskRoundTrip)
	s.run(t, "what is returned and what was given are copies", taskCopies)
	s.run(t, "an update is what change makes of the stored task", updateTask)
	s.run(t, "an update may clear every optional field", updateTaskClears)
	s.run(t, "an update of another version changes nothing", updateTaskVersion)
	s.run(t, "an error of change is returned and changes nothing", updateTaskError)
	s.run(t, "unknown tasks are not found", unknownTasks)
	s.run(t, "concurrent updates are not lost", concurrentUpdates)
	s.run(t, "of concurrent updates of one version one wins", concurrentVersions)
	s.run(t, "a deleted task is gone and its history stays", deleteTask)
	s.run(t, "a task of another version is not deleted", deleteTaskVersion)
}

func taskRoundTrip(f *fixture) {
	sc, err := f.CreateSchedule(f.Context(), Schedule(), nil)
	require.NoError(f, err)
	want := fullTask(sc.ID, f.putTask().ID)
	requireFilled(f, want)

	created, err := f.CreateTask(f.Context(), want, nil)
	require.NoError(f, err)
	requireSameTask(f, want, created)
	requireSameTask(f, want, f.getTask(want.ID))
}

func bareTaskRoundTrip(f *fixture) {
	want := Task()
	_, err := f.CreateTask(f.Context(), want, nil)
	require.NoError(f, err)
	requireSameTask(f, want, f.getTask(want.ID))
}

func taskCopies(f *fixture) {
	sc, err := f.CreateSchedule(f.Context(), Schedule(), nil)
	require.NoError(f, err)
	dependency := f.putTask().ID
	given := fullTask(sc.ID, dependency)
	want := fullTask(sc.ID, dependency)
	want.ID = given.ID
	scribble := func(t core.Task) {
		*t.RunAt, *t.NextRun, *t.Plan.NextNominal, *t.ScheduleID = Epoch(), Epoch(), Epoch(), "scribble"
		t.Labels["team"], t.Calendars[0], t.Data[2] = "scribble", "scribble", '!'
		t.RateLimit.Limit, t.ExecutionWindows[0].Start, t.ExecutionWindows[0].Days[0] = 0, "scribble", "scribble"
	}
	created, err := f.CreateTask(f.Context(), given, nil)
	require.NoError(f, err)
	scribble(given)
	scribble(created)
	scribble(f.getTask(want.ID))
	list, err := f.Tasks(f.Context(), core.TaskFilter{}, core.Page{Limit: 10})
	require.NoError(f, err)
	scribble(list[0])
	requireSameTask(f, want, f.getTask(want.ID))
}

func updateTask(f *fixture) {
	old := f.putTask()
	now := f.clock.Advance(90 * time.Second)
	changed, err := f.UpdateTask(f.Context(), old.ID, old.Version, func(at time.Time, t core.Task) (core.Task, error) {
		require.Equal(f, now, at)
		requireSameTask(f, old, t)
		t.Name, t.Labels = "renamed", map[string]string{"team": "y"}
		t.ID, t.Version, t.CreatedAt, t.UpdatedAt = core.NewID(), 99, now, Epoch() // not the caller's to change
		return DueAt(t, now.Add(time.Hour)), nil
	})
	require.NoError(f, err)

	want := DueAt(old, now.Add(time.Hour))
	want.Name, want.Labels = "renamed", map[string]string{"team": "y"}
	want.Version, want.UpdatedAt = old.Version+1, now
	requireSameTask(f, want, changed)
	requireSameTask(f, want, f.getTask(old.ID))
}

func updateTaskClears(f *fixture) {
	sc, err := f.CreateSchedule(f.Context(), Schedule(), nil)
	require.NoError(f, err)
	full := f.putBuiltTask(fullTask(sc.ID, f.putTask().ID))
	bare := Task()
	_, err = f.UpdateTask(f.Context(), full.ID, core.AnyVersion, func(_ time.Time, t core.Task) (core.Task, error) {
		t.TaskSpec, t.NextRun, t.LastRun, t.PauseReason, t.Plan = bare.TaskSpec, nil, nil, nil, core.PlanState{}
		return t, nil
	})
	require.NoError(f, err)

	bare.ID, bare.CreatedAt, bare.UpdatedAt, bare.Version = full.ID, full.CreatedAt, f.clock.Now(), full.Version+1
	requireSameTask(f, bare, f.getTask(full.ID))
}

func updateTaskVersion(f *fixture) {
	old := f.putTask()
	_, err := f.UpdateTask(f.Context(), old.ID, old.Version+1, rename("wrong"))
	requireCode(f, core.CodePreconditionFailed, err)
	requireSameTask(f, old, f.getTask(old.ID))

	_, err = f.UpdateTask(f.Context(), old.ID, core.AnyVersion, rename("any"))
	require.NoError(f, err)
	_, err = f.UpdateTask(f.Context(), old.ID, old.Version, rename("stale"))
	requireCode(f, core.CodePreconditionFailed, err)
	require.Equal(f, "any", f.getTask(old.ID).Name)
}

func updateTaskError(f *fixture) {
	old := f.putTask()
	refusal := errors.New("refused")
	_, err := f.UpdateTask(f.Context(), old.ID, old.Version, func(_ time.Time, t core.Task) (core.Task, error) {
		t.Name = "half done"
		return t, refusal
	})
	require.Equal(f, refusal, err)
	requireSameTask(f, old, f.getTask(old.ID))
}

func unknownTasks(f *fixture) {
	f.putTask()
	_, err := f.Task(f.Context(), core.NewID())
	requireCode(f, core.CodeNotFound, err)
	_, err = f.Task(f.Context(), "no uuid")
	requireCode(f, core.CodeNotFound, err)
	_, err = f.UpdateTask(f.Context(), core.NewID(), 1, rename("nobody"))
	requireCode(f, core.CodeNotFound, err)
	_, err = f.DeleteTask(f.Context(), core.NewID(), core.AnyVersion)
	requireCode(f, core.CodeNotFound, err)
}

func concurrentUpdates(f *fixture) {
	const writers, each = 8, 5
	old := f.putTask()
	var g errgroup.Group
	for w := range writers {
		g.Go(func() error {
			for i := range each {
				_, err := f.UpdateTask(f.Context(), old.ID, core.AnyVersion, label(fmt.Sprintf("w%d-%d", w, i)))
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(f, g.Wait())
	got := f.getTask(old.ID)
	require.Len(f, got.Labels, writers*each, "updates were lost")
	require.Equal(f, old.Version+writers*each, got.Version)
}

func concurrentVersions(f *fixture) {
	old := f.putTask()
	errs := make([]error, 8)
	together(len(errs), func(i int) {
		_, errs[i] = f.UpdateTask(f.Context(), old.ID, old.Version, rename(fmt.Sprint("writer ", i)))
	})
	wins := 0
	for i, err := range errs {
		if err == nil {
			wins++
			require.Equal(f, fmt.Sprint("writer ", i), f.getTask(old.ID).Name)
			continue
		}
		requireCode(f, core.CodePreconditionFailed, err)
	}
	require.Equal(f, 1, wins)
}

func deleteTask(f *fixture) {
	task := f.putDueTask(Epoch(), Overlap(core.OverlapAllow))
	finished := f.putFinished(task)
	running := f.start(f.put(task))[0]
	pending, queued := f.put(task), f.put(task)
	f.mark(queued)
	bystander := f.putFree()
	now := f.clock.Advance(time.Minute)

	asked, err := f.DeleteTask(f.Context(), task.ID, task.Version)
	require.NoError(f, err)
	require.Equal(f, []string{running.ID}, asked)
	_, err = f.Task(f.Context(), task.ID)
	requireCode(f, core.CodeNotFound, err)
	for _, e := range []core.Execution{pending, queued} {
		requireCancelled(f, f.get(e.ID), "task deleted", now)
	}
	require.True(f, f.get(running.ID).CancelRequested)
	requireSameExecution(f, finished, f.get(finished.ID))
	requireSameExecution(f, bystander, f.get(bystander.ID))
	require.Zero(f, f.planDue(10, planNothing).Tasks, "a deleted task is planned")

	last := f.settle(f.get(running.ID), succeed) // what runs may still end
	require.Equal(f, core.StatusSucceeded, last.Status)
}

func deleteTaskVersion(f *fixture) {
	task := f.putTask()
	e := f.put(task)
	_, err := f.DeleteTask(f.Context(), task.ID, task.Version+1)
	requireCode(f, core.CodePreconditionFailed, err)
	requireSameTask(f, task, f.getTask(task.ID))
	requireSameExecution(f, e, f.get(e.ID))

	_, err = f.DeleteTask(f.Context(), task.ID, core.AnyVersion)
	require.NoError(f, err)
}

func rename(name string) func(time.Time, core.Task) (core.Task, error) {
	return func(_ time.Time, t core.Task) (core.Task, error) {
		t.Name = name
		return t, nil
	}
}

func label(name string) func(time.Time, core.Task) (core.Task, error) {
	return func(_ time.Time, t core.Task) (core.Task, error) {
		t.Labels[name] = ""
		return t, nil
	}
}
