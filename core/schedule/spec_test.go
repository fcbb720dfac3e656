package schedule_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core/schedule"
)

// Next moves forward, Between is repeated Next, Prev undoes Next, and starts
// keep the order of nominal times, for every kind of schedule.
func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c, start := genPlaceConfig(rt)
		c.Jitter = time.Duration(rapid.IntRange(0, 3600).Draw(rt, "jitter")) * time.Second
		s, err := schedule.Compile(c)
		require.NoError(rt, err)
		at := start.Add(time.Duration(rapid.Int64Range(0, int64(9*24*time.Hour)).Draw(rt, "at")))
		list := s.Between(at, at.AddDate(0, 0, 5), 60)
		cursor := at
		for i, o := range list {
			next, ok := s.Next(cursor)
			require.True(rt, ok)
			require.Equal(rt, o, next, "Between is repeated Next")
			require.True(rt, next.Nominal.After(cursor))
			require.Equal(rt, time.UTC, o.At.Location())
			require.True(rt, i == 0 || !o.At.Before(list[i-1].At))
			back, ok := s.Prev(next.Nominal)
			require.Equal(rt, ok && back.Nominal.After(at), i > 0)
			require.False(rt, back.Nominal.After(cursor), "Prev of Next is not after where Next began")
			if i > 0 {
				require.Equal(rt, list[i-1], back)
			}
			cursor = o.Nominal
		}
	})
}

// A nominal time identifies an occurrence: asking from anywhere gives the same.
func TestNextIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c, start := genPlaceConfig(rt)
		s, err := schedule.Compile(c)
		require.NoError(rt, err)
		o, ok := s.Next(start)
		if !ok {
			return
		}
		gap := o.Nominal.Sub(start)
		within := start.Add(time.Duration(rapid.Int64Range(0, int64(gap)-1).Draw(rt, "within")))
		again, _ := s.Next(within)
		require.Equal(rt, o, again)
	})
}

func TestSpecIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := compile(t, schedule.Config{
		Kind: schedule.KindCron, Cron: "*/5 * * * *", Timezone: "Europe/Berlin", Jitter: time.Minute,
		Windows:   []schedule.Window{{Start: "09:00", End: "17:00"}},
		Calendars: []schedule.Calendar{{Weekdays: []string{"SUN"}, OnExcluded: schedule.ExcludedNext}},
	})
	want := s.Between(utc2026, utc2026.AddDate(0, 0, 7), 1000)
	require.NotEmpty(t, want)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got := s.Between(utc2026, utc2026.AddDate(0, 0, 7), 1000)
			same := slices.EqualFunc(want, got, func(a, b schedule.Occurrence) bool { return a.Nominal.Equal(b.Nominal) && a.At.Equal(b.At) })
			if !same {
				t.Error("two goroutines see different occurrences")
			}
			s.Describe()
			s.Warnings(utc2026)
		})
	}
	wg.Wait()
}

// The search backwards halves time; it must not step over an occurrence that a
// half falls on exactly.
func TestPrevLandsOnOccurrences(t *testing.T) {
	t.Parallel()
	s := compile(t, schedule.Config{
		Kind: schedule.KindCron, Cron: "0 9 * * FRI,SAT", Windows: []schedule.Window{{Start: "00:00", End: "24:00"}},
	})
	saturday := time.Date(2026, 6, 6, 9, 0, 0, 0, time.UTC)
	check := func(before time.Time) {
		o, ok := s.Prev(before)
		require.True(t, ok)
		require.Equal(t, saturday, o.Nominal, before)
	}
	for k := range 19 {
		strides := time.Duration(1<<k-1) * time.Second
		check(saturday.Add(strides + time.Microsecond))
		check(saturday.Add(strides + 24*time.Hour + time.Microsecond)) // half way from Friday to then
	}
}
