package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

func TestTheScheduleTypeIsToldFromTheFields(t *testing.T) {
	at := later(0)
	for _, tc := range []struct {
		name string
		in   core.Timing
		want core.ScheduleType
	}{
		{"nothing", core.Timing{}, core.ScheduleManual},
		{"runAt", core.Timing{RunAt: &at}, core.ScheduleOnce},
		{"intervalMs", core.Timing{IntervalMs: 1}, core.ScheduleRecurring},
		{"cronExpression", core.Timing{CronExpression: "@daily"}, core.ScheduleCron},
		{"said", core.Timing{ScheduleType: core.ScheduleOnce, CronExpression: "@daily"}, core.ScheduleOnce},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.in.WithDefaults()
			require.Equal(t, tc.want, got.ScheduleType)
			require.Equal(t, "UTC", got.Timezone)
			require.Equal(t, schedule.DST{Gap: schedule.GapShift, Fold: schedule.FoldFirst}, got.DST)
			require.Equal(t, schedule.OutsideDefer, got.OutsideWindow)
		})
	}
}

func TestDefaultsKeepWhatWasSaid(t *testing.T) {
	said := core.Timing{
		ScheduleType: core.ScheduleCron, CronExpression: "@daily", Timezone: "Asia/Tokyo",
		DST: schedule.DST{Gap: schedule.GapSkip, Fold: schedule.FoldBoth}, OutsideWindow: schedule.OutsideSkip,
	}
	require.Equal(t, said, said.WithDefaults())
}

func TestFieldsBelongToTheirScheduleType(t *testing.T) {
	at, start, end, ancient, far := later(0), later(0), later(time.Hour), time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		in   core.Timing
		want []core.FieldProblem
	}{
		{"an unknown type", core.Timing{ScheduleType: "hourly"}, []core.FieldProblem{
			{Field: "/scheduleType", Problem: `"hourly" is not one of once, recurring, cron, manual, dependency`},
		}},
		{"once without runAt", core.Timing{ScheduleType: core.ScheduleOnce}, []core.FieldProblem{
			{Field: "/runAt", Problem: "is required when scheduleType is once"},
		}},
		{"recurring without intervalMs", core.Timing{ScheduleType: core.ScheduleRecurring}, []core.FieldProblem{
			{Field: "/intervalMs", Problem: "is required when scheduleType is recurring"},
		}},
		{"cron without cronExpression", core.Timing{ScheduleType: core.ScheduleCron}, []core.FieldProblem{
			{Field: "/cronExpression", Problem: "is required when scheduleType is cron"},
		}},
		{"manual with all", core.Timing{ScheduleType: core.ScheduleManual, RunAt: &at, IntervalMs: 1000, CronExpression: "@daily"}, []core.FieldProblem{
			{Field: "/runAt", Problem: "belongs to scheduleType once, but scheduleType is manual"},
			{Field: "/intervalMs", Problem: "belongs to scheduleType recurring, but scheduleType is manual"},
			{Field: "/cronExpression", Problem: "belongs to scheduleType cron, but scheduleType is manual"},
		}},
		{"two at once", core.Timing{IntervalMs: 1000, CronExpression: "@daily"}, []core.FieldProblem{
			{Field: "/intervalMs", Problem: "belongs to scheduleType recurring, but scheduleType is cron"},
		}},
		{"a negative interval", core.Timing{IntervalMs: -1}, []core.FieldProblem{{Field: "/intervalMs", Problem: "-1 is negative"}}},
		{"a long interval", core.Timing{IntervalMs: tooLong}, []core.FieldProblem{{Field: "/intervalMs", Problem: "316224000001 ms is more than ten years"}}},
		{"a negative jitter", core.Timing{JitterMs: -5}, []core.FieldProblem{{Field: "/jitterMs", Problem: "-5 is negative"}}},
		{"negative runs", core.Timing{MaxRuns: -1}, []core.FieldProblem{{Field: "/maxRuns", Problem: "-1 is negative; 0 means no limit"}}},
		{"an end at the start", core.Timing{StartAt: &start, EndAt: &start}, []core.FieldProblem{{Field: "/endAt", Problem: "is not after startAt"}}},
		{"an end before the start", core.Timing{StartAt: &end, EndAt: &start}, []core.FieldProblem{{Field: "/endAt", Problem: "is not after startAt"}}},
		{"years out of range", core.Timing{RunAt: &ancient, StartAt: &ancient, EndAt: &far}, []core.FieldProblem{
			{Field: "/runAt", Problem: "year 1969 is out of 1970–9999"},
			{Field: "/startAt", Problem: "year 1969 is out of 1970–9999"},
			{Field: "/endAt", Problem: "year 10000 is out of 1970–9999"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tc.in.WithDefaults().Compile("task", time.Second, nil)
			var e *core.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, core.CodeInvalidSchedule, e.Code)
			require.Equal(t, tc.want, e.Fields)
		})
	}
}

func TestTheArithmeticsErrorsNameTheirField(t *testing.T) {
	for _, tc := range []struct {
		field string
		in    core.Timing
	}{
		{"/cronExpression", core.Timing{CronExpression: "61 * * * *"}},
		{"/cronExpression", core.Timing{CronExpression: "@reboot"}},
		{"/timezone", core.Timing{CronExpression: "@daily", Timezone: "Mars/Olympus"}},
		{"/dst/gap", core.Timing{CronExpression: "@daily", DST: schedule.DST{Gap: "jump"}}},
		{"/outsideWindow", core.Timing{CronExpression: "@daily", OutsideWindow: "wait"}},
		{"/executionWindows/1/start", core.Timing{CronExpression: "@daily", ExecutionWindows: []schedule.Window{
			{Start: "09:00", End: "17:00"}, {Start: "9", End: "17:00"},
		}}},
	} {
		_, err := tc.in.WithDefaults().Compile("task", time.Second, nil)
		requireFields(t, core.CodeInvalidSchedule, []string{tc.field}, err)
	}
}
