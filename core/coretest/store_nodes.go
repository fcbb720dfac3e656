package coretest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) nodes(t *testing.T) {
	s.run(t, "a node comes back with every field, and with the store's time", nodeRoundTrip)
	s.run(t, "a node that is silent fades, one that leaves is gone", nodesFade)
}

func fullNode(id string) core.Node {
	return core.Node{
		ID: id, Version: "1.2.3", StartedAt: Epoch().Add(-time.Hour),
		Load:      core.Load{Node: id, Running: 1, Slots: 2, Waiting: 3, Room: 4},
		Plugins:   []core.NodePlugin{{Type: "reminder", State: "loaded", Version: "1.0.0", Digest: "abc", Generation: 5, DataSchema: json.RawMessage(`{"type":"object"}`), RolledBack: true, Held: "1.1.0"}},
		Publishes: true,
	}
}

func (f *fixture) nodeIDs(age time.Duration) []string {
	f.Helper()
	nodes, err := f.Nodes(f.Context(), age)
	require.NoError(f, err)
	ids := []string{}
	for _, n := range nodes {
		ids = append(ids, n.ID)
	}
	return ids
}

func nodeRoundTrip(f *fixture) {
	for _, id := range []string{"b", "a", "b"} {
		at, err := f.ReportNode(f.Context(), fullNode(id))
		require.NoError(f, err)
		require.Equal(f, core.Instant(f.clock.Now()), at)
	}
	nodes, err := f.Nodes(f.Context(), time.Minute)
	require.NoError(f, err)
	want := []core.Node{fullNode("a"), fullNode("b")}
	for i := range want {
		want[i].SeenAt = Epoch()
		requireFilled(f, want[i])
	}
	require.Equal(f, want, nodes)
}

func nodesFade(f *fixture) {
	report := func(id string) {
		_, err := f.ReportNode(f.Context(), fullNode(id))
		require.NoError(f, err)
	}
	require.Empty(f, f.nodeIDs(time.Minute))
	report("a")
	f.clock.Advance(40 * time.Second)
	report("b")
	f.clock.Advance(20 * time.Second)
	require.Equal(f, []string{"a", "b"}, f.nodeIDs(time.Minute))
	f.clock.Advance(time.Microsecond)
	require.Equal(f, []string{"b"}, f.nodeIDs(time.Minute))
	require.NoError(f, f.ForgetNode(f.Context(), "b"))
	require.NoError(f, f.ForgetNode(f.Context(), "b"))
	require.Empty(f, f.nodeIDs(time.Minute))
}
