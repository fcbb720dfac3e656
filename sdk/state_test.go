package sdk_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// counter counts its runs and tells about every second one.
func counter(c *sdk.Context) (any, error) {
	var n int
	if _, err := c.Get("runs", &n); err != nil {
		return nil, err
	}
	n++
	if err := c.Set("runs", n, time.Hour); err != nil {
		return nil, err
	}
	if n%2 == 0 {
		if err := c.Publish("counter.even", map[string]int{"n": n}); err != nil {
			return nil, err
		}
		if _, err := c.Enqueue(sdk.Job{Type: "message", Data: map[string]int{"n": n}}); err != nil {
			return nil, err
		}
	}
	return n, c.Delete("gone")
}

func TestStateLastsFromRunToRun(t *testing.T) {
	p := with(counter, sdk.CapabilityState, sdk.CapabilityPublish, sdk.CapabilityEnqueue)
	result := sdktest.Run(t, p, sdktest.Case{State: map[string]any{"gone": 1}})
	result.RequireOK(t)
	require.JSONEq(t, `1`, string(result.State["runs"]))
	require.NotContains(t, result.State, "gone")
	require.Empty(t, result.Events)
	result = sdktest.Run(t, p, sdktest.Case{State: map[string]any{"runs": 41}})
	result.RequireOK(t)
	require.JSONEq(t, `42`, string(result.State["runs"]))
	require.Equal(t, "counter.even", result.Events[0].Type)
	require.JSONEq(t, `{"n":42}`, string(result.Jobs[0].Data))
}

func TestKeysAreListed(t *testing.T) {
	list := func(c *sdk.Context) (any, error) { return c.Keys("a/") }
	result := sdktest.Run(t, with(list, sdk.CapabilityState), sdktest.Case{State: map[string]any{"a/2": 1, "a/1": 1, "b": 1}})
	var keys []string
	result.Decode(t, &keys)
	require.Equal(t, []string{"a/1", "a/2"}, keys)
}

func TestStateNeedsItsCapability(t *testing.T) {
	sdktest.Run(t, with(counter), sdktest.Case{}).RequireFailure(t, wire.Denied)
}

func TestAFailureLeavesNothing(t *testing.T) {
	fail := func(c *sdk.Context) (any, error) {
		if err := c.Set("a", 1, 0); err != nil {
			return nil, err
		}
		return nil, errors.New("no")
	}
	result := sdktest.Run(t, with(fail, sdk.CapabilityState), sdktest.Case{})
	require.Empty(t, result.State)
}
