package app_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/memory"
)

// catalogue is a node's plugins: type to state.
type catalogue map[string]core.PluginState

func (catalogue) ValidateData(string, json.RawMessage) error { return nil }

func (c catalogue) Plugins() (all []core.PluginStatus) {
	for taskType, state := range c {
		all = append(all, core.PluginStatus{Type: taskType, State: state})
	}
	return all
}

func TestANodeLeavesToOthersWhatOnlyTheyCanRun(t *testing.T) {
	clock := coretest.NewClock(t)
	nodes := memory.NewStore(clock)
	_, err := nodes.ReportNode(t.Context(), core.Node{ID: "b", Plugins: []core.NodePlugin{
		{Type: "both", State: "loaded"}, {Type: "theirs", State: "loaded"}, {Type: "broken", State: "failed"},
		{Type: "crashes here", State: "trial"}, {Type: "crashes there", State: "quarantined"},
	}})
	require.NoError(t, err)
	plugins := catalogue{"both": "loaded", "ours": "trial", "theirs": "failed", "broken": "failed", "crashes here": "quarantined", "crashes there": "quarantined"}
	var taken [][]string
	r := app.NewRoster(clock, "a", nodes, plugins, func(types []string) { taken = append(taken, types) })
	require.False(t, r.Leaves("theirs"), "nothing is known yet")
	r.Look(t.Context())
	require.Equal(t, [][]string{{"both", "ours"}}, taken)
	for taskType, leaves := range map[string]bool{"both": false, "ours": false, "theirs": true, "broken": true, "unknown": true, "crashes here": true, "crashes there": true} {
		require.Equal(t, leaves, r.Leaves(taskType), taskType)
	}
	clock.Advance(20 * time.Second)
	for taskType, leaves := range map[string]bool{"both": false, "ours": false, "theirs": true, "broken": false, "unknown": false, "crashes here": true, "crashes there": false} {
		require.Equal(t, leaves, r.Leaves(taskType), "%s, when nobody has come", taskType)
	}

	plugins["theirs"] = "loaded"
	r.Look(t.Context())
	r.Look(t.Context())
	require.Equal(t, [][]string{{"both", "ours"}, {"both", "ours", "theirs"}}, taken, "told once of a change")
	require.False(t, r.Leaves("theirs"))

	plugins["theirs"] = "failed"
	clock.Advance(core.NodeAge + time.Second)
	r.Look(t.Context())
	require.True(t, r.Leaves("theirs"), "the other node is gone, and may come back")
	clock.Advance(20*time.Second - 1)
	require.True(t, r.Leaves("theirs"))
	clock.Advance(1)
	require.False(t, r.Leaves("theirs"), "it has not: somebody must say so")
}

func TestWhatNobodyRunsGoesPastTheBroker(t *testing.T) {
	broker, local := memory.NewQueue(10), memory.NewQueue(10)
	q := app.NewTypedQueue(broker, local, "ours")
	item := func(id, taskType string) core.QueueItem { return core.QueueItem{ExecutionID: id, Type: taskType} }
	require.NoError(t, q.Publish(t.Context(), []core.QueueItem{item("1", "ours"), item("2", "nobody's"), item("3", "ours")}))
	for _, c := range []struct {
		queue core.Queue
		want  []string
	}{{broker, []string{"1", "3"}}, {local, []string{"2"}}} {
		d, err := c.queue.Receive(t.Context(), 10)
		require.NoError(t, err)
		var got []string
		for _, i := range d.Items {
			got = append(got, i.ExecutionID)
		}
		require.ElementsMatch(t, c.want, got)
	}
}

func TestDataOfATypeThatOnlyOthersRunIsChecked(t *testing.T) {
	clock := coretest.NewClock(t)
	nodes := memory.NewStore(clock)
	_, err := nodes.ReportNode(t.Context(), core.Node{ID: "b", Plugins: []core.NodePlugin{
		{Type: "theirs", State: "loaded", DataSchema: json.RawMessage(`{"type": "object", "required": ["n"]}`)},
	}})
	require.NoError(t, err)
	r := app.NewRoster(clock, "a", nodes, catalogue{}, func([]string) {})
	r.Look(t.Context())
	types := app.NewClusterTypes(r)
	require.NoError(t, types.ValidateData("theirs", json.RawMessage(`{"n": 1}`)))
	err = types.ValidateData("theirs", json.RawMessage(`{}`))
	require.Equal(t, core.CodeValidationFailed, core.CodeOf(err))
	require.ErrorContains(t, err, "/data/n")
}
