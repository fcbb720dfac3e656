package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/schedule"
)

// codesOf lists the warnings of a preview.
func codesOf(p core.Preview) []schedule.WarningCode {
	var codes []schedule.WarningCode
	for _, w := range p.Warnings {
		codes = append(codes, w.Code)
	}
	return codes
}

func (w *world) preview(timing core.Timing, taskID string, count int) core.Preview {
	p, err := w.Preview(w.ctx, timing, taskID, w.clock.now, count)
	require.NoError(w.t, err)
	return p
}

func (w *world) upcoming(id string, count int) core.Preview {
	p, err := w.Upcoming(w.ctx, id, count)
	require.NoError(w.t, err)
	return p
}

// TestAPreviewIsWhatHappens compares a preview with what the planner plans when
// it is asked at each instant that it named as the next.
func TestAPreviewIsWhatHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, p := newWorld(t), armAny(t, drawTiming(t), overlap(core.OverlapAllow))
		c := p.calendars["closed"]
		w.calendar(core.CalendarSpec{Name: c.Name, Weekdays: c.Weekdays, Dates: c.Dates, OnExcluded: c.OnExcluded})
		task, err := w.store.CreateTask(w.ctx, p.task, nil)
		require.NoError(t, err)
		preview, upcoming := w.preview(task.Timing, task.ID, 30), w.upcoming(task.ID, 30)
		require.Equal(t, upcoming.Occurrences, preview.Occurrences)
		var planned []core.Execution
		for next := &task; next.NextRun != nil && len(planned) < 30; next = new(w.task(task.ID)) {
			planned = append(planned, withStatus(w.plan(*next.NextRun), core.StatusPending)...)
		}
		require.Len(t, planned, len(preview.Occurrences))
		for i, o := range preview.Occurrences {
			require.Equal(t, o.Nominal, planned[i].NominalTime)
			require.Equal(t, o.At, planned[i].DueAt)
		}
	})
}

func TestAPreviewCountsAnIntervalFromItsStart(t *testing.T) {
	w := newWorld(t)
	p := w.preview(core.Timing{IntervalMs: core.MillisOf(time.Hour)}, "", 2)
	require.Equal(t, later(time.Hour), p.Occurrences[0].At)
	require.Equal(t, later(2*time.Hour), p.Occurrences[1].At)
	require.Equal(t, time.UTC, p.Location)
	require.NotEmpty(t, p.Description)
	require.Empty(t, p.Warnings)
}

// Epoch is a Monday at 10:00; the Tuesday's occurrence moves to 09:00 of it.
func TestAPreviewBeginsWithWhatIsStillToCome(t *testing.T) {
	w := newWorld(t)
	w.calendar(core.CalendarSpec{Name: "closed", Weekdays: []string{"TUE"}, OnExcluded: schedule.ExcludedPrevious})
	timing := core.Timing{CronExpression: "0 9 * * TUE", Calendars: []string{"closed"}}
	task := w.create(func(s *core.TaskSpec) { s.Timing = timing })
	require.Equal(t, *task.NextRun, w.preview(timing, "", 1).Occurrences[0].At)
}

func TestMaxRunsBoundsAPreview(t *testing.T) {
	w := newWorld(t)
	minutely := core.Timing{CronExpression: "* * * * *", MaxRuns: 3}
	require.Len(t, w.preview(minutely, "", 10).Occurrences, 3)
	require.Len(t, w.preview(minutely, "", 2).Occurrences, 2)
	task := w.create(func(s *core.TaskSpec) { s.Timing = minutely })
	w.plan(later(time.Minute))
	require.Len(t, w.upcoming(task.ID, 10).Occurrences, 2, "one has run")
}

func TestPreviewWarnings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		timing core.Timing
		taskID string
		want   []schedule.WarningCode
	}{
		{"none", hourly(), "", nil},
		{"a hashed minute", core.Timing{CronExpression: "H * * * *"}, "", []schedule.WarningCode{core.WarnDependsOnTask}},
		{"a hash in a list", core.Timing{CronExpression: "0 1,H(2-4) * * *"}, "", []schedule.WarningCode{core.WarnDependsOnTask}},
		{"a hash of a known task", core.Timing{CronExpression: "H * * * *"}, "known", nil},
		{"a month with an H in it", core.Timing{CronExpression: "0 0 * MAR THU"}, "", nil},
		{"jitter", core.Timing{CronExpression: "0 * * * *", JitterMs: 1000}, "", []schedule.WarningCode{core.WarnDependsOnTask}},
		{"jitter of a known task", core.Timing{CronExpression: "0 * * * *", JitterMs: 1000}, "known", nil},
		{"never", core.Timing{CronExpression: "0 0 30 2 *"}, "", []schedule.WarningCode{schedule.WarnNever}},
		{"over", core.Timing{RunAt: new(later(-time.Hour))}, "", []schedule.WarningCode{schedule.WarnNever}},
		{"manual", core.Timing{}, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, codesOf(newWorld(t).preview(tc.timing, tc.taskID, 3)))
		})
	}
}

func TestAPreviewThatCannotBeComputedIsRefused(t *testing.T) {
	w := newWorld(t)
	for field, timing := range map[string]core.Timing{
		"/cronExpression": {CronExpression: "x"},
		"/calendars/0":    {CronExpression: "@daily", Calendars: []string{"none"}},
		"/runAt":          {ScheduleType: core.ScheduleOnce},
	} {
		_, err := w.Preview(w.ctx, timing, "", coretest.Epoch(), 3)
		requireFields(t, core.CodeInvalidSchedule, []string{field}, err)
	}
	_, err := w.Upcoming(w.ctx, core.NewID(), 3)
	require.Equal(t, core.CodeNotFound, core.CodeOf(err))
}

func TestADisabledTaskHasNothingUpcoming(t *testing.T) {
	w := newWorld(t)
	task := w.create(cron("0 * * * *"), disabled)
	p := w.upcoming(task.ID, 3)
	require.Empty(t, p.Occurrences)
	require.Equal(t, []schedule.WarningCode{core.WarnDisabled}, codesOf(p))
}

func TestManyTasksInAMinuteAreAHerd(t *testing.T) {
	w := newWorld(t)
	for i := range 49 {
		w.create(cron(fmt.Sprintf("%d 0 11 * * *", i)))
	}
	require.Empty(t, w.preview(hourly(), "", 3).Warnings, "49 others")
	own := w.create(cron("59 0 11 * * *"))
	require.Empty(t, w.upcoming(own.ID, 3).Warnings, "a task is not among the others")
	require.Equal(t, []schedule.WarningCode{core.WarnHerd}, codesOf(w.preview(hourly(), "", 3)), "50 others")
	require.Empty(t, w.preview(core.Timing{CronExpression: "1 * * * *"}, "", 3).Warnings, "the next minute")
	w.create(cron("30 0 11 * * *"))
	require.Equal(t, []schedule.WarningCode{core.WarnHerd}, codesOf(w.upcoming(own.ID, 3)))
}
