package schedule_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core/schedule"
)

// placeModel applies calendars and windows the slow way: minute by minute and
// date by date, over lists, following the words of the documentation.
type placeModel struct {
	config   schedule.Config
	loc      *time.Location
	from, to int64            // minutes since the epoch, far outside what is compared
	open     []bool           // for each minute from from
	first    []int64          // for each wall-clock minute from from-1440: the first minute that shows it
	second   []bool           // for each minute from from: it shows a time already shown
	zones    []*time.Location // of the windows
}

const modelMargin = 12 * 1440

func newPlaceModel(c schedule.Config, loc *time.Location, from, to int64) *placeModel {
	m := &placeModel{config: c, loc: loc, from: from - modelMargin, to: to + modelMargin}
	m.first = make([]int64, m.to-m.from+2*1440)
	clocks := make([]string, 1440)
	for i := range clocks {
		clocks[i] = fmt.Sprintf("%02d:%02d", i/60, i%60)
	}
	for _, w := range c.Windows {
		zone := loc
		if w.Timezone != "" {
			zone, _ = time.LoadLocation(w.Timezone)
		}
		m.zones = append(m.zones, zone)
	}
	free := map[int64]bool{}
	for minute := m.from; minute < m.to; minute++ {
		t := time.Unix(minute*60, 0)
		wall := m.wall(minute)
		m.second = append(m.second, m.first[wall-m.from+1440] != 0)
		if m.first[wall-m.from+1440] == 0 {
			m.first[wall-m.from+1440] = minute
		}
		if _, known := free[wall/1440]; !known {
			free[wall/1440] = m.free(t.In(loc))
		}
		m.open = append(m.open, free[wall/1440] && m.inWindow(t, clocks))
	}
	return m
}

func (m *placeModel) wall(minute int64) int64 {
	_, off := time.Unix(minute*60, 0).In(m.loc).Zone()
	return minute + int64(off)/60
}

func (m *placeModel) inWindow(t time.Time, clocks []string) bool {
	for i, w := range m.config.Windows {
		local := t.In(m.zones[i])
		clock := clocks[local.Hour()*60+local.Minute()]
		on := func(d time.Weekday) bool {
			return len(w.Days) == 0 || slices.Contains(w.Days, strings.ToUpper(d.String()[:3]))
		}
		today, yesterday := local.Weekday(), (local.Weekday()+6)%7
		if w.End > w.Start {
			if clock >= w.Start && clock < w.End && on(today) {
				return true
			}
			continue
		}
		if clock >= w.Start && on(today) || clock < w.End && on(yesterday) {
			return true
		}
	}
	return len(m.config.Windows) == 0
}

// excluded says which policy applies on a date; "" when it is free.
func (m *placeModel) excluded(date time.Time) schedule.OnExcluded {
	found := schedule.OnExcluded("")
	for _, c := range m.config.Calendars {
		text := date.Format(time.DateOnly)
		hit := slices.Contains(c.Dates, text) || slices.Contains(c.Yearly, text[5:]) ||
			slices.Contains(c.Weekdays, strings.ToUpper(date.Weekday().String()[:3])) ||
			slices.ContainsFunc(c.Ranges, func(r schedule.DateRange) bool { return r.From <= text && text <= r.To })
		if hit && found != schedule.ExcludedSkip {
			found = c.OnExcluded
		}
	}
	return found
}

func (m *placeModel) free(date time.Time) bool { return m.excluded(date) == "" }

type modelOccurrence struct{ nominal, at int64 }

// moved puts the nominal minutes where the calendars want them.
func (m *placeModel) moved(nominal []int64) []modelOccurrence {
	byDate := map[string][]int64{}
	for _, n := range nominal {
		date := time.Unix(n*60, 0).In(m.loc).Format(time.DateOnly)
		byDate[date] = append(byDate[date], n)
	}
	type source struct {
		date     string
		distance int
	}
	nearest := map[string]source{}
	for text := range byDate {
		date, _ := time.Parse(time.DateOnly, text)
		step := map[schedule.OnExcluded]int{schedule.ExcludedNext: 1, schedule.ExcludedPrevious: -1}[m.excluded(date)]
		if step == 0 {
			continue
		}
		distance, target := 0, date
		for !m.free(target) && distance < 400 {
			target, distance = target.AddDate(0, 0, step), distance+1
		}
		to := target.Format(time.DateOnly)
		if s, taken := nearest[to]; len(byDate[to]) == 0 && (!taken || distance < s.distance) {
			nearest[to] = source{text, distance}
		}
	}
	var out []modelOccurrence
	for text, list := range byDate {
		if date, _ := time.Parse(time.DateOnly, text); m.free(date) {
			for _, n := range list {
				out = append(out, modelOccurrence{n, n})
			}
		}
	}
	for to, s := range nearest {
		target, _ := time.Parse(time.DateOnly, to)
		date, _ := time.Parse(time.DateOnly, s.date)
		shift := target.Unix()/60 - date.Unix()/60
		for _, n := range byDate[s.date] {
			if at, ok := m.showing(m.wall(n) + shift); ok && !m.second[n-m.from] {
				out = append(out, modelOccurrence{n, at})
			}
		}
	}
	slices.SortFunc(out, func(a, b modelOccurrence) int { return int(a.nominal - b.nominal) })
	return out
}

// showing gives the minute at which the clock first shows a time, or, in a gap,
// the end of the gap.
func (m *placeModel) showing(wall int64) (int64, bool) {
	if at := m.first[wall-m.from+1440]; at != 0 {
		return at, true
	}
	for later := wall; later < wall+3*60; later++ {
		if at := m.first[later-m.from+1440]; at != 0 {
			return at, m.config.DST.Gap != schedule.GapSkip
		}
	}
	return 0, false
}

// place gives the occurrences with their starts; complete is false when one
// waits beyond the edge of the model.
func (m *placeModel) place(nominal []int64) (out []modelOccurrence, complete bool) {
	complete = true
	for _, o := range m.moved(nominal) {
		if m.config.Windows != nil && !m.open[o.at-m.from] {
			if m.config.Outside == schedule.OutsideSkip {
				continue
			}
			wait := slices.Index(m.open[o.at-m.from:], true)
			if wait < 0 {
				complete = false
				continue
			}
			o.at += int64(wait)
		}
		if n := len(out); n > 0 && out[n-1].at == o.at {
			out[n-1] = o
			continue
		}
		out = append(out, o)
	}
	return out, complete
}

func genPlaceConfig(t *rapid.T) (schedule.Config, time.Time) {
	zone := rapid.SampledFrom([]string{"UTC", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut", "Asia/Kathmandu", "America/Santiago"}).Draw(t, "zone")
	start := rapid.SampledFrom([]time.Time{
		time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 22, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 9, 4, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 29, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 22, 0, 0, 0, 0, time.UTC),
	}).Draw(t, "start")
	c := schedule.Config{Timezone: zone, Kind: schedule.KindCron}
	c.Outside = rapid.SampledFrom([]schedule.Outside{schedule.OutsideDefer, schedule.OutsideSkip}).Draw(t, "outside")
	c.DST.Gap = rapid.SampledFrom([]schedule.Gap{schedule.GapShift, schedule.GapSkip}).Draw(t, "gap")
	if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		c.Kind = schedule.KindRecurring
		c.StartAt = start.Add(-40 * 24 * time.Hour)
		c.Interval = time.Duration(rapid.SampledFrom([]int{7, 45, 90, 600, 1440, 2160, 5000}).Draw(t, "interval")) * time.Minute
	} else {
		minute := rapid.SampledFrom([]string{"0", "30", "*/20", "15,45", "*"}).Draw(t, "minute")
		hour := rapid.SampledFrom([]string{"*", "2", "0", "9", "1-3", "22,23", "*/6"}).Draw(t, "hour")
		days := rapid.SampledFrom([]string{"* * *", "* * *", "* * SAT", "* * SUN", "* * SAT,SUN", "* * MON,THU", "1,15 * *", "*/3 * *", "L * *", "25 * *"}).Draw(t, "days")
		c.Cron = minute + " " + hour + " " + days
	}
	weekday := rapid.SampledFrom([]string{"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"})
	date := rapid.Custom(func(t *rapid.T) string {
		return start.AddDate(0, 0, rapid.IntRange(0, 9).Draw(t, "day")).Format(time.DateOnly)
	})
	direction := rapid.SampledFrom([]schedule.OnExcluded{schedule.ExcludedNext, schedule.ExcludedPrevious}).Draw(t, "direction")
	for range rapid.IntRange(0, 3).Draw(t, "calendars") {
		cal := schedule.Calendar{OnExcluded: direction}
		if rapid.IntRange(0, 2).Draw(t, "skip") == 0 {
			cal.OnExcluded = schedule.ExcludedSkip
		}
		cal.Weekdays = rapid.SliceOfN(weekday, 0, 2).Draw(t, "weekdays")
		cal.Dates = rapid.SliceOfN(date, 0, 2).Draw(t, "dates")
		if from := date.Draw(t, "range"); rapid.IntRange(0, 2).Draw(t, "ranged") == 0 {
			end, _ := time.Parse(time.DateOnly, from)
			cal.Ranges = []schedule.DateRange{{From: from, To: end.AddDate(0, 0, rapid.IntRange(0, 4).Draw(t, "length")).Format(time.DateOnly)}}
		}
		if rapid.Bool().Draw(t, "yearly") {
			cal.Yearly = []string{date.Draw(t, "yearly date")[5:]}
		}
		c.Calendars = append(c.Calendars, cal)
	}
	clock := rapid.SampledFrom([]string{"00:00", "01:30", "02:00", "02:30", "03:00", "09:00", "17:00", "23:30"})
	for range rapid.IntRange(0, 2).Draw(t, "windows") {
		c.Windows = append(c.Windows, schedule.Window{
			Days: rapid.SliceOfN(weekday, 0, 3).Draw(t, "window days"), Start: clock.Draw(t, "window start"), End: clock.Draw(t, "window end"),
			Timezone: rapid.SampledFrom([]string{"", "", "Europe/Berlin", "Asia/Tokyo"}).Draw(t, "window zone"),
		})
	}
	return c, start
}

// TestPlacementModel compares calendars and windows with the model.
func TestPlacementModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, checkPlacement)
}

func checkPlacement(t *rapid.T) {
	c, start := genPlaceConfig(t)
	from, to := start.Unix()/60, start.Unix()/60+7*1440
	s, err := schedule.Compile(c)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	m := newPlaceModel(c, s.Location(), from, to)
	plain := c
	plain.Calendars, plain.Windows = nil, nil
	raw, _ := schedule.Compile(plain)
	var nominal []int64
	for _, o := range raw.Between(time.Unix(m.from*60+86400*3, 0), time.Unix(m.to*60-86400*3, 0), 1<<20) {
		nominal = append(nominal, o.Nominal.Unix()/60)
	}
	placed, complete := m.place(nominal)
	if !complete {
		return
	}
	var want, got []string
	for _, o := range placed {
		if o.nominal > from && o.nominal <= to {
			want = append(want, pairText(time.Unix(o.nominal*60, 0), time.Unix(o.at*60, 0)))
		}
	}
	end := time.Unix(to*60, 0)
	for _, o := range s.Between(time.Unix(from*60, 0), end, 1<<20) {
		got = append(got, pairText(o.Nominal, o.At))
	}
	if !slices.Equal(want, got) {
		t.Fatalf("%+v\nBetween %s\nmodel   %s", c, firstDifference(got, want), firstDifference(want, got))
	}
	got = nil
	for o, ok := s.Prev(end.Add(1)); ok && o.Nominal.Unix() > from*60 && len(got) < 40; o, ok = s.Prev(o.Nominal) {
		got = append(got, pairText(o.Nominal, o.At))
	}
	slices.Reverse(got)
	if tail := want[max(0, len(want)-40):]; !slices.Equal(tail, got) {
		t.Fatalf("%+v\nPrev  %s\nmodel %s", c, firstDifference(got, tail), firstDifference(tail, got))
	}
	for minute := from; minute < to; minute += 11 {
		open, _ := s.InWindow(time.Unix(minute*60, 0))
		if want := m.open[minute-m.from]; open != want {
			t.Fatalf("%+v\nInWindow(%v) is %v", c, time.Unix(minute*60, 0).UTC(), open)
		}
	}
}

func pairText(nominal, at time.Time) string {
	return fmt.Sprintf("%s→%s", nominal.UTC().Format("01-02T15:04"), at.UTC().Format("01-02T15:04"))
}

func firstDifference(a, b []string) string {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("#%d of %d: %v", i, len(a), a[i:min(i+4, len(a))])
		}
	}
	return fmt.Sprintf("ends after %d", len(a))
}

// A calendar and windows as a person would write them.
func TestCalendarMoves(t *testing.T) {
	t.Parallel()
	weekend := schedule.Calendar{Name: "weekend", Weekdays: []string{"SAT", "SUN"}}
	holidays := schedule.Calendar{Name: "holidays", Yearly: []string{"12-25", "12-26"}, Ranges: []schedule.DateRange{{From: "2026-12-31", To: "2027-01-01"}}}
	run := func(policy schedule.OnExcluded, expr string) []string {
		a, b := weekend, holidays
		a.OnExcluded, b.OnExcluded = policy, policy
		s := compile(t, schedule.Config{Kind: schedule.KindCron, Cron: expr, Calendars: []schedule.Calendar{a, b}})
		var out []string
		for _, o := range s.Between(time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 4, 23, 0, 0, 0, time.UTC), 100) {
			text := pairText(o.Nominal, o.At)
			if len(o.Notes) > 0 {
				text += " " + fmt.Sprint(o.Notes)
			}
			out = append(out, text)
		}
		return out
	}
	// Friday 25 to Sunday 27 December, Thursday 31 to Sunday 3 January are off.
	require.Equal(t, []string{"12-24T09:00→12-24T09:00", "12-28T09:00→12-28T09:00", "12-29T09:00→12-29T09:00", "12-30T09:00→12-30T09:00", "01-04T09:00→01-04T09:00"},
		run(schedule.ExcludedSkip, "0 9 * * *"))
	require.Equal(t, run(schedule.ExcludedSkip, "0 9 * * *"), run(schedule.ExcludedNext, "0 9 * * *"), "moved onto a day that has its own: merged")
	require.Equal(t, []string{"12-25T09:00→12-28T09:00 [MOVED_BY_CALENDAR]"}, run(schedule.ExcludedNext, "0 9 25 12 *"))
	require.Equal(t, []string{"12-25T09:00→12-24T09:00 [MOVED_BY_CALENDAR]"}, run(schedule.ExcludedPrevious, "0 9 25 12 *"))
	require.Equal(t, []string{"12-27T09:00→12-28T09:00 [MOVED_BY_CALENDAR]", "01-03T09:00→01-04T09:00 [MOVED_BY_CALENDAR]"}, run(schedule.ExcludedNext, "0 9 * * FRI,SAT,SUN"))
	require.Equal(t, []string{"12-25T09:00→12-24T09:00 [MOVED_BY_CALENDAR]", "01-01T09:00→12-30T09:00 [MOVED_BY_CALENDAR]"}, run(schedule.ExcludedPrevious, "0 9 * * FRI,SAT,SUN"))
	require.Empty(t, run(schedule.ExcludedSkip, "0 9 25 12 *"))
}

// A date that shows an hour twice moves as a date of 24 hours.
func TestRepeatedHourMovesOnce(t *testing.T) {
	t.Parallel()
	s := compile(t, schedule.Config{
		Kind: schedule.KindCron, Cron: "*/30 * * * SUN", Timezone: "America/New_York",
		Calendars: []schedule.Calendar{{Weekdays: []string{"SUN"}, OnExcluded: schedule.ExcludedNext}},
	})
	sunday := time.Date(2026, 11, 1, 0, 0, 0, 0, s.Location())
	moved := s.Between(sunday.Add(-time.Minute), sunday.AddDate(0, 0, 1), 100)
	require.Len(t, moved, 48)
	for i, o := range moved {
		require.Equal(t, sunday.AddDate(0, 0, 1).Add(time.Duration(i)*30*time.Minute).UTC(), o.At)
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	office := schedule.Window{Days: []string{"MON", "TUE", "WED", "THU", "FRI"}, Start: "09:00", End: "17:00", Timezone: "Europe/Berlin"}
	c := schedule.Config{Kind: schedule.KindCron, Cron: "*/30 * * * *", Windows: []schedule.Window{office}}
	friday := time.Date(2026, 6, 5, 14, 30, 0, 0, time.UTC) // 16:30 in Berlin
	s := compile(t, c)
	o, ok := s.Next(friday)
	require.True(t, ok)
	require.Equal(t, "06-08T07:00→06-08T07:00", pairText(o.Nominal, o.At), "a weekend of half hours is one start")

	c.Cron = "0 3,4 * * *"
	o, _ = compile(t, c).Next(friday)
	require.Equal(t, "06-08T04:00→06-08T07:00", pairText(o.Nominal, o.At))
	require.Equal(t, []schedule.Note{schedule.NoteDeferredByWindow}, o.Notes)

	c.Outside = schedule.OutsideSkip
	s = compile(t, c)
	_, ok = s.Next(friday)
	require.False(t, ok, "03:00 and 04:00 UTC are never in the window")
	require.True(t, s.Never())
	require.Equal(t, "executionWindows", s.Problem().Field)

	open, next := s.InWindow(friday)
	require.True(t, open)
	require.Equal(t, friday, next)
	open, next = s.InWindow(friday.Add(30 * time.Minute))
	require.False(t, open, "the end is not in the window")
	require.Equal(t, time.Date(2026, 6, 8, 7, 0, 0, 0, time.UTC), next)

	c.Cron = "0 8,18 * * FRI,SAT"
	c.Calendars = []schedule.Calendar{{Weekdays: []string{"SAT", "SUN"}, OnExcluded: schedule.ExcludedNext}}
	o, ok = compile(t, c).Next(friday)
	require.True(t, ok)
	require.Equal(t, "06-06T08:00→06-08T08:00", pairText(o.Nominal, o.At), "skipping Friday evening does not skip what moves to Monday")

	night := schedule.Window{Days: []string{"FRI"}, Start: "22:00", End: "06:00"}
	s = compile(t, schedule.Config{Kind: schedule.KindManual, Windows: []schedule.Window{night}})
	for at, want := range map[string]bool{
		"2026-06-05T21:59:59Z": false, "2026-06-05T22:00:00Z": true, "2026-06-06T05:59:59Z": true, "2026-06-06T06:00:00Z": false,
		"2026-06-05T03:00:00Z": false, "2026-06-06T22:00:00Z": false,
	} {
		instant, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		open, _ := s.InWindow(instant)
		require.Equal(t, want, open, at)
	}
	whole := schedule.Window{Start: "00:00", End: "24:00"}
	open, _ = compile(t, schedule.Config{Kind: schedule.KindManual, Windows: []schedule.Window{whole}}).InWindow(friday)
	require.True(t, open)
	shut := schedule.Calendar{Weekdays: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}
	open, next = compile(t, schedule.Config{Kind: schedule.KindManual, Calendars: []schedule.Calendar{shut}}).InWindow(friday)
	require.False(t, open)
	require.True(t, next.IsZero())
}
