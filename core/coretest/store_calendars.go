package coretest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

func (s storeSuite) calendars(t *testing.T) {
	s.run(t, "a calendar comes back with every field", calendarRoundTrip)
	s.run(t, "a name is taken once", calendarName)
	s.run(t, "an update re-times every task that names the calendar", updateCalendar)
	s.run(t, "an update of another version, or with an error, changes nothing", updateCalendarError)
	s.run(t, "a calendar in use is not deleted", deleteCalendar)
	s.run(t, "unknown calendars are not found", unknownCalendars)
	s.run(t, "calendars are listed newest first, in pages", calendarPages)
	s.run(t, "the planner gets the calendars of due tasks", plannerCalendars)
	s.run(t, "due tasks are counted", countDue)
}

// Calendar returns a valid calendar that excludes Saturdays.
func Calendar(name string) core.Calendar {
	return core.NewCalendar(core.CalendarSpec{Name: name, Weekdays: []string{"SAT"}}, Epoch())
}

// Observing is an option of Task: the calendars it names.
func Observing(names ...string) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.Calendars = names }
}

func (f *fixture) putCalendar(name string) core.Calendar {
	f.Helper()
	c, err := f.CreateCalendar(f.Context(), Calendar(name), nil)
	require.NoError(f, err)
	return c
}

func keepCalendar(_ time.Time, c core.Calendar) (core.Calendar, error) { return c, nil }

func keepObserver(_ time.Time, _ core.CalendarSet, t core.Task) (core.Task, error) { return t, nil }

func calendarRoundTrip(f *fixture) {
	want := core.Calendar{
		ID: core.NewID(),
		CalendarSpec: core.CalendarSpec{
			Name: "de-holidays", Description: "Feiertage", Dates: []string{"2026-04-03"}, Yearly: []string{"12-25"},
			Weekdays: []string{"SUN"}, Ranges: []schedule.DateRange{{From: "2026-12-24", To: "2027-01-01"}}, OnExcluded: schedule.ExcludedNext,
		},
		CreatedAt: Epoch().Add(-time.Hour), UpdatedAt: Epoch().Add(-time.Minute), Version: 3,
	}
	requireFilled(f, want)
	made, err := f.CreateCalendar(f.Context(), want, nil)
	require.NoError(f, err)
	require.Equal(f, want, made)
	got, err := f.Calendar(f.Context(), want.Name)
	require.NoError(f, err)
	require.Equal(f, want, got)
	set, err := f.CalendarSet(f.Context(), []string{"none", want.Name})
	require.NoError(f, err)
	require.Equal(f, core.CalendarSetOf([]core.Calendar{want}), set)
}

func calendarName(f *fixture) {
	f.putCalendar("a")
	_, err := f.CreateCalendar(f.Context(), Calendar("a"), nil)
	requireCode(f, core.CodeConflict, err)

	key := &core.Idempotency{Key: "k", Fingerprint: "1"}
	first, err := f.CreateCalendar(f.Context(), Calendar("b"), key)
	require.NoError(f, err)
	again, err := f.CreateCalendar(f.Context(), Calendar("b"), key)
	require.ErrorIs(f, err, core.ErrReplayed)
	require.Equal(f, first, again)
}

func updateCalendar(f *fixture) {
	cal := f.putCalendar("a")
	f.putCalendar("b")
	both, apart, none := f.putTask(Observing("b", "a")), f.putTask(Observing("b")), f.putTask()
	now := f.clock.Advance(time.Minute)
	changed, err := f.UpdateCalendar(f.Context(), "a", cal.Version,
		func(at time.Time, c core.Calendar) (core.Calendar, error) {
			require.Equal(f, now, at)
			c.Weekdays = []string{"SUN"}
			return c, nil
		},
		func(at time.Time, set core.CalendarSet, t core.Task) (core.Task, error) {
			require.Equal(f, []string{"SUN"}, set["a"].Weekdays, "retime sees the old calendar")
			require.Equal(f, []string{"SAT"}, set["b"].Weekdays)
			return DueAt(t, at), nil
		})
	require.NoError(f, err)
	require.Equal(f, cal.Version+1, changed.Version)
	require.Equal(f, now, changed.UpdatedAt)
	stored, err := f.Calendar(f.Context(), "a")
	require.NoError(f, err)
	require.Equal(f, changed, stored)
	require.Equal(f, now, *f.getTask(both.ID).NextRun)
	require.Equal(f, both.Version+1, f.getTask(both.ID).Version)
	requireSameTask(f, apart, f.getTask(apart.ID))
	requireSameTask(f, none, f.getTask(none.ID))
}

func updateCalendarError(f *fixture) {
	cal := f.putCalendar("a")
	task := f.putTask(Observing("a"))
	_, err := f.UpdateCalendar(f.Context(), "a", cal.Version+1, keepCalendar, keepObserver)
	requireCode(f, core.CodePreconditionFailed, err)
	refusal := errors.New("refused")
	_, err = f.UpdateCalendar(f.Context(), "a", cal.Version,
		func(_ time.Time, c core.Calendar) (core.Calendar, error) { c.Weekdays = nil; return c, nil },
		func(_ time.Time, _ core.CalendarSet, t core.Task) (core.Task, error) { return t, refusal })
	require.Equal(f, refusal, err)
	stored, err := f.Calendar(f.Context(), "a")
	require.NoError(f, err)
	require.Equal(f, cal, stored)
	requireSameTask(f, task, f.getTask(task.ID))
}

func deleteCalendar(f *fixture) {
	f.putCalendar("a")
	task := f.putTask(Observing("a"))
	requireCode(f, core.CodeConflict, f.DeleteCalendar(f.Context(), "a", core.AnyVersion))
	_, err := f.DeleteTask(f.Context(), task.ID, core.AnyVersion)
	require.NoError(f, err)
	sc, err := f.CreateSchedule(f.Context(), Schedule(func(s *core.ScheduleSpec) { s.Calendars = []string{"a"} }), nil)
	require.NoError(f, err)
	requireCode(f, core.CodeConflict, f.DeleteCalendar(f.Context(), "a", core.AnyVersion))
	require.NoError(f, f.DeleteSchedule(f.Context(), sc.ID, core.AnyVersion))
	requireCode(f, core.CodePreconditionFailed, f.DeleteCalendar(f.Context(), "a", 9))
	require.NoError(f, f.DeleteCalendar(f.Context(), "a", core.AnyVersion))
	f.putCalendar("a")
}

func unknownCalendars(f *fixture) {
	_, err := f.Calendar(f.Context(), "none")
	requireCode(f, core.CodeNotFound, err)
	_, err = f.UpdateCalendar(f.Context(), "none", core.AnyVersion, keepCalendar, keepObserver)
	requireCode(f, core.CodeNotFound, err)
	requireCode(f, core.CodeNotFound, f.DeleteCalendar(f.Context(), "none", core.AnyVersion))
	set, err := f.CalendarSet(f.Context(), nil)
	require.NoError(f, err)
	require.Empty(f, set)
}

func calendarPages(f *fixture) {
	var want []string
	for _, name := range []string{"c", "a", "b"} {
		want = append(want, f.putCalendar(name).ID)
	}
	slices.Reverse(want)
	var got []string
	for page := (core.Page{Limit: 2}); ; {
		items, err := f.Calendars(f.Context(), page)
		require.NoError(f, err)
		if len(items) == 0 {
			break
		}
		for _, c := range items {
			got = append(got, c.ID)
		}
		page.After = got[len(got)-1]
	}
	require.Equal(f, want, got)
}

func plannerCalendars(f *fixture) {
	f.putCalendar("a")
	task := f.putDueTask(Epoch(), Observing("a"))
	seen := false
	f.planDue(10, func(_ time.Time, d core.DueTask) core.Plan {
		require.Equal(f, task.ID, d.Task.ID)
		require.Equal(f, []string{"SAT"}, d.Calendars["a"].Weekdays)
		seen = true
		return core.Plan{State: d.Task.Plan}
	})
	require.True(f, seen)
}

func countDue(f *fixture) {
	f.putDueTask(Epoch())
	f.putDueTask(Epoch().Add(59 * time.Second))
	f.putDueTask(Epoch().Add(time.Minute))
	f.putDueTask(Epoch(), func(s *core.TaskSpec) { s.Enabled = false })
	f.putTask()
	n, err := f.CountDue(f.Context(), Epoch(), Epoch().Add(time.Minute))
	require.NoError(f, err)
	require.Equal(f, 2, n)
}
