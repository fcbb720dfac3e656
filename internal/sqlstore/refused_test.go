package sqlstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// What breaks the rules of a table is at fault itself, and the store is not.
func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *sqlstore.Store, clock *coretest.Clock, _ core.Schedule) {
		m := core.Message{ID: core.NewID(), Kind: "nonsense", Type: "x", Time: clock.Now(), Data: []byte(`{}`)}
		require.ErrorIs(t, s.Tell(t.Context(), []core.Message{m}), core.ErrRefused)
		m.Kind = core.MessageEvent
		require.NoError(t, s.Tell(t.Context(), []core.Message{m}))
	})
}
