package schedule_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/schedule"
)

// dstCase is one expression in one zone: the local times, with their offset, of
// the occurrences that follow from.
type dstCase struct {
	name, zone, expr string
	dst              schedule.DST
	from             string // local time
	want             []string
}

const offsetTime = "2006-01-02 15:04 -0700"

// TestClockChanges is the collection of days on which other schedulers have
// skipped, doubled or misplaced runs.
func TestClockChanges(t *testing.T) {
	t.Parallel()
	skip, last, both := schedule.DST{Gap: schedule.GapSkip}, schedule.DST{Fold: schedule.FoldLast}, schedule.DST{Fold: schedule.FoldBoth}
	for _, c := range []dstCase{
		{name: "daily inside the New York gap", zone: "America/New_York", expr: "30 2 * * *", from: "2026-03-07 12:00",
			want: []string{"2026-03-08 03:00 -0400", "2026-03-09 02:30 -0400"}},
		{name: "daily at the start of the gap", zone: "America/New_York", expr: "0 2 * * *", from: "2026-03-07 12:00",
			want: []string{"2026-03-08 03:00 -0400", "2026-03-09 02:00 -0400"}},
		{name: "several times inside one gap, and its end, are one", zone: "America/New_York", expr: "0,15,30 2,3 * * *", from: "2026-03-07 12:00",
			want: []string{"2026-03-08 03:00 -0400", "2026-03-08 03:15 -0400", "2026-03-08 03:30 -0400", "2026-03-09 02:00 -0400"}},
		{name: "gap skipped on request", zone: "America/New_York", expr: "30 2 * * *", dst: skip, from: "2026-03-07 12:00",
			want: []string{"2026-03-09 02:30 -0400"}},
		{name: "daily in the repeated hour runs once", zone: "America/New_York", expr: "30 1 * * *", from: "2026-10-31 12:00",
			want: []string{"2026-11-01 01:30 -0400", "2026-11-02 01:30 -0500"}},
		{name: "the second of the two on request", zone: "America/New_York", expr: "30 1 * * *", dst: last, from: "2026-10-31 12:00",
			want: []string{"2026-11-01 01:30 -0500", "2026-11-02 01:30 -0500"}},
		{name: "both on request", zone: "America/New_York", expr: "30 1 * * *", dst: both, from: "2026-10-31 12:00",
			want: []string{"2026-11-01 01:30 -0400", "2026-11-01 01:30 -0500", "2026-11-02 01:30 -0500"}},
		{name: "the first minute of the repeated hour is repeated", zone: "America/New_York", expr: "0 1 * * *", dst: last, from: "2026-10-31 12:00",
			want: []string{"2026-11-01 01:00 -0500", "2026-11-02 01:00 -0500"}},
		{name: "the minute after the repeated hour is not", zone: "America/New_York", expr: "0 2 * * *", from: "2026-10-31 12:00",
			want: []string{"2026-11-01 02:00 -0500", "2026-11-02 02:00 -0500"}},
		{name: "wildcard follows real time over the gap", zone: "America/New_York", expr: "*/30 * * * *", from: "2026-03-08 01:00",
			want: []string{"2026-03-08 01:30 -0500", "2026-03-08 03:00 -0400", "2026-03-08 03:30 -0400"}},
		{name: "wildcard follows real time over the fold", zone: "America/New_York", expr: "*/30 * * * *", from: "2026-11-01 00:30",
			want: []string{"2026-11-01 01:00 -0400", "2026-11-01 01:30 -0400", "2026-11-01 01:00 -0500", "2026-11-01 01:30 -0500", "2026-11-01 02:00 -0500"}},
		{name: "hourly at a wildcard hour", zone: "America/New_York", expr: "5 * * * *", dst: skip, from: "2026-11-01 00:30",
			want: []string{"2026-11-01 01:05 -0400", "2026-11-01 01:05 -0500", "2026-11-01 02:05 -0500"}},
		{name: "half-hour gap of Lord Howe", zone: "Australia/Lord_Howe", expr: "15 2 * * *", from: "2026-10-03 12:00",
			want: []string{"2026-10-04 02:30 +1100", "2026-10-05 02:15 +1100"}},
		{name: "half-hour fold of Lord Howe", zone: "Australia/Lord_Howe", expr: "45 1 * * *", from: "2026-04-04 12:00",
			want: []string{"2026-04-05 01:45 +1100", "2026-04-06 01:45 +1030"}},
		{name: "quarters in Lord Howe's fold", zone: "Australia/Lord_Howe", expr: "*/15 * * * *", from: "2026-04-05 01:15",
			want: []string{"2026-04-05 01:30 +1100", "2026-04-05 01:45 +1100", "2026-04-05 01:30 +1030", "2026-04-05 01:45 +1030", "2026-04-05 02:00 +1030"}},
		{name: "missing midnight in Cairo", zone: "Africa/Cairo", expr: "0 0 * * *", from: "2026-04-23 12:00",
			want: []string{"2026-04-24 01:00 +0300", "2026-04-25 00:00 +0300"}},
		{name: "missing midnight of one date in Cairo", zone: "Africa/Cairo", expr: "0 0 24 * *", from: "2026-04-22 00:00",
			want: []string{"2026-04-24 01:00 +0300", "2026-05-24 00:00 +0300"}},
		{name: "the day that Apia never had", zone: "Pacific/Apia", expr: "0 12 30 12 *", from: "2011-12-28 00:00",
			want: []string{"2011-12-31 00:00 +1400", "2012-12-30 12:00 +1400"}},
		{name: "the day that Apia never had, skipped", zone: "Pacific/Apia", expr: "0 12 30 12 *", dst: skip, from: "2011-12-28 00:00",
			want: []string{"2012-12-30 12:00 +1400"}},
		{name: "Saturday evening before Beirut's missing midnight", zone: "Asia/Beirut", expr: "0 22 * * 6", from: "2026-03-28 22:30",
			want: []string{"2026-04-04 22:00 +0300"}},
		{name: "Saturday evening in Santiago", zone: "America/Santiago", expr: "0 22 * * 6", from: "2026-09-05 22:30",
			want: []string{"2026-09-12 22:00 -0300"}},
		{name: "Thursday evening in Cairo", zone: "Africa/Cairo", expr: "0 22 * * 4", from: "2026-04-23 22:30",
			want: []string{"2026-04-30 22:00 +0300"}},
		{name: "Saturday evening in Havana", zone: "America/Havana", expr: "0 22 * * 6", from: "2026-03-07 22:30",
			want: []string{"2026-03-14 22:00 -0400"}},
		{name: "Saturday evening in the Azores", zone: "Atlantic/Azores", expr: "0 22 * * 6", from: "2026-03-28 22:30",
			want: []string{"2026-04-04 22:00 +0000"}},
		{name: "5 September in Santiago stays 5 September", zone: "America/Santiago", expr: "0 5 5 9 *", from: "2026-09-04 12:00",
			want: []string{"2026-09-05 05:00 -0400", "2027-09-05 05:00 -0300"}},
		{name: "daily midnight in Santiago", zone: "America/Santiago", expr: "0 0 * * *", from: "2026-09-05 12:00",
			want: []string{"2026-09-06 01:00 -0300", "2026-09-07 00:00 -0300"}},
		{name: "leap day beyond the turn of the century", zone: "UTC", expr: "0 0 29 2 *", from: "2096-03-01 00:00",
			want: []string{"2104-02-29 00:00 +0000"}},
		{name: "the last day of a leap year after the zone's table", zone: "Europe/Berlin", expr: "0 12 31 12 *", from: "2040-12-01 00:00",
			want: []string{"2040-12-31 12:00 +0100", "2041-12-31 12:00 +0100"}},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t) })
	}
}

func (c dstCase) check(t *testing.T) {
	t.Helper()
	s := compile(t, schedule.Config{Kind: schedule.KindCron, Cron: c.expr, Timezone: c.zone, DST: c.dst})
	from, err := time.ParseInLocation("2006-01-02 15:04", c.from, s.Location())
	require.NoError(t, err)
	var got []string
	at := from
	for range c.want {
		o, ok := s.Next(at)
		require.True(t, ok)
		got = append(got, o.Nominal.In(s.Location()).Format(offsetTime))
		require.Equal(t, o.Nominal, o.At)
		at = o.Nominal
	}
	require.Equal(t, c.want, got)
	for i := len(got) - 1; i >= 0; i-- {
		o, ok := s.Prev(at.Add(time.Nanosecond))
		require.True(t, ok)
		require.Equal(t, got[i], o.Nominal.In(s.Location()).Format(offsetTime), "going back")
		at = o.Nominal.Add(-time.Nanosecond)
	}
}

func TestClockChangeNotes(t *testing.T) {
	t.Parallel()
	s := compile(t, schedule.Config{Kind: schedule.KindCron, Cron: "30 1,2 * * *", Timezone: "America/New_York"})
	notes := func(from string) []schedule.Note {
		at, err := time.ParseInLocation("2006-01-02 15:04", from, s.Location())
		require.NoError(t, err)
		o, _ := s.Next(at)
		return o.Notes
	}
	require.Equal(t, []schedule.Note{schedule.NoteDSTGap}, notes("2026-03-08 01:30"))
	require.Equal(t, []schedule.Note{schedule.NoteDSTFold}, notes("2026-11-01 00:00"))
	require.Empty(t, notes("2026-06-01 00:00"))

	// A time that falls on the end of the gap anyway is seen alike from both sides.
	s = compile(t, schedule.Config{Kind: schedule.KindCron, Cron: "0,30 2,3 * * *", Timezone: "America/New_York"})
	end := time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC)
	next, _ := s.Next(end.Add(-time.Minute))
	prev, _ := s.Prev(end.Add(time.Minute))
	require.Equal(t, end, next.Nominal)
	require.Equal(t, next, prev)
}

// A rule may parse, and never match a real instant of its zone.
func TestNeverOutsideTheGap(t *testing.T) {
	t.Parallel()
	c := schedule.Config{Kind: schedule.KindCron, Cron: "0 30 2 8 3 * 2026", Timezone: "America/New_York"}
	require.False(t, compile(t, c).Never())
	c.DST.Gap = schedule.GapSkip
	require.True(t, compile(t, c).Never())
	require.Contains(t, compile(t, c).Problem().Reason, "the clock of America/New_York jumps over every time")
	c.DST.Gap, c.Cron = schedule.GapShift, "0 */5 2 8 3 * 2026"
	require.True(t, compile(t, c).Never())

	// Since 2007 New York's gap is always on that Sunday.
	s := compile(t, schedule.Config{Kind: schedule.KindCron, Cron: "*/5 2 * 3 SUN#2", Timezone: "America/New_York"})
	_, ok := s.Next(time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC))
	require.False(t, ok)
	last, ok := s.Prev(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	require.True(t, ok)
	require.Equal(t, 2006, last.Nominal.Year())
}
