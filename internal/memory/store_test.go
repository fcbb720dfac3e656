package memory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	coretest.TestStore(t, func(_ testing.TB, clock core.Clock) core.Store {
		return memory.NewStore(clock)
	})
}

func TestStoreCountsTheAgeOfAKeyFromItsFirstUse(t *testing.T) {
	clock := coretest.NewClock(t)
	store := memory.NewStore(clock)
	key := &core.Idempotency{Key: "k", Fingerprint: "a"}
	e := coretest.Execution(coretest.Task())
	_, _, err := store.CreateExecution(t.Context(), e, key)
	require.NoError(t, err)
	clock.Advance(time.Hour)
	_, _, err = store.CreateExecution(t.Context(), e, key)
	require.ErrorIs(t, err, core.ErrReplayed)
	clock.Advance(time.Microsecond)
	n, err := store.Prune(t.Context(), core.Retention{IdempotencyKeys: time.Hour}, 10)
	require.NoError(t, err)
	require.Equal(t, 1, n, "a replay made the key younger")
}
