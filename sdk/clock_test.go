package sdk_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
)

func TestTheHostsClockAndChance(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	p := sdk.Plugin{Name: "clock", Version: "1.0.0", Handle: func(c *sdk.Context) (any, error) {
		before := c.Now()
		if err := c.Sleep(90 * time.Second); err != nil {
			return nil, err
		}
		r, err := c.Rand()
		if err != nil {
			return nil, err
		}
		return []any{before, c.Now(), r.IntN(1000)}, nil
	}}
	first := sdktest.Run(t, p, sdktest.Case{Now: now})
	first.RequireOK(t)
	require.Equal(t, 90*time.Second, first.Slept)
	require.Contains(t, string(first.Value), `["2026-05-01T12:00:00Z","2026-05-01T12:01:30Z",`)
	require.Equal(t, first.Value, sdktest.Run(t, p, sdktest.Case{Now: now}).Value, "a test's chance is the same in every run")
}
