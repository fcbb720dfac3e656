package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

type options = []func(*core.TaskSpec)

func TestTheFirstOccurrence(t *testing.T) {
	none := time.Time{}
	for _, tc := range []struct {
		name string
		opts options
		want time.Time
	}{
		{"once in the future", options{once(later(time.Hour))}, later(time.Hour)},
		{"once now", options{once(later(0))}, later(0)},
		{"once in the past within the window", options{once(later(-59 * time.Minute))}, later(-59 * time.Minute)},
		{"an interval counts from the creation", options{every(time.Minute)}, later(time.Minute)},
		{"an interval counts from startAt in the past", options{every(time.Minute), startingAt(later(-90 * time.Second))}, later(30 * time.Second)},
		{"an interval counts from startAt in the future", options{every(time.Minute), startingAt(later(time.Hour))}, later(time.Hour)},
		{"cron", options{cron("30 10 * * *")}, later(30 * time.Minute)},
		{"cron at this very minute is over", options{cron("0 10 * * *")}, later(24 * time.Hour)},
		{"cron from startAt", options{cron("0 * * * *"), startingAt(later(90 * time.Minute))}, later(2 * time.Hour)},
		{"endAt is included", options{cron("30 10 * * *"), until(later(30 * time.Minute))}, later(30 * time.Minute)},
		{"manual", options{}, none},
		{"disabled", options{every(time.Minute), disabled}, none},
		{"once in the past, disabled", options{once(later(-time.Hour * 24)), disabled}, none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := armed(nil, nil, tc.opts...)
			require.NoError(t, err)
			if tc.want.Equal(none) {
				require.Nil(t, got.NextRun)
				require.Nil(t, got.Plan.NextNominal)
				return
			}
			require.Equal(t, tc.want, *got.NextRun)
			require.Equal(t, tc.want, *got.Plan.NextNominal)
		})
	}
}

func TestATaskThatCannotRunIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		opts  options
		field string
	}{
		{"once beyond the window", options{once(later(-time.Hour - time.Millisecond))}, "/runAt"},
		{"once in the past without a window", options{once(later(-time.Second)), misfire(core.MisfireLatest, 0)}, "/runAt"},
		{"an end in the past", options{cron("0 * * * *"), until(later(-time.Hour))}, "/endAt"},
		{"an end before the first occurrence", options{cron("0 * * * *"), until(later(time.Minute))}, "/endAt"},
		{"a year that is over", options{cron("0 0 0 1 1 * 2020")}, "/cronExpression"},
		{"a date that never comes", options{cron("0 0 30 2 *")}, "/cronExpression"},
		{"too often", options{every(999 * time.Millisecond)}, "/intervalMs"},
		{"not a cron expression", options{cron("every day")}, "/cronExpression"},
		{"a calendar nobody knows", options{cron("0 * * * *"), named("none")}, "/calendars/0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := armed(nil, nil, tc.opts...)
			requireFields(t, core.CodeInvalidSchedule, []string{tc.field}, err)
		})
	}
}

// requireFields demands an error that names these fields, in this order.
func requireFields(t *testing.T, code core.Code, want []string, err error) {
	t.Helper()
	var e *core.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", err)
	var fields []string
	for _, p := range e.Fields {
		fields = append(fields, p.Field)
		require.NotEmpty(t, p.Problem)
	}
	require.Equal(t, want, fields, "%v", err)
}

func TestRearmingGoesOnAfterWhatWasPlanned(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts options
		last time.Duration // the latest planned nominal time, from Epoch
		runs int
		want time.Duration // 0: none
	}{
		{"an occurrence that was planned early is not planned twice", options{cron("* * * * *")}, 3 * time.Minute, 3, 4 * time.Minute},
		{"what was planned long ago does not matter", options{cron("* * * * *")}, -3 * time.Minute, 3, time.Minute},
		{"once that has run stays over", options{once(later(-time.Minute))}, -time.Minute, 1, 0},
		{"once that has run, at a new time", options{once(later(time.Minute))}, -time.Minute, 1, time.Minute},
		{"runs that are used up", options{cron("* * * * *"), runs(2)}, -time.Minute, 2, 0},
		{"runs that are left", options{cron("* * * * *"), runs(3)}, -time.Minute, 2, time.Minute},
		{"a schedule that has run to its end", options{cron("* * * * *"), until(later(-time.Second))}, -time.Minute, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			last := later(tc.last)
			got, err := armed(nil, func(t *core.Task) { t.Plan.LastNominal, t.Plan.Runs = &last, tc.runs }, tc.opts...)
			require.NoError(t, err)
			if tc.want == 0 {
				require.Nil(t, got.NextRun)
				return
			}
			require.Equal(t, later(tc.want), *got.NextRun)
			require.Equal(t, &last, got.Plan.LastNominal, "the memory is kept")
		})
	}
}

// Epoch is a Monday.
func TestACalendarMovesTheFirstOccurrence(t *testing.T) {
	tuesdays := func(on schedule.OnExcluded) core.CalendarSet {
		return core.CalendarSet{"closed": {Name: "closed", Weekdays: []string{"TUE"}, OnExcluded: on}}
	}
	for _, tc := range []struct {
		name        string
		on          schedule.OnExcluded
		expr        string
		nominal, at time.Duration
	}{
		{"skip", schedule.ExcludedSkip, "0 9 * * *", 47 * time.Hour, 47 * time.Hour},
		{"next", schedule.ExcludedNext, "0 9 * * TUE", 23 * time.Hour, 47 * time.Hour},
		{"previous, still to come", schedule.ExcludedPrevious, "0 11 * * TUE", 25 * time.Hour, time.Hour},
		{"previous, over by now", schedule.ExcludedPrevious, "0 9 * * TUE", (7*24 + 23) * time.Hour, (7*24 - 1) * time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := armed(tuesdays(tc.on), nil, cron(tc.expr), named("closed"))
			require.NoError(t, err)
			require.Equal(t, later(tc.nominal), *got.Plan.NextNominal)
			require.Equal(t, later(tc.at), *got.NextRun)
		})
	}
}
