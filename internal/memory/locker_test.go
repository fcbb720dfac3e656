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

func TestLocker(t *testing.T) {
	coretest.TestLocker(t, func(t testing.TB) (core.Locker, func(time.Duration)) {
		clock := coretest.NewClock(t)
		return memory.NewLocker(clock), func(d time.Duration) { clock.Advance(d) }
	})
}

func TestLockerExpiresToTheInstant(t *testing.T) {
	clock := coretest.NewClock(t)
	l := memory.NewLocker(clock)
	lease, err := l.Acquire(t.Context(), "a", "x", time.Second)
	require.NoError(t, err)
	require.Equal(t, clock.Now().Add(time.Second), lease.Until)

	clock.Set(lease.Until.Add(-1))
	_, err = l.Acquire(t.Context(), "a", "y", time.Second)
	require.Equal(t, &core.LeaseHeldError{Name: "a", Owner: "x", Until: lease.Until}, err)
	clock.Set(lease.Until)
	_, err = l.Acquire(t.Context(), "a", "y", time.Second)
	require.NoError(t, err)
}

func TestLockerForgetsExpiredLeases(t *testing.T) {
	clock := coretest.NewClock(t)
	l := memory.NewLocker(clock)
	for i := range 1000 {
		_, err := l.Acquire(t.Context(), fmt.Sprint(i), "x", time.Second)
		require.NoError(t, err)
		clock.Advance(100 * time.Millisecond)
	}
	require.LessOrEqual(t, memory.Held(l), 11)
}
