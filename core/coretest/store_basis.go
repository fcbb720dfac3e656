package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) basis(t *testing.T) {
	s.run(t, "a task is written while its schedule is as it was read", basisSchedule)
	s.run(t, "a task is written while its calendars are as they were read", basisCalendar)
}

// onBasisOf gives a task the basis it was computed from.
func onBasisOf(t core.Task, set core.CalendarSet) core.Task {
	t.Basis = &core.Basis{Calendars: set}
	return t
}

func basisSchedule(f *fixture) {
	sc := f.putSchedule()
	task := onBasisOf(Task(using(sc), func(s *core.TaskSpec) { s.Timing = sc.Timing }), core.CalendarSet{})
	stored, err := f.CreateTask(f.Context(), task, nil)
	require.NoError(f, err)
	require.Nil(f, stored.Basis)
	_, err = f.UpdateSchedule(f.Context(), sc.ID, core.AnyVersion,
		func(_ time.Time, s core.Schedule) (core.Schedule, error) { s.IntervalMs *= 2; return s, nil }, keepTask)
	require.NoError(f, err)

	late := task
	late.ID = core.NewID()
	_, err = f.CreateTask(f.Context(), late, nil)
	require.ErrorIs(f, err, core.ErrBasisChanged)
	_, err = f.UpdateTask(f.Context(), task.ID, core.AnyVersion, func(_ time.Time, t core.Task) (core.Task, error) {
		t.Timing = sc.Timing
		return onBasisOf(t, core.CalendarSet{}), nil
	})
	require.ErrorIs(f, err, core.ErrBasisChanged)
	own := f.putTask()
	require.NoError(f, f.deleteTask(task.ID))
	require.NoError(f, f.DeleteSchedule(f.Context(), sc.ID, core.AnyVersion))
	_, err = f.UpdateTask(f.Context(), own.ID, core.AnyVersion, func(_ time.Time, t core.Task) (core.Task, error) {
		t.ScheduleID, t.Timing = &sc.ID, sc.Timing
		return onBasisOf(t, core.CalendarSet{}), nil
	})
	require.ErrorIs(f, err, core.ErrBasisChanged, "the schedule is gone")
}

// deleteTask deletes a task.
func (f *fixture) deleteTask(id string) error {
	_, err := f.DeleteTask(f.Context(), id, core.AnyVersion)
	return err
}

func basisCalendar(f *fixture) {
	f.putCalendar("a")
	set, err := f.CalendarSet(f.Context(), []string{"a"})
	require.NoError(f, err)
	task := func() core.Task { return onBasisOf(Task(Observing("a")), set) }
	stored, err := f.CreateTask(f.Context(), task(), nil)
	require.NoError(f, err)
	_, err = f.UpdateCalendar(f.Context(), "a", core.AnyVersion,
		func(_ time.Time, c core.Calendar) (core.Calendar, error) { c.Weekdays = []string{"MON"}; return c, nil }, keepObserver)
	require.NoError(f, err)
	_, err = f.CreateTask(f.Context(), task(), nil)
	require.ErrorIs(f, err, core.ErrBasisChanged)
	require.NoError(f, f.deleteTask(stored.ID))
	require.NoError(f, f.DeleteCalendar(f.Context(), "a", core.AnyVersion))
	_, err = f.CreateTask(f.Context(), task(), nil)
	require.ErrorIs(f, err, core.ErrBasisChanged, "the calendar is gone")
}
