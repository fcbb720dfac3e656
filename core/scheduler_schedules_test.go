package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func hourly() core.Timing { return core.Timing{CronExpression: "0 * * * *"} }

func TestATaskTakesTheTimingOfItsSchedule(t *testing.T) {
	w := newWorld(t)
	sc := w.schedule(hourly())
	task := w.create(following(sc))
	require.Equal(t, sc.Timing, task.Timing)
	require.Equal(t, later(time.Hour), *task.NextRun)

	_, err := w.CreateTask(w.ctx, w.spec(following(sc), cron("@daily")), nil)
	requireFields(t, core.CodeValidationFailed, []string{"/scheduleId"}, err)
	_, err = w.CreateTask(w.ctx, w.spec(func(s *core.TaskSpec) { s.ScheduleID = new(core.NewID()) }), nil)
	requireFields(t, core.CodeValidationFailed, []string{"/scheduleId"}, err)
	_, err = w.CreateTask(w.ctx, w.spec(func(s *core.TaskSpec) { s.ScheduleID = new("shared") }), nil)
	requireFields(t, core.CodeValidationFailed, []string{"/scheduleId"}, err)
}

func TestASharedIntervalCountsFromTheSchedule(t *testing.T) {
	w := newWorld(t)
	sc := w.schedule(core.Timing{IntervalMs: core.MillisOf(time.Hour)})
	w.clock.now = later(20 * time.Minute)
	require.Equal(t, later(time.Hour), *w.create(following(sc)).NextRun)
}

func TestUpdateScheduleRetimesItsTasks(t *testing.T) {
	w := newWorld(t)
	sc := w.schedule(hourly())
	task, paused, other := w.create(following(sc)), w.create(following(sc), disabled), w.create(cron("0 * * * *"))
	updated, err := w.UpdateSchedule(w.ctx, sc.ID, sc.Version, core.ScheduleSpec{Name: "shared", Timing: core.Timing{CronExpression: "30 * * * *"}})
	require.NoError(t, err)
	require.Equal(t, int64(2), updated.Version)
	got := w.task(task.ID)
	require.Equal(t, "30 * * * *", got.CronExpression)
	require.Equal(t, later(30*time.Minute), *got.NextRun)
	require.Greater(t, got.Version, task.Version, "who read the old timing must look again")
	require.Equal(t, "30 * * * *", w.task(paused.ID).CronExpression)
	require.Nil(t, w.task(paused.ID).NextRun, "a disabled task stays off the clock")
	require.Equal(t, other, w.task(other.ID))
}

func TestAScheduleThatATaskCannotFollowChangesNothing(t *testing.T) {
	w := newWorld(t)
	sc := w.schedule(hourly())
	ran, fresh := w.create(following(sc)), w.create(following(sc), disabled)
	w.plan(later(time.Hour))
	spec := w.spec(following(sc))
	fresh, err := w.UpdateTask(w.ctx, fresh.ID, core.AnyVersion, spec)
	require.NoError(t, err)
	ran = w.task(ran.ID)

	w.clock.now = later(90 * time.Minute)
	past := later(time.Hour)
	_, err = w.UpdateSchedule(w.ctx, sc.ID, core.AnyVersion, core.ScheduleSpec{Name: "over", Timing: core.Timing{CronExpression: "0 * * * *", EndAt: &past}})
	require.Equal(t, core.CodeConflict, core.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, fresh.ID, "the task that has never run")
	require.ErrorContains(t, err, "/endAt: leaves no occurrence")
	now, err := w.Schedule(w.ctx, sc.ID)
	require.NoError(t, err)
	require.Equal(t, sc, now)
	require.Equal(t, ran, w.task(ran.ID))
	require.Equal(t, fresh, w.task(fresh.ID))
}

func TestAScheduleOfTasksThatHaveRunMayEnd(t *testing.T) {
	w := newWorld(t)
	sc := w.schedule(hourly())
	task := w.create(following(sc))
	w.plan(later(time.Hour))
	past := later(time.Hour)
	_, err := w.UpdateSchedule(w.ctx, sc.ID, core.AnyVersion, core.ScheduleSpec{Name: "over", Timing: core.Timing{CronExpression: "0 * * * *", EndAt: &past}})
	require.NoError(t, err)
	require.Nil(t, w.task(task.ID).NextRun)
}

// TestAnOverdueOccurrenceSurvivesARename: only the planner may decide about an
// occurrence that has come due.
func TestAnOverdueOccurrenceSurvivesARename(t *testing.T) {
	w := newWorld(t)
	sc := w.schedule(hourly())
	w.create(following(sc))
	w.clock.now = later(61 * time.Minute) // due, and not planned yet
	_, err := w.UpdateSchedule(w.ctx, sc.ID, core.AnyVersion, core.ScheduleSpec{Name: "renamed", Timing: hourly()})
	require.NoError(t, err)
	require.Equal(t, []time.Time{later(time.Hour)}, nominalsOf(w.plan(later(61*time.Minute))))
}

func TestRefusedSchedules(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		name  string
		spec  core.ScheduleSpec
		code  core.Code
		field string
	}{
		{"no name", core.ScheduleSpec{Timing: hourly()}, core.CodeValidationFailed, "/name"},
		{"manual", core.ScheduleSpec{Name: "x"}, core.CodeValidationFailed, "/scheduleType"},
		{"dependency", core.ScheduleSpec{Name: "x", Timing: core.Timing{ScheduleType: core.ScheduleDependency}}, core.CodeValidationFailed, "/scheduleType"},
		{"never", core.ScheduleSpec{Name: "x", Timing: core.Timing{CronExpression: "0 0 30 2 *"}}, core.CodeInvalidSchedule, "/cronExpression"},
		{"too often", core.ScheduleSpec{Name: "x", Timing: core.Timing{IntervalMs: 10}}, core.CodeInvalidSchedule, "/intervalMs"},
		{"unknown calendar", core.ScheduleSpec{Name: "x", Timing: core.Timing{CronExpression: "@daily", Calendars: []string{"none"}}}, core.CodeInvalidSchedule, "/calendars/0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.CreateSchedule(w.ctx, tc.spec, nil)
			requireFields(t, tc.code, []string{tc.field}, err)
			sc := w.schedule(hourly())
			_, err = w.UpdateSchedule(w.ctx, sc.ID, sc.Version, tc.spec)
			requireFields(t, tc.code, []string{tc.field}, err)
		})
	}
}

func TestAScheduleInUseStays(t *testing.T) {
	w := newWorld(t)
	sc := w.schedule(hourly())
	task := w.create(following(sc))
	require.Equal(t, core.CodeConflict, core.CodeOf(w.DeleteSchedule(w.ctx, sc.ID, core.AnyVersion)))
	require.NoError(t, w.DeleteTask(w.ctx, task.ID, core.AnyVersion))
	require.Equal(t, core.CodePreconditionFailed, core.CodeOf(w.DeleteSchedule(w.ctx, sc.ID, 9)))
	require.NoError(t, w.DeleteSchedule(w.ctx, sc.ID, sc.Version))
	_, err := w.UpdateSchedule(w.ctx, sc.ID, core.AnyVersion, core.ScheduleSpec{Name: "x", Timing: hourly()})
	require.Equal(t, core.CodeNotFound, core.CodeOf(err))
}
