package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) pruning(t *testing.T) {
	s.run(t, "history goes by age, type and status, the oldest first", pruneOlderHistory)
	s.run(t, "live executions stay however old they are", pruneOlderKeepsLive)
	s.run(t, "idempotency keys go by age", pruneOlderKeys)
	s.run(t, "state goes by owner, prefix and age", pruneOlderState)
	s.run(t, "an unknown target is an error", pruneOlderUnknown)
}

func (f *fixture) pruneOlder(p core.Pruning, limit int) int {
	f.Helper()
	n, err := f.PruneOlder(f.Context(), p, limit)
	require.NoError(f, err)
	return n
}

func pruneOlderHistory(f *fixture) {
	ofType := func(name string) func(*core.TaskSpec) { return func(s *core.TaskSpec) { s.Type = name } }
	x, y := f.putTask(ofType("x"), Overlap(core.OverlapAllow)), f.putTask(ofType("y"), Overlap(core.OverlapAllow))
	ended := []core.Execution{f.putFinished(x), f.putFinished(y)}
	for _, task := range []core.Task{x, y} {
		e := f.start(f.put(task))[0]
		f.settle(e, failForGood)
		ended = append(ended, e)
	}
	f.clock.Advance(time.Minute)
	young := f.putFinished(x)
	left := func() (ids []string) { return f.list(core.ExecutionFilter{}, core.Page{Limit: 10}) }
	history := func(opts ...func(*core.Pruning)) core.Pruning {
		p := core.Pruning{Target: core.PruneHistory, OlderThan: time.Hour}
		for _, opt := range opts {
			opt(&p)
		}
		return p
	}
	typed := func(name string) func(*core.Pruning) { return func(p *core.Pruning) { p.Type = name } }
	withStatus := func(s core.Status) func(*core.Pruning) { return func(p *core.Pruning) { p.Status = s } }

	f.clock.Set(Epoch().Add(time.Hour))
	require.Zero(f, f.pruneOlder(history(), 10), "exactly as old is not older")
	f.clock.Advance(time.Second)
	require.Zero(f, f.pruneOlder(history(typed("z")), 10))
	require.Equal(f, 1, f.pruneOlder(history(typed("x"), withStatus(core.StatusFailed)), 10))
	require.ElementsMatch(f, []string{ended[0].ID, ended[1].ID, ended[3].ID, young.ID}, left())
	require.Equal(f, 1, f.pruneOlder(history(withStatus(core.StatusFailed)), 10))
	require.Equal(f, 1, f.pruneOlder(history(typed("x")), 10))
	require.ElementsMatch(f, []string{ended[1].ID, young.ID}, left())
	f.clock.Advance(time.Hour)
	require.Equal(f, 1, f.pruneOlder(history(), 1), "one call removes up to its limit")
	require.Equal(f, []string{young.ID}, left())
	_, err := f.ExecutionLogs(f.Context(), ended[1].ID)
	requireCode(f, core.CodeNotFound, err)
	require.Equal(f, 1, f.pruneOlder(history(typed("x"), withStatus(core.StatusSucceeded)), 10))
}

func pruneOlderKeepsLive(f *fixture) {
	live := []core.Execution{f.putFree(), f.putRunning(), f.settle(f.putRunning(), retryLater)}
	f.clock.Advance(1000 * time.Hour)
	require.Zero(f, f.pruneOlder(core.Pruning{Target: core.PruneHistory, OlderThan: time.Hour}, 10))
	require.Zero(f, f.pruneOlder(core.Pruning{Target: core.PruneHistory, OlderThan: time.Hour, Type: live[0].Type}, 10))
	require.Zero(f, f.pruneOlder(core.Pruning{Target: core.PruneHistory, OlderThan: time.Hour, Status: core.StatusRunning}, 10))
	for _, e := range live {
		f.get(e.ID)
	}
}

func pruneOlderKeys(f *fixture) {
	create := func() error {
		_, err := f.CreateTask(f.Context(), Task(), &core.Idempotency{Key: "k", Fingerprint: "a"})
		return err
	}
	require.NoError(f, create())
	keys := core.Pruning{Target: core.PruneIdempotencyKeys, OlderThan: time.Hour}
	f.clock.Advance(time.Hour)
	require.Zero(f, f.pruneOlder(keys, 10))
	f.clock.Advance(time.Second)
	require.Equal(f, 1, f.pruneOlder(keys, 10))
	require.NoError(f, create(), "the key is still known")
}

func pruneOlderState(f *fixture) {
	f.remember(value("x", "a/1", `1`), value("x", "a/2", `2`), value("x", "b", `3`), value("y", "a/1", `4`))
	f.clock.Advance(time.Minute)
	f.remember(value("x", "a/2", `5`))
	f.clock.Advance(time.Hour - time.Second)
	state := core.Pruning{Target: core.PruneState, OlderThan: time.Hour, Type: "x"}
	under := state
	under.Prefix = "a/"
	require.Equal(f, 1, f.pruneOlder(under, 10), "what was written again is young")
	require.Equal(f, []string{"a/2=5", "b=3"}, f.state("x", "", "", 10))
	f.clock.Advance(time.Hour)
	require.Equal(f, 1, f.pruneOlder(state, 1))
	require.Equal(f, 1, f.pruneOlder(state, 10))
	require.Empty(f, f.state("x", "", "", 10))
	require.Equal(f, []string{"a/1=4"}, f.state("y", "", "", 10))
}

func pruneOlderUnknown(f *fixture) {
	_, err := f.PruneOlder(f.Context(), core.Pruning{Target: "tasks", OlderThan: time.Hour}, 10)
	require.ErrorContains(f, err, `"tasks"`)
}
