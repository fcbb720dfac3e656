package redis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/redis"
)

func TestLocker(t *testing.T) {
	coretest.TestLocker(t, func(t testing.TB) (core.Locker, func(time.Duration)) {
		return redis.NewLocker(newWorld(t).open()), time.Sleep
	})
}

func acquire(t testing.TB, l core.Locker, name string, ttl time.Duration) core.NamedLease {
	t.Helper()
	lease, err := l.Acquire(t.Context(), name, "node-a", ttl)
	require.NoError(t, err)
	return lease
}

func TestLockerTokensSurviveAFlush(t *testing.T) {
	w := newWorld(t)
	l := redis.NewLocker(w.open())
	last := acquire(t, l, "janitor", time.Minute)
	for range 5 {
		w.forget()
		_, err := l.Renew(t.Context(), last, time.Minute)
		require.ErrorIs(t, err, core.ErrLeaseLost)
		require.NoError(t, l.Release(t.Context(), last))
		next := acquire(t, l, "janitor", time.Minute)
		require.Greater(t, next.Token, last.Token)
		last = next
	}
}

// A clock that was set back must not make tokens smaller while Redis remembers
// the last one.
func TestLockerTokensSurviveAClockSetBack(t *testing.T) {
	w := newWorld(t)
	l := redis.NewLocker(w.open())
	first := acquire(t, l, "janitor", time.Minute)
	ahead := first.Token + (24 * time.Hour).Microseconds()
	key := w.keys()[0]
	require.NoError(t, w.direct.HSet(t.Context(), key, "token", ahead, "until", 0).Err())
	require.Equal(t, ahead+1, acquire(t, l, "janitor", time.Minute).Token)
}

func TestLockerRemembersForADay(t *testing.T) {
	w := newWorld(t)
	l := redis.NewLocker(w.open())
	lease := acquire(t, l, "janitor", time.Hour)
	left, err := w.direct.PTTL(t.Context(), w.keys()[0]).Result()
	require.NoError(t, err)
	require.InDelta(t, 25*time.Hour, left, float64(time.Minute))
	require.InDelta(t, time.Now().UnixMicro(), lease.Token, float64(time.Minute.Microseconds()), "the server's time in microseconds")
	require.Equal(t, time.UnixMicro(lease.Token).Add(time.Hour).UTC(), lease.Until, "exact to the microsecond")
}

// A script that the server has forgotten is sent again.
func TestLockerSurvivesAScriptFlush(t *testing.T) {
	w := newWorld(t)
	l := redis.NewLocker(w.open())
	lease := acquire(t, l, "janitor", time.Minute)
	for range 3 {
		require.NoError(t, w.direct.ScriptFlush(t.Context()).Err())
		var err error
		lease, err = l.Renew(t.Context(), lease, time.Minute)
		require.NoError(t, err)
	}
	require.NoError(t, w.direct.ScriptFlush(t.Context()).Err())
	require.NoError(t, l.Release(t.Context(), lease))
}
