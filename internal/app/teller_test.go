package app

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

// moody is an outbox that answers when it wants to.
type moody struct {
	core.OutboxStore
	away atomic.Bool
}

func (m *moody) Tell(ctx context.Context, messages []core.Message) error {
	if m.away.Load() {
		return errors.New("away")
	}
	return m.OutboxStore.Tell(ctx, messages)
}

// outboxOf lists the events in an outbox, in order.
func outboxOf(t *testing.T, s core.OutboxStore) (data []string) {
	t.Helper()
	report, err := s.Outbox(context.Background(), core.MessageEvent, 1000)
	require.NoError(t, err)
	for _, m := range report.Messages {
		data = append(data, m.Type+" "+string(m.Data))
	}
	return data
}

// Events about plugins wait for the store, in order and not without end, and what
// waits when the service stops is written.
func TestEventsAboutPluginsReachTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := core.SystemClock{}
		store := &moody{OutboxStore: memory.NewStore(clock)}
		tell := newTeller("node-a", store, clock, hclog.NewNullLogger())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); tell.run(ctx) }()

		tell.tell(core.PluginEvent{Kind: core.TypePluginLoaded, Type: "x"})
		synctest.Wait()
		require.Equal(t, []string{`plugin.loaded {"node":"node-a","type":"x"}`}, outboxOf(t, store))

		store.away.Store(true)
		for i := range 2 * maxUntold {
			tell.tell(core.PluginEvent{Kind: core.TypePluginChanged, Version: strconv.Itoa(i)})
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		store.away.Store(false)
		time.Sleep(time.Minute)
		all := outboxOf(t, store)
		require.Len(t, all, 1+1+maxUntold)
		require.Equal(t, `plugin.changed {"node":"node-a","version":"0"}`, all[1])
		require.Equal(t, `plugin.changed {"node":"node-a","version":"`+strconv.Itoa(maxUntold)+`"}`, all[1+maxUntold])

		cancel()
		tell.tell(core.PluginEvent{Kind: core.TypePluginReleased})
		<-done
		require.Len(t, outboxOf(t, store), len(all)+1)
	})
}
