package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/config"
)

// A node holds no more of the queue than it gets through, so that nodes beside
// it have something to do, and no more bundles than it was told.
func TestANodeHoldsLittleOfTheQueue(t *testing.T) {
	for _, c := range []struct{ slots, bundles, want int }{
		{1, 5, 1}, {10, 5, 1}, {25, 5, 1}, {26, 5, 2}, {100, 5, 4}, {1000, 5, 5}, {1000, 100, 40}, {100, 1, 1},
	} {
		o := opening{cfg: config.Config{MaxConcurrentTasks: c.slots, QueueConcurrency: c.bundles}}
		require.Equal(t, c.want, o.prefetch(), "%+v", c)
	}
}
