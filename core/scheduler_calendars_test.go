package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

func closedOn(dates ...string) core.CalendarSpec {
	return core.CalendarSpec{Name: "closed", Dates: dates}
}

func TestUpdateCalendarRetimesItsTasks(t *testing.T) {
	w := newWorld(t)
	c := w.calendar(closedOn())
	sc := w.schedule(core.Timing{CronExpression: "0 9 * * *", Calendars: []string{"closed"}})
	own, shared, other := w.create(cron("0 9 * * *"), named("closed")), w.create(following(sc)), w.create(cron("0 9 * * *"))
	require.Equal(t, later(23*time.Hour), *own.NextRun)

	updated, err := w.UpdateCalendar(w.ctx, "closed", c.Version, closedOn("2026-03-03"))
	require.NoError(t, err)
	require.Equal(t, int64(2), updated.Version)
	require.Equal(t, later(47*time.Hour), *w.task(own.ID).NextRun)
	require.Equal(t, later(47*time.Hour), *w.task(shared.ID).NextRun)
	require.Equal(t, other, w.task(other.ID))

	_, err = w.UpdateCalendar(w.ctx, "closed", updated.Version, closedOn())
	require.NoError(t, err)
	require.Equal(t, later(23*time.Hour), *w.task(own.ID).NextRun, "and back")
}

// TestAnOverdueOccurrenceSurvivesANewDescription: only the planner may decide
// about an occurrence that has come due.
func TestAnOverdueOccurrenceSurvivesANewDescription(t *testing.T) {
	w := newWorld(t)
	w.calendar(closedOn("2026-03-05"))
	w.create(cron("0 * * * *"), named("closed"))
	w.clock.now = later(61 * time.Minute) // due, and not planned yet
	spec := closedOn("2026-03-05")
	spec.Description = "public holidays"
	c, err := w.UpdateCalendar(w.ctx, "closed", core.AnyVersion, spec)
	require.NoError(t, err)
	require.Equal(t, "public holidays", c.Description)
	require.Equal(t, []time.Time{later(time.Hour)}, nominalsOf(w.plan(later(61*time.Minute))))
}

func TestACalendarThatATaskCannotFollowChangesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.calendar(closedOn("2026-03-03"))
	daily, tuesdays := w.create(cron("0 9 * * *"), named("closed")), w.create(cron("0 9 * * TUE"), named("closed"))
	_, err := w.UpdateCalendar(w.ctx, "closed", core.AnyVersion, core.CalendarSpec{Weekdays: []string{"TUE"}})
	require.Equal(t, core.CodeConflict, core.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, tuesdays.ID)
	got, err := w.Calendar(w.ctx, "closed")
	require.NoError(t, err)
	require.Equal(t, c, got)
	require.Equal(t, daily, w.task(daily.ID))
	require.Equal(t, tuesdays, w.task(tuesdays.ID))
}

func TestUpdateCalendarIsRefused(t *testing.T) {
	w := newWorld(t)
	w.calendar(closedOn())
	_, err := w.UpdateCalendar(w.ctx, "closed", core.AnyVersion, core.CalendarSpec{Name: "other"})
	requireFields(t, core.CodeValidationFailed, []string{"/name"}, err)
	_, err = w.UpdateCalendar(w.ctx, "closed", core.AnyVersion, closedOn("2026-02-30"))
	requireFields(t, core.CodeValidationFailed, []string{"/dates/0"}, err)
	_, err = w.UpdateCalendar(w.ctx, "closed", 9, closedOn())
	require.Equal(t, core.CodePreconditionFailed, core.CodeOf(err))
	_, err = w.UpdateCalendar(w.ctx, "none", core.AnyVersion, core.CalendarSpec{})
	require.Equal(t, core.CodeNotFound, core.CodeOf(err))
}

func TestACalendarInUseStays(t *testing.T) {
	w := newWorld(t)
	w.calendar(closedOn())
	_, err := w.CreateCalendar(w.ctx, closedOn(), nil)
	require.Equal(t, core.CodeConflict, core.CodeOf(err), "the name is taken")
	task := w.create(cron("0 9 * * *"), named("closed"))
	require.Equal(t, core.CodeConflict, core.CodeOf(w.DeleteCalendar(w.ctx, "closed", core.AnyVersion)))
	require.NoError(t, w.DeleteTask(w.ctx, task.ID, core.AnyVersion))
	require.NoError(t, w.DeleteCalendar(w.ctx, "closed", core.AnyVersion))
}

func TestCalendarBounds(t *testing.T) {
	many := func(n int) []string {
		return strings.Split(strings.TrimSuffix(strings.Repeat("2026-03-03,", n), ","), ",")
	}
	for _, tc := range []struct {
		name  string
		spec  core.CalendarSpec
		field string // "" is valid
	}{
		{"empty", core.CalendarSpec{Name: "a"}, ""},
		{"longest name", core.CalendarSpec{Name: letters(63)}, ""},
		{"all characters", core.CalendarSpec{Name: "0a._-"}, ""},
		{"everything", core.CalendarSpec{
			Name: "a", Dates: []string{"2026-12-25"}, Yearly: []string{"12-25", "02-29"}, Weekdays: []string{"SAT"},
			Ranges: []schedule.DateRange{{From: "2026-01-01", To: "2026-01-06"}}, OnExcluded: schedule.ExcludedNext,
		}, ""},
		{"most dates", core.CalendarSpec{Name: "a", Dates: many(5000)}, ""},
		{"no name", core.CalendarSpec{}, "/name"},
		{"long name", core.CalendarSpec{Name: letters(64)}, "/name"},
		{"name in capitals", core.CalendarSpec{Name: "A"}, "/name"},
		{"name that begins with a dot", core.CalendarSpec{Name: ".a"}, "/name"},
		{"long description", core.CalendarSpec{Name: "a", Description: letters(2001)}, "/description"},
		{"many dates", core.CalendarSpec{Name: "a", Dates: many(5001)}, "/dates"},
		{"a date that is none", core.CalendarSpec{Name: "a", Dates: []string{"2026-12-25", "tomorrow"}}, "/dates/1"},
		{"a day that is none", core.CalendarSpec{Name: "a", Yearly: []string{"02-30"}}, "/yearly/0"},
		{"a weekday that is none", core.CalendarSpec{Name: "a", Weekdays: []string{"XXX"}}, "/weekdays/0"},
		{"an unknown policy", core.CalendarSpec{Name: "a", OnExcluded: "wait"}, "/onExcluded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.spec.Validate()
			if tc.field == "" {
				require.NoError(t, err)
				return
			}
			requireFields(t, core.CodeValidationFailed, []string{tc.field}, err)
		})
	}
}
