package memory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

func TestLimiter(t *testing.T) {
	coretest.TestLimiter(t, func(t testing.TB) (core.Limiter, func(time.Duration)) {
		clock := coretest.NewClock(t)
		return memory.NewLimiter(clock), func(d time.Duration) { clock.Advance(d) }
	})
}

// limited asks once and returns the wait.
func limited(t *testing.T, l *memory.Limiter, key string, limit int, per time.Duration) time.Duration {
	t.Helper()
	d, err := l.Take(t.Context(), []core.LimitRequest{{Key: key, Limit: limit, Per: per}})
	require.NoError(t, err)
	return d[0].Wait
}

func TestLimiterKeepsTheRate(t *testing.T) {
	for _, c := range []struct {
		limit int
		per   time.Duration
	}{{1, time.Second}, {3, time.Second}, {7, time.Minute}, {1000, time.Millisecond}, {30, 24 * time.Hour}} {
		clock := coretest.NewClock(t)
		l := memory.NewLimiter(clock)
		for starts := 1; starts <= 5*c.limit; starts++ {
			for wait := limited(t, l, "a", c.limit, c.per); wait > 0; wait = limited(t, l, "a", c.limit, c.per) {
				clock.Advance(wait)
			}
			elapsed := clock.Now().Sub(coretest.Epoch())
			later := time.Duration(max(0, starts-c.limit)) // starts beyond the first burst
			require.GreaterOrEqual(t, elapsed, later*c.per/time.Duration(c.limit), "start %d of %d per %s was early", starts, c.limit, c.per)
			require.LessOrEqual(t, elapsed, later*(c.per/time.Duration(c.limit)+1), "start %d of %d per %s was late", starts, c.limit, c.per)
		}
	}
}

func TestLimiterWaitIsExact(t *testing.T) {
	clock := coretest.NewClock(t)
	l := memory.NewLimiter(clock)
	for range 3 {
		require.Zero(t, limited(t, l, "a", 3, time.Second))
	}
	wait := limited(t, l, "a", 3, time.Second)
	require.Equal(t, 333_333_334*time.Nanosecond, wait, "rounded up: never faster than the limit")
	clock.Advance(wait - 1)
	require.Equal(t, time.Duration(1), limited(t, l, "a", 3, time.Second))
	clock.Advance(1)
	require.Zero(t, limited(t, l, "a", 3, time.Second))
}

func TestLimiterOutgrowsAnOldLimit(t *testing.T) {
	clock := coretest.NewClock(t)
	l := memory.NewLimiter(clock)
	require.Zero(t, limited(t, l, "a", 1, 24*time.Hour))
	require.Equal(t, 100*time.Millisecond, limited(t, l, "a", 10, time.Second), "the old limit still holds the key")
	clock.Advance(-time.Hour)
	require.Equal(t, 100*time.Millisecond, limited(t, l, "a", 10, time.Second), "the clock was set back")
}

func TestLimiterForgetsWholeKeys(t *testing.T) {
	clock := coretest.NewClock(t)
	l := memory.NewLimiter(clock)
	for i := range 1000 {
		require.Zero(t, limited(t, l, fmt.Sprint(i), 1, time.Second))
		clock.Advance(100 * time.Millisecond)
	}
	require.LessOrEqual(t, memory.Limited(l), 11)
}

func TestLimiterRefusesWhatIsNoRate(t *testing.T) {
	l := memory.NewLimiter(coretest.NewClock(t))
	for _, r := range []core.LimitRequest{{Key: "a", Limit: 0, Per: time.Second}, {Key: "a", Limit: 1}, {Key: "a", Limit: -1, Per: -1}} {
		_, err := l.Take(t.Context(), []core.LimitRequest{{Key: "b", Limit: 1, Per: time.Second}, r})
		require.Error(t, err)
	}
	require.Zero(t, limited(t, l, "b", 1, time.Second), "a failed call took something")
}
