package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

func openEmptyPostgres(t testing.TB) *sqlstore.Postgres {
	t.Helper()
	return sqlstore.OpenTestPostgres(t, sqlstore.EmptyTestDatabase(t), nil)
}

func TestPostgresLockerKeepsTheContract(t *testing.T) {
	coretest.TestLocker(t, func(t testing.TB) (core.Locker, func(time.Duration)) {
		return openEmptyPostgres(t).Locker(), time.Sleep
	})
}

func TestPostgresLimiterKeepsTheContract(t *testing.T) {
	coretest.TestLimiter(t, func(t testing.TB) (core.Limiter, func(time.Duration)) {
		return openEmptyPostgres(t).Limiter(), time.Sleep
	})
}

func openSignals(t testing.TB, url string) *sqlstore.Signals {
	t.Helper()
	s, err := sqlstore.OpenTestPostgres(t, url, nil).Signals(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestPostgresSignalsKeepTheContract(t *testing.T) {
	coretest.TestSignals(t, func(t testing.TB) core.Signals {
		return openSignals(t, sqlstore.EmptyTestDatabase(t))
	})
}

// twoNodes sends on one node and subscribes on the other.
type twoNodes struct {
	*sqlstore.Signals
	to core.Signals
}

func (n twoNodes) Subscribe() (<-chan core.Signal, func()) { return n.to.Subscribe() }

func TestPostgresSignalsKeepTheContractBetweenNodes(t *testing.T) {
	coretest.TestSignals(t, func(t testing.TB) core.Signals {
		url := sqlstore.EmptyTestDatabase(t)
		return twoNodes{openSignals(t, url), openSignals(t, url)}
	})
}

func TestALostConnectionOfTheSignalsIsMadeAnew(t *testing.T) {
	url := sqlstore.EmptyTestDatabase(t)
	a, b := openSignals(t, url), openSignals(t, url)
	heard, end := b.Subscribe()
	defer end()
	raw := rawPostgres(t, url)
	_, err := raw.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
	got := map[core.SignalKind]bool{}
	for !got[core.SignalPlan] || !got[core.SignalDispatch] {
		got[next(t, heard).Kind] = true
	}
	a.Send(t.Context(), core.Signal{Kind: core.SignalFinished, ExecutionID: "x"})
	for next(t, heard).ExecutionID != "x" {
	}
}

func next(t *testing.T, heard <-chan core.Signal) core.Signal {
	t.Helper()
	select {
	case s := <-heard:
		return s
	case <-time.After(10 * time.Second):
		require.Fail(t, "no signal came")
		return core.Signal{}
	}
}

func TestOneCallMayAskUnderSeveralRates(t *testing.T) {
	limiter := openEmptyPostgres(t).Limiter()
	ask := func(requests ...core.LimitRequest) (allowed []bool) {
		decisions, err := limiter.Take(context.Background(), requests)
		require.NoError(t, err)
		for _, d := range decisions {
			allowed = append(allowed, d.Allowed)
		}
		return allowed
	}
	// A start is a third of the hour by the narrow rate, and a sixth by the wide.
	narrow := core.LimitRequest{Key: "a", Limit: 3, Per: time.Hour}
	wide := core.LimitRequest{Key: "a", Limit: 6, Per: time.Hour}
	require.Equal(t, []bool{true, true, true, true, false, false}, ask(narrow, wide, wide, narrow, wide, narrow))
	_, err := limiter.Take(t.Context(), []core.LimitRequest{{Key: "a"}})
	require.Error(t, err)
}
