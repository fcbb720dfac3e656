package schedule_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core/schedule"
)

var utc2026 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 9, 0, 0, 123456789, time.FixedZone("", 7200))
	s := compile(t, schedule.Config{Kind: schedule.KindOnce, RunAt: at})
	o, ok := s.Next(utc2026)
	require.True(t, ok)
	require.Equal(t, time.Date(2026, 7, 1, 7, 0, 0, 123456000, time.UTC), o.Nominal)
	require.Equal(t, o.Nominal, o.At)
	_, ok = s.Next(o.Nominal)
	require.False(t, ok)
	back, ok := s.Prev(o.Nominal.Add(1))
	require.True(t, ok)
	require.Equal(t, o.Nominal, back.Nominal)
	_, ok = s.Prev(o.Nominal)
	require.False(t, ok)
}

func TestManualAndDependencyNeverOccur(t *testing.T) {
	t.Parallel()
	for _, kind := range []schedule.Kind{schedule.KindManual, schedule.KindDependency} {
		s := compile(t, schedule.Config{Kind: kind})
		_, ok := s.Next(utc2026)
		require.False(t, ok)
		_, ok = s.Prev(utc2026)
		require.False(t, ok)
		require.Empty(t, s.Between(utc2026, utc2026.AddDate(9, 0, 0), 10))
		require.False(t, s.Never())
		require.Nil(t, s.Problem())
		require.Empty(t, s.Warnings(utc2026))
	}
}

func TestIntervalIsAnchored(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	s := compile(t, schedule.Config{Kind: schedule.KindRecurring, Interval: 24 * time.Hour, StartAt: start, Timezone: "America/New_York"})
	o, ok := s.Next(utc2026)
	require.True(t, ok)
	require.Equal(t, start, o.Nominal, "the anchor is the first")
	for k := 1; k < 1000; k++ {
		o, ok = s.Next(o.Nominal.Add(time.Duration(k) * time.Microsecond)) // a late caller causes no drift
		require.True(t, ok)
		require.Equal(t, start.Add(time.Duration(k)*24*time.Hour), o.Nominal, "a day is 24 hours of real time")
	}
	_, ok = s.Prev(start)
	require.False(t, ok)

	free := compile(t, schedule.Config{Kind: schedule.KindRecurring, Interval: 90 * time.Second})
	o, _ = free.Next(utc2026)
	require.Zero(t, o.Nominal.Unix()%90, "without a start the anchor is the Unix epoch")
	every := compile(t, schedule.Config{Kind: schedule.KindCron, Cron: "@every 90s"})
	e, _ := every.Next(utc2026)
	require.Equal(t, o.Nominal, e.Nominal)
	parsed, err := schedule.ParseCron("@every 90s", "")
	require.NoError(t, err)
	require.Equal(t, time.Unix(0, 0).UTC(), parsed.Next(time.Date(1965, 1, 1, 0, 0, 0, 0, time.UTC)), "nothing is before the anchor")
	every = compile(t, schedule.Config{Kind: schedule.KindCron, Cron: "@every 90s", StartAt: start.Add(time.Second)})
	e, _ = every.Next(start)
	require.Equal(t, start.Add(time.Second), e.Nominal)
}

func TestBoundsAreInclusive(t *testing.T) {
	t.Parallel()
	c := schedule.Config{Kind: schedule.KindCron, Cron: "0 * * * *", StartAt: utc2026, EndAt: utc2026.Add(3 * time.Hour)}
	s := compile(t, c)
	all := s.Between(time.Time{}, utc2026.AddDate(500, 0, 0), 100)
	require.Len(t, all, 4)
	require.Equal(t, c.StartAt, all[0].Nominal)
	require.Equal(t, c.EndAt, all[3].Nominal)
	o, ok := s.Prev(utc2026.AddDate(500, 0, 0))
	require.True(t, ok)
	require.Equal(t, c.EndAt, o.Nominal)
	_, ok = s.Prev(c.StartAt)
	require.False(t, ok)

	require.Len(t, s.Between(c.StartAt, c.EndAt, 100), 3, "from is excluded, to is included")
	require.Len(t, s.Between(c.StartAt, c.EndAt, 2), 2)
	require.Empty(t, s.Between(c.StartAt, c.EndAt, 0))
	require.Empty(t, s.Between(c.EndAt, c.StartAt, 10))
}

func TestJitter(t *testing.T) {
	t.Parallel()
	jitter := 10 * time.Minute
	c := schedule.Config{Kind: schedule.KindCron, Cron: "0 * * * *", Jitter: jitter, Seed: "a"}
	s, again := compile(t, c), compile(t, c)
	c.Seed = "b"
	other := compile(t, c)
	different, low, high := 0, jitter, time.Duration(0)
	for i, o := range s.Between(utc2026, utc2026.AddDate(0, 1, 0), 500) {
		delay := o.At.Sub(o.Nominal)
		require.True(t, delay >= 0 && delay < jitter, delay)
		require.Zero(t, delay%time.Millisecond)
		require.Equal(t, delay > 0, len(o.Notes) == 1 && o.Notes[0] == schedule.NoteJittered)
		low, high = min(low, delay), max(high, delay)
		same, _ := again.Next(o.Nominal.Add(-time.Second))
		require.Equal(t, o, same, i)
		if b, _ := other.Next(o.Nominal.Add(-time.Second)); b.At != o.At {
			different++
		}
	}
	require.Less(t, low, time.Minute)
	require.Greater(t, high, 9*time.Minute)
	require.Greater(t, different, 490)
}

// Jitter never leaves the window and never reaches the next nominal time.
func TestJitterKeepsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c, start := genPlaceConfig(rt)
		c.Seed = rapid.String().Draw(rt, "seed")
		c.Jitter = time.Duration(rapid.IntRange(0, 200_000).Draw(rt, "jitter seconds")) * time.Second
		s, err := schedule.Compile(c)
		if err != nil {
			rt.Fatal(err)
		}
		list := s.Between(start, start.AddDate(0, 0, 9), 150)
		for i, o := range list {
			if open, _ := s.InWindow(o.At); !open {
				rt.Fatalf("%+v: %v starts outside its window at %v", c, o.Nominal, o.At)
			}
			if i == 0 {
				continue
			}
			before := list[i-1]
			if !before.Nominal.Before(o.Nominal) || !before.At.Before(o.At) {
				rt.Fatalf("%+v: %v starts at %v, before %v at %v", c, o.Nominal, o.At, before.Nominal, before.At)
			}
			onlyJitter := len(before.Notes) == 1 && before.Notes[0] == schedule.NoteJittered
			if onlyJitter && !before.At.Before(o.Nominal) {
				rt.Fatalf("%+v: %v is jittered past %v", c, before.Nominal, o.Nominal)
			}
		}
	})
}
