package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

func TestNodesAreKnownWhileTheyLive(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		nodes := func() []string {
			all, err := w.scheduler.Nodes(context.Background())
			require.NoError(t, err)
			var ids []string
			for _, n := range all {
				ids = append(ids, n.ID)
			}
			return ids
		}
		a := w.node(taking(time.Hour), func(c *engine.Config) { c.Owner, c.Concurrency, c.Version = "a", 3, "1.2.3" })
		b := w.node(instantly, func(c *engine.Config) {
			c.Owner, c.Store = "b", vanishing{Store: c.Store, after: time.Now().Add(time.Minute)}
		})
		time.Sleep(time.Second)
		require.Equal(t, []string{"a", "b"}, nodes())
		time.Sleep(2 * time.Minute)
		require.Equal(t, []string{"a"}, nodes(), "one is silent")
		all, err := w.scheduler.Nodes(context.Background())
		require.NoError(t, err)
		require.Equal(t, "1.2.3", all[0].Version)
		require.Equal(t, core.Load{Node: "a", Slots: 3, Room: 1000}, all[0].Load)
		stop(a, 0)
		require.Empty(t, nodes(), "one has left")
		stop(b, 0)
	})
}

// vanishing is a store that a node cannot report to after an instant.
type vanishing struct {
	core.Store
	after time.Time
}

func (v vanishing) ReportNode(ctx context.Context, n core.Node) (time.Time, error) {
	if time.Now().After(v.after) {
		return time.Time{}, context.DeadlineExceeded
	}
	return v.Store.ReportNode(ctx, n)
}
