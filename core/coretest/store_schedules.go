package coretest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) schedules(t *testing.T) {
	s.run(t, "a schedule comes back with every field", scheduleRoundTrip)
	s.run(t, "an update re-times every task that uses the schedule", updateSchedule)
	s.run(t, "an update of another version changes nothing", updateScheduleVersion)
	s.run(t, "an error of change or retime changes nothing", updateScheduleError)
	s.run(t, "a schedule in use is not deleted", deleteSchedule)
	s.run(t, "unknown schedules are not found", unknownSchedules)
	s.run(t, "schedules are listed newest first, in pages", schedulePages)
}

func (f *fixture) putSchedule() core.Schedule {
	f.Helper()
	sc, err := f.CreateSchedule(f.Context(), Schedule(), nil)
	require.NoError(f, err)
	return sc
}

// using is an option of Task: its shared schedule.
func using(sc core.Schedule) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.ScheduleID = &sc.ID }
}

func keepSchedule(_ time.Time, sc core.Schedule) (core.Schedule, error) { return sc, nil }

func keepTask(_ time.Time, _ core.Schedule, t core.Task) (core.Task, error) { return t, nil }

func scheduleRoundTrip(f *fixture) {
	want := fullSchedule()
	requireFilled(f, want)
	created, err := f.CreateSchedule(f.Context(), want, nil)
	require.NoError(f, err)
	require.Equal(f, want, created)
	got, err := f.Schedule(f.Context(), want.ID)
	require.NoError(f, err)
	require.Equal(f, want, got)
}

func updateSchedule(f *fixture) {
	sc, other := f.putSchedule(), f.putSchedule()
	first, second := f.putTask(using(sc)), f.putDueTask(Epoch().Add(time.Hour), using(sc))
	apart, own := f.putTask(using(other)), f.putTask()
	now := f.clock.Advance(time.Minute)

	changed, err := f.UpdateSchedule(f.Context(), sc.ID, sc.Version,
		func(at time.Time, s core.Schedule) (core.Schedule, error) {
			require.Equal(f, now, at)
			require.Equal(f, sc, s)
			s.IntervalMs = 5000
			return s, nil
		},
		func(at time.Time, s core.Schedule, t core.Task) (core.Task, error) {
			require.Equal(f, now, at)
			require.EqualValues(f, 5000, s.IntervalMs, "retime sees the old schedule")
			t.Timing = s.Timing
			return DueAt(t, at.Add(s.IntervalMs.Duration())), nil
		})
	require.NoError(f, err)
	want := sc
	want.IntervalMs, want.Version, want.UpdatedAt = 5000, sc.Version+1, now
	require.Equal(f, want, changed)
	stored, err := f.Schedule(f.Context(), sc.ID)
	require.NoError(f, err)
	require.Equal(f, want, stored)

	for _, id := range []string{first.ID, second.ID} {
		got := f.getTask(id)
		require.Equal(f, want.Timing, got.Timing)
		require.NotNil(f, got.NextRun)
		require.Equal(f, now.Add(5*time.Second), *got.NextRun)
		require.Equal(f, first.Version+1, got.Version, "who computed from the old timing must look again")
		require.Equal(f, now, got.UpdatedAt)
	}
	requireSameTask(f, apart, f.getTask(apart.ID))
	requireSameTask(f, own, f.getTask(own.ID))
	f.clock.Advance(5 * time.Second)
	require.Equal(f, 2, f.planDue(10, planNothing).Tasks, "the planner does not see the new times")
}

func updateScheduleVersion(f *fixture) {
	sc := f.putSchedule()
	task := f.putTask(using(sc))
	_, err := f.UpdateSchedule(f.Context(), sc.ID, sc.Version+1, keepSchedule, keepTask)
	requireCode(f, core.CodePreconditionFailed, err)
	requireSameTask(f, task, f.getTask(task.ID))

	_, err = f.UpdateSchedule(f.Context(), sc.ID, core.AnyVersion, keepSchedule, keepTask)
	require.NoError(f, err)
	_, err = f.UpdateSchedule(f.Context(), sc.ID, sc.Version, keepSchedule, keepTask)
	requireCode(f, core.CodePreconditionFailed, err)
	requireCode(f, core.CodePreconditionFailed, f.DeleteSchedule(f.Context(), sc.ID, sc.Version))
}

func updateScheduleError(f *fixture) {
	sc := f.putSchedule()
	tasks := []core.Task{f.putTask(using(sc)), f.putTask(using(sc)), f.putTask(using(sc))}
	refusal := errors.New("refused")
	slower := func(_ time.Time, s core.Schedule) (core.Schedule, error) {
		s.IntervalMs *= 2
		return s, nil
	}
	calls := 0
	refuseLast := func(now time.Time, _ core.Schedule, t core.Task) (core.Task, error) {
		if calls++; calls == len(tasks) {
			return t, refusal
		}
		return DueAt(t, now), nil
	}
	_, err := f.UpdateSchedule(f.Context(), sc.ID, sc.Version, slower, refuseLast)
	require.Equal(f, refusal, err)
	_, err = f.UpdateSchedule(f.Context(), sc.ID, sc.Version,
		func(_ time.Time, s core.Schedule) (core.Schedule, error) { return s, refusal }, keepTask)
	require.Equal(f, refusal, err)

	got, err := f.Schedule(f.Context(), sc.ID)
	require.NoError(f, err)
	require.Equal(f, sc, got)
	for _, task := range tasks {
		requireSameTask(f, task, f.getTask(task.ID))
	}
}

func deleteSchedule(f *fixture) {
	sc := f.putSchedule()
	task := f.putTask(using(sc))
	requireCode(f, core.CodeConflict, f.DeleteSchedule(f.Context(), sc.ID, sc.Version))
	_, err := f.Schedule(f.Context(), sc.ID)
	require.NoError(f, err)

	_, err = f.DeleteTask(f.Context(), task.ID, core.AnyVersion)
	require.NoError(f, err)
	require.NoError(f, f.DeleteSchedule(f.Context(), sc.ID, sc.Version))
	_, err = f.Schedule(f.Context(), sc.ID)
	requireCode(f, core.CodeNotFound, err)
}

func unknownSchedules(f *fixture) {
	f.putSchedule()
	_, err := f.Schedule(f.Context(), core.NewID())
	requireCode(f, core.CodeNotFound, err)
	_, err = f.UpdateSchedule(f.Context(), core.NewID(), core.AnyVersion, keepSchedule, keepTask)
	requireCode(f, core.CodeNotFound, err)
	requireCode(f, core.CodeNotFound, f.DeleteSchedule(f.Context(), core.NewID(), core.AnyVersion))
}

func schedulePages(f *fixture) {
	list := func(p core.Page) (ids []string) {
		schedules, err := f.Schedules(f.Context(), p)
		require.NoError(f, err)
		for _, sc := range schedules {
			ids = append(ids, sc.ID)
		}
		return ids
	}
	require.Empty(f, list(core.Page{Limit: 10}))
	var want []string
	for range 5 {
		want = append(want, f.putSchedule().ID)
	}
	slices.Reverse(want)
	require.Equal(f, want, list(core.Page{Limit: 10}))

	got := list(core.Page{Limit: 2})
	f.putSchedule() // newer than what the next pages show
	for len(got) < len(want) {
		next := list(core.Page{Limit: 2, After: got[len(got)-1]})
		require.NotEmpty(f, next)
		got = append(got, next...)
	}
	require.Equal(f, want, got)
}
