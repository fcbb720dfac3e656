package sdktest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func plugin(handle sdk.Handler) sdk.Plugin {
	return sdk.Plugin{Name: "test", Version: "1.0.0", Capabilities: []sdk.Capability{sdk.CapabilityNotify}, Handle: handle}
}

func TestRunRecordsEverything(t *testing.T) {
	result := sdktest.Run(t, plugin(func(c *sdk.Context) (any, error) {
		c.Log.Info("one", "k", "v")
		if err := c.Progress(50, "half"); err != nil {
			return nil, err
		}
		if _, err := c.Notify(sdk.Notification{ChannelID: "a", Message: "1"}); err != nil {
			return nil, err
		}
		return c.Notify(sdk.Notification{ChannelID: "b", Message: "2"})
	}), sdktest.Case{})
	result.RequireOK(t)

	require.JSONEq(t, `"notification-2"`, string(result.Value))
	require.Equal(t, []wire.Progress{{Percent: 50, Message: "half"}}, result.Progress)
	require.Nil(t, result.Checkpoint)
	require.Equal(t, []wire.LogLine{{Level: "info", Message: "one", Fields: map[string]any{"k": "v"}}}, result.Logs)
	require.Equal(t, []sdk.Notification{{ChannelID: "a", Message: "1"}, {ChannelID: "b", Message: "2"}}, result.Notifications)
}

func TestAFailedRunNotifiesNobodyAndKeepsItsCheckpoint(t *testing.T) {
	fail := plugin(func(c *sdk.Context) (any, error) {
		var at int
		found, err := c.LoadCheckpoint(&at)
		if err != nil {
			return nil, err
		}
		if _, err := c.Notify(sdk.Notification{ChannelID: "a", Message: "1"}); err != nil {
			return nil, err
		}
		if err := c.Checkpoint(at + 1); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("found %v", found)
	})
	first := sdktest.Run(t, fail, sdktest.Case{})
	require.Equal(t, "found false", first.RequireFailure(t, wire.Retryable).Message)
	require.Empty(t, first.Notifications)
	require.JSONEq(t, `1`, string(first.Checkpoint))
	second := sdktest.Run(t, fail, sdktest.Case{Checkpoint: first.Checkpoint})
	require.Equal(t, "found true", second.RequireFailure(t, wire.Retryable).Message)
	require.JSONEq(t, `2`, string(second.Checkpoint))
	third := sdktest.Run(t, fail, sdktest.Case{Checkpoint: "no number"})
	require.Contains(t, third.RequireFailure(t, wire.Permanent).Message, "load checkpoint")
}

func TestRunFillsTheExecution(t *testing.T) {
	var got sdk.Execution
	sdktest.Run(t, plugin(func(c *sdk.Context) (any, error) { got = c.Execution; return nil, nil }),
		sdktest.Case{Execution: sdk.Execution{ID: "e", Attempt: 3}}).RequireOK(t)
	require.Equal(t, []any{"e", "e", "test", 3, 3}, []any{got.ID, got.IdempotencyKey, got.Type, got.Attempt, got.MaxAttempts})
	require.False(t, got.NominalTime.IsZero())
}

func TestRunKnowsNoOtherOperation(t *testing.T) {
	result := sdktest.Run(t, plugin(func(c *sdk.Context) (any, error) { return c.Call("teleport", struct{}{}) }), sdktest.Case{})
	require.Contains(t, result.RequireFailure(t, wire.Permanent).Message, "teleport")
}

// The helpers end the test that asks too much.
func TestResultHelpersFail(t *testing.T) {
	failed := sdktest.Result{Failure: &wire.Error{Kind: wire.Permanent, Message: "m"}}
	for name, check := range map[string]func(testing.TB){
		"ok":           failed.RequireOK,
		"decode":       func(t testing.TB) { failed.Decode(t, new(any)) },
		"other kind":   func(t testing.TB) { failed.RequireFailure(t, wire.Retryable) },
		"no failure":   func(t testing.TB) { sdktest.Result{}.RequireFailure(t, wire.Retryable) },
		"no such JSON": func(t testing.TB) { sdktest.Result{Value: []byte(`"x"`)}.Decode(t, new(int)) },
	} {
		t.Run(name, func(t *testing.T) {
			probe := &probe{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				check(probe)
			}()
			<-done
			require.True(t, probe.failed)
		})
	}
}

// probe notes that a test was ended.
type probe struct {
	testing.TB
	failed bool
}

func (p *probe) Helper() {}

func (p *probe) Fatalf(string, ...any) {
	p.failed = true
	panic("ended")
}

// DieAt ends the run at any of its operations: what came before has happened,
// what comes after has not, and nothing that goes with a success.
func TestRunDies(t *testing.T) {
	p := sdk.Plugin{Name: "x", Version: "1.0.0", Capabilities: []sdk.Capability{sdk.CapabilityState}, Handle: func(c *sdk.Context) (any, error) {
		for n := range 3 {
			_ = c.Checkpoint(n + 1) // one that cannot be saved shows in the result
		}
		return "done", c.Set("key", "value", 0)
	}}
	for at := 1; at <= 5; at++ {
		result := sdktest.Run(t, p, sdktest.Case{DieAt: at})
		require.True(t, result.Died, at)
		result.RequireFailure(t, wire.Retryable)
		require.Nil(t, result.State)
		require.Equal(t, []string{"", "1", "2", "3", "3"}[at-1], string(result.Checkpoint))
	}
	result := sdktest.Run(t, p, sdktest.Case{DieAt: 6})
	require.False(t, result.Died)
	require.JSONEq(t, `"value"`, string(result.State["key"]))
}

func TestOptionalCapabilitiesAreGranted(t *testing.T) {
	p := sdk.Plugin{Name: "x", Version: "1.0.0", Handle: func(c *sdk.Context) (any, error) { return nil, c.Set("key", 1, 0) }}
	sdktest.Run(t, p, sdktest.Case{}).RequireFailure(t, wire.Denied)
	p.Optional = []sdk.Capability{sdk.CapabilityState}
	sdktest.Run(t, p, sdktest.Case{}).RequireOK(t)
	require.Equal(t, []string{"kv"}, p.Manifest().Optional)
	require.Empty(t, p.Manifest().Capabilities)
}
