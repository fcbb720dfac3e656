package schedule_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/schedule"
)

// ruleSteps is the bound for a schedule without windows and calendars: it may
// look at every year a few times, and at every period of its zone.
const ruleSteps = 10_000

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"* * * * *", "*/15 0-5,7 1,L * +MON-FRI", "0 0 15W * ?", "0 30 2 LW JAN-DEC/2 FRI#L 2026-2030/2", "H H(2-4) H/3 * 5L",
		"@every 1h2m3s", "@daily", "@reboot", "TZ=UTC", "TZ=", "CRON_TZ=UTC 0 0 * * *", "0 0 29 2 +MON#5", ", * * * *", "5/70 * * * *",
		"\t0\t0 * * 7 ", "1-2-3 * * * *", "* * * * H(", "99999999999999999999 * * * *",
	} {
		f.Add(expr, "task")
	}
	at := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expr, seed string) {
		c, err := schedule.ParseCron(expr, seed)
		if err != nil {
			var e *schedule.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "cronExpression", e.Field)
			require.NotEmpty(t, e.Reason)
			return
		}
		require.LessOrEqual(t, len(expr), 100)
		require.Equal(t, expr, c.String())
		require.NotEmpty(t, c.Describe())
		if next := c.Next(at); !next.IsZero() {
			require.True(t, next.After(at))
			require.False(t, c.Prev(next).After(at), "there is nothing between")
		}
	})
}

func FuzzNext(f *testing.F) {
	zones := []string{"UTC", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Cairo", "Africa/Casablanca", "Antarctica/Troll", "America/Santiago"}
	f.Add("30 2 * * *", uint8(1), int64(1772886000), uint16(0), uint8(0), "09:00", "17:00")
	f.Add("0 12 30 12 *", uint8(2), int64(1322697600), uint16(0x1ff), uint8(3), "22:00", "06:00")
	f.Add("0 0 29 2 +MON", uint8(4), int64(4107542400), uint16(0x5a5), uint8(0x62), "00:00", "24:00")
	f.Add("* * * * * *", uint8(3), int64(1), uint16(0xfff), uint8(0x7e), "02:30", "02:31")
	f.Add("@every 7s", uint8(6), int64(-62135596800), uint16(0x7f0), uint8(0x7f), "23:59", "00:00")
	f.Fuzz(func(t *testing.T, expr string, zone uint8, sec int64, policy uint16, days uint8, start, end string) {
		c := schedule.Config{
			Kind: schedule.KindCron, Cron: expr, Timezone: zones[int(zone)%len(zones)], Seed: start,
			DST: schedule.DST{
				Gap:  []schedule.Gap{"", schedule.GapShift, schedule.GapSkip}[policy%3],
				Fold: []schedule.Fold{"", schedule.FoldFirst, schedule.FoldLast, schedule.FoldBoth}[policy/3%4],
			},
		}
		at := time.Unix(sec%(1<<38), 0)
		checkBounded(t, c, at, ruleSteps)
		c.Outside = []schedule.Outside{schedule.OutsideDefer, schedule.OutsideSkip}[policy>>4&1]
		c.Jitter = time.Duration(policy>>5&3) * time.Hour
		var names []string
		for i, name := range []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"} {
			if days>>i&1 != 0 {
				names = append(names, name)
			}
		}
		if policy>>7&1 != 0 {
			c.Windows = []schedule.Window{{Days: names, Start: start, End: end}}
		}
		if policy>>8&1 != 0 {
			c.Calendars = []schedule.Calendar{{Weekdays: names, Yearly: []string{"12-31"}, OnExcluded: []schedule.OnExcluded{"skip", "next", "previous"}[policy>>9%3]}}
		}
		checkBounded(t, c, at, schedule.MaxSteps+1000)
	})
}

// checkBounded looks forward and back from an instant within a number of steps.
func checkBounded(t *testing.T, c schedule.Config, at time.Time, bound int) {
	t.Helper()
	s, err := schedule.Compile(c)
	if err != nil {
		return
	}
	next, ok, steps := s.NextSteps(at)
	require.LessOrEqual(t, steps, bound)
	prev, hasPrev, steps := s.PrevSteps(at)
	require.LessOrEqual(t, steps, bound)
	if hasPrev {
		require.True(t, prev.Nominal.Before(at))
	}
	if !ok {
		return
	}
	require.True(t, next.Nominal.After(at))
	if !next.At.Before(at) && c.Calendars == nil {
		require.False(t, next.At.Before(next.Nominal))
	}
	back, found, _ := s.PrevSteps(next.Nominal)
	require.False(t, found && back.Nominal.After(at), "%v lies between %v and %v", back.Nominal, at, next.Nominal)
	same, _, _ := s.NextSteps(next.Nominal.Add(-time.Microsecond))
	require.Equal(t, next, same)
}

// The bound holds for what can never fire and for the sparsest of schedules.
func TestStepBound(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{"0 0 29 2 *", "0 0 29 2 MON#5", "0 0 29 2 +MON", "0 0 30 2 *", "0 0 0 29 2 * 2199", "*/5 2 * 3 SUN#2", "30 2 * 3 SUN#2", "0 0 0 31 12 * 2199"} {
		for _, gap := range []schedule.Gap{schedule.GapShift, schedule.GapSkip} {
			s := compile(t, schedule.Config{Kind: schedule.KindCron, Cron: expr, Timezone: "America/New_York", DST: schedule.DST{Gap: gap}})
			for at := time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2210; at = at.AddDate(3, 1, 1) {
				_, _, steps := s.NextSteps(at)
				require.LessOrEqual(t, steps, ruleSteps, "%s after %v", expr, at)
				_, _, steps = s.PrevSteps(at)
				require.LessOrEqual(t, steps, ruleSteps, "%s before %v", expr, at)
			}
		}
	}
	never := compile(t, schedule.Config{
		Kind: schedule.KindCron, Cron: "0 3 * * *", Timezone: "America/New_York", Outside: schedule.OutsideSkip,
		Windows: []schedule.Window{{Start: "09:00", End: "17:00"}},
	})
	_, ok, steps := never.NextSteps(time.Unix(0, 0))
	require.False(t, ok)
	require.Less(t, steps, schedule.MaxSteps/4, "the whole range was searched, not cut off")
	_, ok, steps = never.PrevSteps(time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC))
	require.False(t, ok)
	require.Less(t, steps, schedule.MaxSteps/4)

	// One occurrence in all those years: 29 October 2026 moves to a Wednesday.
	single := compile(t, schedule.Config{
		Kind: schedule.KindCron, Cron: "30 0 * * MON,THU", Outside: schedule.OutsideSkip,
		Windows:   []schedule.Window{{Days: []string{"WED"}, Start: "00:00", End: "09:00"}},
		Calendars: []schedule.Calendar{{Dates: []string{"2026-10-29"}, OnExcluded: schedule.ExcludedPrevious}},
	})
	next, ok, steps := single.NextSteps(time.Unix(0, 0))
	require.True(t, ok)
	require.Less(t, steps, schedule.MaxSteps/4)
	prev, ok, steps := single.PrevSteps(time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC))
	require.True(t, ok)
	require.Less(t, steps, schedule.MaxSteps/4)
	require.Equal(t, next, prev)
	require.Equal(t, "10-29T00:30→10-28T00:30", pairText(prev.Nominal, prev.At))
}
