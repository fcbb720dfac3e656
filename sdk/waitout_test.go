package sdk_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
)

func TestWaitOut(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	down := errors.New("down")
	for name, test := range map[string]struct {
		err      error
		deadline time.Duration
		slept    time.Duration
	}{
		"asked for":            {fmt.Errorf("a: %w", sdk.RetryAfter(7*time.Second, down)), 0, 7 * time.Second},
		"before the deadline":  {sdk.RetryAfter(7*time.Second, down), 8 * time.Second, 7 * time.Second},
		"at the deadline":      {sdk.RetryAfter(7*time.Second, down), 7 * time.Second, 0},
		"beyond the deadline":  {sdk.RetryAfter(7*time.Second, down), 6 * time.Second, 0},
		"too long":             {sdk.RetryAfter(11*time.Second, down), 0, 0},
		"nothing is asked for": {sdk.RetryAfter(0, down), 0, 0},
		"another error":        {down, 0, 0},
		"permanent":            {sdk.Permanent(down), 0, 0},
		"none":                 {nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var waited bool
			plugin := sdk.Plugin{Name: "x", Version: "1.0.0", Handle: func(c *sdk.Context) (any, error) {
				waited = c.WaitOut(test.err, 10*time.Second)
				return nil, nil
			}}
			c := sdktest.Case{Now: now}
			if test.deadline > 0 {
				c.Execution.Deadline = now.Add(test.deadline)
			}
			result := sdktest.Run(t, plugin, c)
			result.RequireOK(t)
			require.Equal(t, test.slept, result.Slept)
			require.Equal(t, test.slept > 0, waited)
		})
	}
}

func TestPrune(t *testing.T) {
	ask := sdk.Prune{Target: sdk.PruneHistory, OlderThan: 36 * time.Hour, Type: "message", Status: "failed", Limit: 9}
	plugin := sdk.Plugin{Name: "x", Version: "1.0.0", Capabilities: []sdk.Capability{sdk.CapabilityMaintenance}, Handle: func(c *sdk.Context) (any, error) {
		removed, more, err := c.Prune(ask)
		return []any{removed, more}, err
	}}
	var asked sdk.Prune
	result := sdktest.Run(t, plugin, sdktest.Case{Prune: func(p sdk.Prune) (int, bool, error) { asked = p; return 9, true, nil }})
	result.RequireOK(t)
	require.JSONEq(t, `[9, true]`, string(result.Value))
	require.Equal(t, ask, asked)
	plugin.Capabilities = nil
	sdktest.Run(t, plugin, sdktest.Case{}).RequireFailure(t, "denied")
}
