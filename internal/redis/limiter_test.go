package redis_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/redis"
)

func TestLimiter(t *testing.T) {
	coretest.TestLimiter(t, func(t testing.TB) (core.Limiter, func(time.Duration)) {
		return redis.NewLimiter(newWorld(t).open()), time.Sleep
	})
}

func request(key string, limit int, per time.Duration) []core.LimitRequest {
	return []core.LimitRequest{{Key: key, Limit: limit, Per: per}}
}

// The longest period and the largest numbers must come out exact: the state is
// compared with what whole numbers give.
func TestLimiterCountsExactly(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	for _, c := range []struct {
		limit int
		per   time.Duration
	}{{1, century}, {7, century}, {int(century.Microseconds()), century}, {3, time.Second}, {1, time.Nanosecond}} {
		w := newWorld(t)
		l := redis.NewLimiter(w.open())
		before := time.Now().UnixMicro()
		d, err := l.Take(t.Context(), request("a", c.limit, c.per))
		require.NoError(t, err)
		require.True(t, d[0].Allowed)
		per := max(1, c.per.Microseconds())
		distance := (per + int64(c.limit) - 1) / int64(c.limit)
		if c.per < time.Millisecond {
			continue // its key has expired
		}
		state, err := w.direct.Get(t.Context(), w.prefix+":{limit}:a").Int64()
		if distance < time.Second.Microseconds() && err != nil {
			continue // the same
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, state-distance, before)
		require.LessOrEqual(t, state-distance, time.Now().UnixMicro())
	}
}

func TestLimiterRefusesWhatIsNoRate(t *testing.T) {
	l := redis.NewLimiter(newWorld(t).open())
	for _, r := range []core.LimitRequest{
		{Key: "a", Limit: 0, Per: time.Second}, {Key: "a", Limit: 1}, {Key: "a", Limit: -1, Per: -1},
		{Key: "a", Limit: 1, Per: math.MaxInt64}, {Key: "a", Limit: math.MaxInt64, Per: time.Second},
	} {
		_, err := l.Take(t.Context(), []core.LimitRequest{{Key: "b", Limit: 1, Per: time.Hour}, r})
		require.ErrorContains(t, err, "is no rate")
	}
	d, err := l.Take(t.Context(), request("b", 1, time.Hour))
	require.NoError(t, err)
	require.True(t, d[0].Allowed, "a failed call took something")
}

func TestLimiterOutgrowsAnOldLimit(t *testing.T) {
	l := redis.NewLimiter(newWorld(t).open())
	_, err := l.Take(t.Context(), request("a", 1, 24*time.Hour))
	require.NoError(t, err)
	d, err := l.Take(t.Context(), request("a", 10, time.Second))
	require.NoError(t, err)
	require.LessOrEqual(t, d[0].Wait, 100*time.Millisecond, "the old limit still holds the key")
}

func TestLimiterForgetsWholeKeys(t *testing.T) {
	w := newWorld(t)
	l := redis.NewLimiter(w.open())
	requests := make([]core.LimitRequest, 500)
	for i := range requests {
		requests[i] = core.LimitRequest{Key: fmt.Sprint(i), Limit: 1, Per: 200 * time.Millisecond}
	}
	decisions, err := l.Take(t.Context(), requests)
	require.NoError(t, err)
	require.Len(t, decisions, len(requests))
	for _, d := range decisions {
		require.True(t, d.Allowed)
	}
	require.Eventually(t, func() bool { return len(w.keys()) == 0 }, 20*time.Second, 20*time.Millisecond)
}

// A flush gives the whole allowance back, once.
func TestLimiterAfterAFlush(t *testing.T) {
	w := newWorld(t)
	l := redis.NewLimiter(w.open())
	allowed := func() (n int) {
		for range 10 {
			d, err := l.Take(t.Context(), request("a", 3, time.Hour))
			require.NoError(t, err)
			if d[0].Allowed {
				n++
			}
		}
		return n
	}
	require.Equal(t, 3, allowed())
	w.forget()
	require.Equal(t, 3, allowed())
}

func BenchmarkLimiter(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			l := redis.NewLimiter(newWorld(b).open())
			requests := make([]core.LimitRequest, n)
			for i := range requests {
				requests[i] = core.LimitRequest{Key: fmt.Sprint(i), Limit: 1_000_000, Per: time.Hour}
			}
			for b.Loop() {
				_, err := l.Take(b.Context(), requests)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
