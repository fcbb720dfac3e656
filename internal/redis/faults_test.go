package redis_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
	"github.com/nexuscore/scheduler/internal/redis"
)

// calls makes one of every call of the adapters.
func calls(ctx context.Context, c *redis.Client) map[string]func() error {
	locker, limiter := redis.NewLocker(c), redis.NewLimiter(c)
	return map[string]func() error{
		"acquire lease a": func() error { _, err := locker.Acquire(ctx, "a", "node", time.Minute); return err },
		"renew lease a": func() error {
			_, err := locker.Renew(ctx, core.NamedLease{Name: "a", Token: 1}, time.Minute)
			return err
		},
		"release lease a":  func() error { return locker.Release(ctx, core.NamedLease{Name: "a", Token: 1}) },
		"take from limits": func() error { _, err := limiter.Take(ctx, request("a", 1, time.Hour)); return err },
		"check":            func() error { _, err := c.Check(ctx); return err },
	}
}

func TestLostRedisFailsInBoundedTime(t *testing.T) {
	for name, trouble := range map[string]func(w *world){
		"cut":       func(w *world) { w.proxy.Cut() },
		"blackhole": func(w *world) { w.proxy.Blackhole() },
		"slow":      func(w *world) { w.proxy.Slow(2 * timeout) },
	} {
		for _, warm := range []bool{false, true} { // with and without an open connection
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				c := w.open()
				if warm {
					_, err := c.Check(t.Context())
					require.NoError(t, err)
				}
				trouble(w)
				for operation, call := range calls(t.Context(), c) {
					requireUnavailable(t, operation, timeout+timeout/2, call)
				}
				w.proxy.Heal()
				require.Eventually(t, func() bool { _, err := c.Check(t.Context()); return err == nil }, 20*time.Second, 10*time.Millisecond)
			})
		}
	}
}

// A server that was restarted has closed the connections and forgotten keys and
// scripts; the first call that follows works.
func TestRestartedRedis(t *testing.T) {
	w := newWorld(t)
	c := w.open()
	locker := redis.NewLocker(c)
	before := acquire(t, locker, "a", time.Minute)
	w.proxy.Drop()
	w.forget()
	require.NoError(t, w.direct.ScriptFlush(t.Context()).Err())
	require.Greater(t, acquire(t, locker, "a", time.Minute).Token, before.Token)
}

func TestManyCallersShareTheTimeout(t *testing.T) {
	w := newWorld(t)
	c := w.open(func(c *redis.Config) { c.PoolSize = 2 })
	w.proxy.Blackhole()
	var all sync.WaitGroup
	begun := time.Now()
	for range 50 {
		all.Go(func() { _, _ = c.Check(t.Context()) })
	}
	all.Wait()
	require.Less(t, time.Since(begun), 2*timeout, "callers queue for the pool")
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	h, err := w.open().Check(t.Context())
	require.NoError(t, err)
	require.Regexp(t, `^\d+\.\d+\.\d+$`, h.Version)
	require.Positive(t, h.Latency)
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	for _, url := range []string{"", "postgres://x", "redis://%zz"} {
		_, err := redis.Open(redis.Config{URL: url})
		require.ErrorContains(t, err, "redis: ")
	}
}

// fallback is a Fallback on Redis and on memory, with a clock for its pauses.
func (w *world) fallback() (*redis.Fallback, *coretest.Clock) {
	c, clock := w.open(), coretest.NewClock(w)
	return redis.NewFallback(redis.FallbackConfig{
		Locker: redis.NewLocker(c), Limiter: redis.NewLimiter(c),
		SecondLocker: memory.NewLocker(clock), SecondLimiter: memory.NewLimiter(clock),
		Pause: time.Minute, Clock: clock,
	}), clock
}

func TestFallbackLocker(t *testing.T) {
	coretest.TestLocker(t, func(t testing.TB) (core.Locker, func(time.Duration)) {
		f, _ := newWorld(t).fallback()
		return f, time.Sleep
	})
}

// Without Redis the second side hands out leases that hold, end and come back.
func TestFallbackLockerWithoutRedis(t *testing.T) {
	w := newWorld(t)
	f, clock := w.fallback()
	w.proxy.Cut()
	first := acquire(t, f, "a", time.Second)
	_, err := f.Acquire(t.Context(), "a", "node-b", time.Second)
	var held *core.LeaseHeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, "node-a", held.Owner)
	first, err = f.Renew(t.Context(), first, time.Second)
	require.NoError(t, err)
	require.NoError(t, f.Release(t.Context(), first))
	second := acquire(t, f, "a", time.Second)
	require.Greater(t, second.Token, first.Token)
	clock.Advance(2 * time.Second)
	require.Greater(t, acquire(t, f, "a", time.Second).Token, second.Token)
}

func TestFallbackLimiter(t *testing.T) {
	coretest.TestLimiter(t, func(t testing.TB) (core.Limiter, func(time.Duration)) {
		w := newWorld(t)
		f, clock := w.fallback()
		w.proxy.Cut()
		return f, func(d time.Duration) { clock.Advance(d) }
	})
}

// Over a change of sides there and back a limit is granted at most once more by
// the second side, and Redis remembers what it gave.
func TestFallbackGrantsALimitOnceMore(t *testing.T) {
	w := newWorld(t)
	f, clock := w.fallback()
	allowed := func() (n int) {
		for range 10 {
			d, err := f.Take(t.Context(), request("a", 3, time.Hour))
			require.NoError(t, err)
			if d[0].Allowed {
				n++
			}
		}
		return n
	}
	require.Equal(t, 3, allowed())
	require.False(t, f.State().Degraded)
	w.proxy.Cut()
	begun := time.Now()
	require.Equal(t, 3, allowed())
	require.Less(t, time.Since(begun), 2*timeout, "every call waits for Redis")
	require.True(t, f.State().Degraded)
	require.Error(t, f.State().Reason)
	require.Equal(t, clock.Now(), f.State().Since)
	w.proxy.Heal()
	require.Zero(t, allowed(), "the second side is still in use")
	require.True(t, f.State().Degraded)
	clock.Advance(time.Minute)
	require.Zero(t, allowed())
	require.False(t, f.State().Degraded)
	require.NoError(t, f.State().Reason)
}

func TestFallbackRenewsWhereTheLeaseIs(t *testing.T) {
	w := newWorld(t)
	f, clock := w.fallback()
	ofRedis := acquire(t, f, "a", time.Hour)
	w.proxy.Cut()
	_, err := f.Renew(t.Context(), ofRedis, time.Hour)
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err), "nobody knows whether it is lost: %v", err)
	require.NotErrorIs(t, err, core.ErrLeaseLost)

	ofSecond := acquire(t, f, "b", time.Hour)
	_, err = f.Renew(t.Context(), ofSecond, time.Hour)
	require.NoError(t, err)
	w.proxy.Heal()
	clock.Advance(time.Minute)
	_, err = f.Renew(t.Context(), ofRedis, time.Hour)
	require.NoError(t, err)
	require.False(t, f.State().Degraded)
	_, err = f.Renew(t.Context(), ofSecond, time.Hour)
	require.NoError(t, err, "it outlives the change of sides")
	require.NoError(t, f.Release(t.Context(), ofSecond))
	_, err = f.Renew(t.Context(), ofSecond, time.Hour)
	require.ErrorIs(t, err, core.ErrLeaseLost)
}

func TestFallbackIgnoresCallersThatGaveUp(t *testing.T) {
	w := newWorld(t)
	f, _ := w.fallback()
	w.proxy.Blackhole()
	ctx, cancel := context.WithTimeout(t.Context(), timeout/20)
	defer cancel()
	_, err := f.Take(ctx, request("a", 1, time.Hour))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, f.State().Degraded)
}
