package host_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// pruned is a store that keeps what it is asked to prune.
type pruned struct {
	asked []core.Pruning
	limit int
	n     int
}

func (p *pruned) PruneOlder(_ context.Context, asked core.Pruning, limit int) (int, error) {
	p.asked, p.limit = append(p.asked, asked), limit
	return p.n, nil
}

// maintained is a house that prunes, whose program does what a test says.
func maintained(t *testing.T, store core.Pruner, grants string, do func(d desk) error) *house {
	t.Helper()
	h := newHouse(t)
	h.runtime.program("good").handle = work(do)
	h.list(t, grants)
	h.Host = host.New(host.Config{Path: filepath.Join(h.dir, "plugins.yaml"), Runtimes: map[string]host.Runtime{"fake": h.runtime}, Pruner: store})
	h.load(t)
	return h
}

func TestWhatIsPrunedIsSaid(t *testing.T) {
	hour := time.Hour.Milliseconds()
	for name, test := range map[string]struct {
		ask   wire.Prune
		want  core.Pruning
		limit int
	}{
		"history": {wire.Prune{Target: "history", OlderThanMS: 2 * hour, Type: "message", Status: "succeeded", Limit: 7},
			core.Pruning{Target: core.PruneHistory, OlderThan: 2 * time.Hour, Type: "message", Status: core.StatusSucceeded}, 7},
		"keys": {wire.Prune{Target: "idempotency_keys", OlderThanMS: hour, Limit: 5000},
			core.Pruning{Target: core.PruneIdempotencyKeys, OlderThan: time.Hour}, 1000},
		"own state": {wire.Prune{Target: "state", OlderThanMS: hour, Prefix: "a/"},
			core.Pruning{Target: core.PruneState, OlderThan: time.Hour, Type: "x", Prefix: "a/"}, 1000},
		"another's state": {wire.Prune{Target: "state", OlderThanMS: hour, Type: "y"},
			core.Pruning{Target: core.PruneState, OlderThan: time.Hour, Type: "y"}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			store := &pruned{n: 7}
			var got wire.Pruned
			h := maintained(t, store, "grants: {maintenance: true}", func(d desk) error { return d.ask(wire.OpPrune, test.ask, &got) })
			_, err := h.invoke(t, "x")
			require.NoError(t, err)
			require.Equal(t, []core.Pruning{test.want}, store.asked)
			require.Equal(t, test.limit, store.limit)
			require.Equal(t, wire.Pruned{Removed: 7, More: test.limit == 7}, got)
		})
	}
}

func TestWhatIsPrunedIsBounded(t *testing.T) {
	hour := time.Hour.Milliseconds()
	for name, test := range map[string]struct {
		ask  wire.Prune
		want string
	}{
		"no target":         {wire.Prune{OlderThanMS: hour}, "target is none of"},
		"another target":    {wire.Prune{Target: "tasks", OlderThanMS: hour}, "target is none of"},
		"too young":         {wire.Prune{Target: "history", OlderThanMS: hour - 1}, "an hour"},
		"too old":           {wire.Prune{Target: "history", OlderThanMS: 1 << 60}, "a hundred years"},
		"a live status":     {wire.Prune{Target: "history", OlderThanMS: hour, Status: "running"}, "which has ended"},
		"a status of keys":  {wire.Prune{Target: "idempotency_keys", OlderThanMS: hour, Status: "failed"}, "only history"},
		"a type of keys":    {wire.Prune{Target: "idempotency_keys", OlderThanMS: hour, Type: "x"}, "only history and state"},
		"history by prefix": {wire.Prune{Target: "history", OlderThanMS: hour, Prefix: "x"}, "only state"},
		"a prefix with NUL": {wire.Prune{Target: "state", OlderThanMS: hour, Prefix: "a\x00"}, "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			store := &pruned{}
			h := maintained(t, store, "grants: {maintenance: true}", func(d desk) error { return d.ask(wire.OpPrune, test.ask, nil) })
			_, err := h.invoke(t, "x")
			require.ErrorContains(t, err, test.want)
			require.Empty(t, store.asked)
		})
	}
}

func TestNobodyPrunesWithoutTheGrant(t *testing.T) {
	store := &pruned{}
	ask := wire.Prune{Target: "history", OlderThanMS: time.Hour.Milliseconds()}
	h := maintained(t, store, "grants: {kv: true}", func(d desk) error { return d.ask(wire.OpPrune, ask, nil) })
	_, err := h.invoke(t, "x")
	require.Equal(t, core.CodePluginDenied, core.FailureOf(err).Code)
	require.Empty(t, store.asked)
	h = maintained(t, nil, "grants: {maintenance: true}", func(d desk) error { return d.ask(wire.OpPrune, ask, nil) })
	_, err = h.invoke(t, "x")
	require.ErrorContains(t, err, "does not offer")
}
