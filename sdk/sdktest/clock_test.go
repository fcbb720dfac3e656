package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// The deadline is the case's clock's, however late it is on the machine: what the
// handler sleeps brings it nearer, and nothing happens after it.
func TestTheDeadlineIsTheCasesOwn(t *testing.T) {
	run := func(sleep time.Duration, seen *[]error) sdktest.Result {
		p := plugin(func(c *sdk.Context) (any, error) {
			at, there := c.Deadline()
			require.True(t, there)
			require.Equal(t, noon.Add(time.Minute), at)
			child, cancel := context.WithCancel(c)
			defer cancel()
			*seen = append(*seen, c.Err(), child.Err(), c.Sleep(sleep), c.Err())
			_, err := c.Notify(sdk.Notification{ChannelID: "a", Message: "late"})
			*seen = append(*seen, err)
			if c.Err() != nil {
				<-child.Done()
			}
			return "done", nil
		})
		return sdktest.Run(t, p, sdktest.Case{Now: noon, Execution: sdk.Execution{Deadline: noon.Add(time.Minute)}})
	}
	var seen []error
	in := run(59*time.Second, &seen)
	in.RequireOK(t)
	require.Equal(t, make([]error, 5), seen)
	require.Len(t, in.Notifications, 1)
	require.False(t, in.TimedOut)

	seen = nil
	out := run(time.Hour, &seen)
	require.NoError(t, errors.Join(seen[:2]...))
	require.Error(t, seen[2])
	require.ErrorIs(t, seen[3], context.DeadlineExceeded)
	require.Error(t, seen[4])
	require.True(t, out.TimedOut)
	require.Equal(t, time.Minute, out.Slept, "no longer than the run")
	require.Contains(t, out.RequireFailure(t, wire.Retryable).Message, "out of time")
	require.Empty(t, out.Notifications)
}

func TestTheResultHasTheTimeThatStateIsKept(t *testing.T) {
	p := sdk.Plugin{Name: "x", Version: "1.0.0", Capabilities: []sdk.Capability{sdk.CapabilityState}, Handle: func(c *sdk.Context) (any, error) {
		return nil, errors.Join(c.Set("hour", 1, time.Hour), c.Set("ever", 1, 0), c.Set("gone", 1, time.Hour), c.Delete("gone"))
	}}
	result := sdktest.Run(t, p, sdktest.Case{State: map[string]any{"old": 1}})
	result.RequireOK(t)
	require.Equal(t, map[string]time.Duration{"hour": time.Hour, "ever": 0}, result.TTL)
	require.Len(t, result.State, 3)
}

// The state is listed in pages, as by the real host.
func TestTheStateIsListedInPages(t *testing.T) {
	state := map[string]any{"other": 1}
	for n := range 250 {
		state[fmt.Sprintf("key/%03d", n)] = n
	}
	var pages []int
	var keys []string
	p := sdk.Plugin{Name: "x", Version: "1.0.0", Capabilities: []sdk.Capability{sdk.CapabilityState}, Handle: func(c *sdk.Context) (any, error) {
		for _, limit := range []int{0, 7, 1000} {
			raw, err := c.Call(wire.OpStateList, wire.StateList{Prefix: "key/", Limit: limit})
			if err != nil {
				return nil, err
			}
			var page wire.StatePage
			require.NoError(t, json.Unmarshal(raw, &page))
			require.True(t, page.More)
			pages = append(pages, len(page.Entries))
		}
		var err error
		keys, err = c.Keys("key/")
		return nil, err
	}}
	sdktest.Run(t, p, sdktest.Case{State: state}).RequireOK(t)
	require.Equal(t, []int{100, 7, 100}, pages)
	require.Len(t, keys, 250)
}
