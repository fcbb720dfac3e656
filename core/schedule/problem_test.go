package schedule_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/schedule"
)

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	window := func(w schedule.Window) schedule.Config {
		return schedule.Config{Kind: schedule.KindManual, Windows: []schedule.Window{{Start: "09:00", End: "17:00"}, w}}
	}
	calendar := func(c schedule.Calendar) schedule.Config {
		return schedule.Config{Kind: schedule.KindManual, Calendars: []schedule.Calendar{{}, c}}
	}
	for field, configs := range map[string][]schedule.Config{
		"scheduleType":   {{}, {Kind: "weekly"}},
		"timezone":       {{Kind: schedule.KindManual, Timezone: "Nowhere"}},
		"cronExpression": {{Kind: schedule.KindCron}, {Kind: schedule.KindCron, Cron: "60 * * * *"}, {Kind: schedule.KindCron, Cron: "@reboot"}},
		"intervalMs":     {{Kind: schedule.KindRecurring}, {Kind: schedule.KindRecurring, Interval: -1}, {Kind: schedule.KindRecurring, Interval: time.Second + 1}},
		"runAt":          {{Kind: schedule.KindOnce}, {Kind: schedule.KindOnce, RunAt: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"startAt":        {{Kind: schedule.KindManual, StartAt: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"endAt": {
			{Kind: schedule.KindManual, EndAt: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)},
			{Kind: schedule.KindManual, StartAt: utc2026, EndAt: utc2026.Add(-1)},
		},
		"jitterMs":                    {{Kind: schedule.KindManual, Jitter: -1}},
		"outsideWindow":               {{Kind: schedule.KindManual, Outside: "drop"}},
		"dst/gap":                     {{Kind: schedule.KindManual, DST: schedule.DST{Gap: "jump"}}},
		"dst/fold":                    {{Kind: schedule.KindManual, DST: schedule.DST{Fold: "second"}}},
		"executionWindows/1/start":    {window(schedule.Window{Start: "9:00", End: "17:00"}), window(schedule.Window{Start: "24:00", End: "17:00"}), window(schedule.Window{End: "17:00"})},
		"executionWindows/1/end":      {window(schedule.Window{Start: "09:00", End: "24:01"}), window(schedule.Window{Start: "09:00", End: "12:60"})},
		"executionWindows/1/days/1":   {window(schedule.Window{Days: []string{"MON", "Monday"}, Start: "09:00", End: "17:00"})},
		"executionWindows/1/timezone": {window(schedule.Window{Start: "09:00", End: "17:00", Timezone: "Local"})},
		"calendars/1/dates/1":         {calendar(schedule.Calendar{Dates: []string{"2026-12-25", "2026-02-30"}})},
		"calendars/1/yearly/0":        {calendar(schedule.Calendar{Yearly: []string{"13-01"}}), calendar(schedule.Calendar{Yearly: []string{"2026-12-25"}})},
		"calendars/1/weekdays/0":      {calendar(schedule.Calendar{Weekdays: []string{"SATURDAY"}})},
		"calendars/1/ranges/0/from":   {calendar(schedule.Calendar{Ranges: []schedule.DateRange{{From: "1.1.2026", To: "2026-01-02"}}})},
		"calendars/1/ranges/0/to":     {calendar(schedule.Calendar{Ranges: []schedule.DateRange{{From: "2026-01-02", To: "2026-01-01"}}}), calendar(schedule.Calendar{Ranges: []schedule.DateRange{{From: "2026-01-02"}}})},
		"calendars/1/onExcluded":      {calendar(schedule.Calendar{OnExcluded: "ignore"})},
		"calendars/2/onExcluded":      {{Kind: schedule.KindManual, Calendars: []schedule.Calendar{{OnExcluded: "next"}, {}, {OnExcluded: "previous"}}}},
	} {
		for _, c := range configs {
			_, err := schedule.Compile(c)
			var e *schedule.Error
			require.ErrorAs(t, err, &e, "%s %+v", field, c)
			require.Equal(t, field, e.Field)
			require.NotEmpty(t, e.Reason)
			require.Contains(t, err.Error(), e.Reason)
		}
	}
}

func TestTooFrequent(t *testing.T) {
	t.Parallel()
	cron := func(expr string, least time.Duration) schedule.Config {
		return schedule.Config{Kind: schedule.KindCron, Cron: expr, MinInterval: least}
	}
	for _, c := range []struct {
		config schedule.Config
		reason string // empty: fine
	}{
		{cron("* * * * * *", 0), ""},
		{cron("* * * * * *", 2*time.Second), "it fires 1s apart, closer than the minimum of 2s"},
		{cron("0,20 * * * * *", 30*time.Second), "it fires 20s apart, closer than the minimum of 30s"},
		{cron("0,58 * * * * *", 3*time.Second), "it fires 2s apart, closer than the minimum of 3s"},
		{cron("0,50 5,6 * * * *", 20*time.Second), "it fires 10s apart, closer than the minimum of 20s"},
		{cron("* * * * *", time.Minute), ""},
		{cron("* * * * *", 61*time.Second), "it fires 1m0s apart, closer than the minimum of 1m1s"},
		{cron("0,55 * * * *", 10*time.Minute), "it fires 5m0s apart, closer than the minimum of 10m0s"},
		{cron("0 0,23 * * *", 2*time.Hour), "it fires 1h0m0s apart, closer than the minimum of 2h0m0s"},
		{cron("0 0,23 * * MON", 2*time.Hour), ""},
		{cron("0 0,23 * * SAT,SUN", 2*time.Hour), "it fires 1h0m0s apart, closer than the minimum of 2h0m0s"},
		{cron("0 0,23 1,L * *", 2*time.Hour), "it fires 1h0m0s apart, closer than the minimum of 2h0m0s"},
		{cron("0 0 * * MON,THU", 73*time.Hour), "it fires 72h0m0s apart, closer than the minimum of 73h0m0s"},
		{cron("0 0 0 1 1 * 2030", 900*time.Hour), ""},
		{cron("@every 5s", 10*time.Second), "it fires 5s apart, closer than the minimum of 10s"},
		{schedule.Config{Kind: schedule.KindRecurring, Interval: 999 * time.Millisecond}, "it fires 999ms apart, closer than the minimum of 1s"},
		{schedule.Config{Kind: schedule.KindRecurring, Interval: time.Second}, ""},
		{schedule.Config{Kind: schedule.KindOnce, RunAt: utc2026, MinInterval: time.Hour}, ""},
	} {
		problem := compile(t, c.config).Problem()
		if c.reason == "" {
			require.Nil(t, problem, c.config.Cron)
			continue
		}
		require.NotNil(t, problem, c.config.Cron)
		require.Equal(t, c.reason, problem.Reason)
		warnings := compile(t, c.config).Warnings(utc2026)
		require.Equal(t, schedule.WarnTooFrequent, warnings[len(warnings)-1].Code)
	}
}

func TestNeverNamesTheField(t *testing.T) {
	t.Parallel()
	closed := []schedule.Calendar{{Weekdays: []string{"MON"}}}
	for field, c := range map[string]schedule.Config{
		"cronExpression":   {Kind: schedule.KindCron, Cron: "0 0 30 2 *"},
		"endAt":            {Kind: schedule.KindCron, Cron: "0 0 1 1 *", StartAt: utc2026.Add(1e9), EndAt: utc2026.AddDate(0, 6, 0)},
		"calendars":        {Kind: schedule.KindCron, Cron: "0 0 * * MON", Calendars: closed},
		"executionWindows": {Kind: schedule.KindCron, Cron: "0 3 * * *", Outside: schedule.OutsideSkip, Windows: []schedule.Window{{Start: "09:00", End: "17:00"}}},
	} {
		began := time.Now()
		s := compile(t, c)
		require.True(t, s.Never(), field)
		require.Equal(t, field, s.Problem().Field)
		require.Equal(t, schedule.WarnNever, s.Warnings(utc2026)[0].Code)
		require.Less(t, time.Since(began), 10*time.Second, field)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	codes := func(c schedule.Config) []schedule.WarningCode {
		found := []schedule.WarningCode{}
		for _, w := range compile(t, c).Warnings(utc2026) {
			found = append(found, w.Code)
		}
		return found
	}
	newYork := func(expr string) schedule.Config {
		return schedule.Config{Kind: schedule.KindCron, Cron: expr, Timezone: "America/New_York"}
	}
	require.Equal(t, []schedule.WarningCode{schedule.WarnDomDowOr}, codes(newYork("0 12 13 * 5")))
	require.Empty(t, codes(newYork("0 12 13 * +5")))
	require.Empty(t, codes(newYork("0 12 */2 * 5")))
	require.Equal(t, []schedule.WarningCode{schedule.WarnDSTGap}, codes(newYork("30 2 * * *")))
	require.Equal(t, []schedule.WarningCode{schedule.WarnDSTFold}, codes(newYork("30 1 * * *")))
	require.Empty(t, codes(newYork("30 3 * * *")))
	require.Empty(t, codes(newYork("30 2 * * MON")))
	require.Empty(t, codes(newYork("30 * * * *")))
	require.Empty(t, codes(schedule.Config{Kind: schedule.KindCron, Cron: "30 2 * * *"}))
	past := newYork("0 0 0 1 1 * 2020")
	require.Equal(t, []schedule.WarningCode{schedule.WarnNever}, codes(past))
	require.Nil(t, compile(t, past).Problem(), "over is not never")

	message := func(expr string, dst schedule.DST) string {
		c := newYork(expr)
		c.DST = dst
		return compile(t, c).Warnings(utc2026)[0].Message
	}
	const gap = "2026-03-08 02:30 does not exist in America/New_York, the clock is put forward; "
	require.Equal(t, gap+"it runs at 03:00 instead.", message("30 2 * * *", schedule.DST{}))
	require.Equal(t, gap+"that occurrence is skipped.", message("30 2 * * *", schedule.DST{Gap: schedule.GapSkip}))
	require.Contains(t, message("*/30 2 * * *", schedule.DST{}), "a rule with * in its minutes does not run then")
	const fold = "2026-11-01 01:30 occurs twice in America/New_York, the clock is put back; "
	require.Equal(t, fold+"it runs the first time.", message("30 1 * * *", schedule.DST{}))
	require.Equal(t, fold+"it runs the last time.", message("30 1 * * *", schedule.DST{Fold: schedule.FoldLast}))
	require.Equal(t, fold+"it runs both times.", message("30 1 * * *", schedule.DST{Fold: schedule.FoldBoth}))
}
