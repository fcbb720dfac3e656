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

// A checkpoint that stayed would never be seen again, and never go.
func TestStoreForgetsCheckpointsOfWhatHasEnded(t *testing.T) {
	store := memory.NewStore(coretest.NewClock(t))
	e, _, err := store.CreateExecution(t.Context(), coretest.Execution(coretest.Task()), nil)
	require.NoError(t, err)
	claimed, err := store.Claim(t.Context(), []string{e.ID}, "node", time.Minute)
	require.NoError(t, err)
	lease := core.Lease{ExecutionID: e.ID, Token: claimed[0].Token}
	require.NoError(t, store.SaveCheckpoint(t.Context(), lease, []byte(`1`)))
	require.Equal(t, 1, memory.Checkpoints(store))
	_, err = store.Finish(t.Context(), []core.Completion{{Lease: lease, Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) }}})
	require.NoError(t, err)
	require.Zero(t, memory.Checkpoints(store))
}
