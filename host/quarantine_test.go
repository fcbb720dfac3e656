package host_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func failing(code core.Code) error {
	return &core.Failure{Code: code, Class: core.ClassRetryable, Message: "it broke: " + string(code)}
}

// fickle ends runs as *err says.
func fickle(err *error) handler {
	return func(context.Context, []byte, host.Caller) ([]byte, error) {
		if *err != nil {
			return nil, *err
		}
		return wire.Encode(wire.Response{}, nil)
	}
}

// crashed is a house whose plugin has just been quarantined. What *err says is
// how runs end.
func crashed(t *testing.T, err *error) *house {
	t.Helper()
	*err = failing(core.CodePluginTrap)
	h := loaded(t, fickle(err), "limits: {crashes: 2}")
	for range 2 {
		require.True(t, h.Admits("x"))
		_, failed := h.invoke(t, "x")
		require.Equal(t, core.CodePluginTrap, failureCode(failed))
	}
	return h
}

func notStarted(t *testing.T, err error) *core.NotStartedError {
	t.Helper()
	e, ok := errors.AsType[*core.NotStartedError](err)
	require.True(t, ok, "%v", err)
	return e
}

func TestAPluginThatKeepsCrashingIsQuarantined(t *testing.T) {
	var err error
	h := crashed(t, &err)
	p := h.status(t, "x")
	require.Equal(t, core.PluginQuarantined, p.State)
	require.Equal(t, &core.Quarantine{Reason: "it broke: PLUGIN_TRAP", Crashes: 2, Since: h.clock.Now(), Until: h.clock.Now().Add(30 * time.Second)}, p.Quarantine)
	require.Equal(t, core.PluginCounters{Total: 2, Failed: 2, Crashed: 2}, p.Calls)
	require.Equal(t, 1, h.log.count("plugin is quarantined"))

	require.False(t, h.Admits("x"))
	_, refused := h.invoke(t, "x")
	require.Equal(t, 2*time.Second, notStarted(t, refused).Wait, "another node may take it meanwhile")
	require.Equal(t, int64(2), h.status(t, "x").Calls.Total, "nothing was run")
	require.NoError(t, h.ValidateData("x", nil), "tasks are taken")

	err = nil
	h.clock.Advance(30 * time.Second)
	require.Equal(t, core.PluginTrial, h.status(t, "x").State)
	require.True(t, h.Admits("x"))
	_, failed := h.invoke(t, "x")
	require.NoError(t, failed)
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State)
	require.Nil(t, h.status(t, "x").Quarantine)
	require.Equal(t, 1, h.log.count("has left quarantine"))
}

func TestAFailedTrialTakesLonger(t *testing.T) {
	var err error
	h := crashed(t, &err)
	h.clock.Advance(30 * time.Second)
	_, failed := h.invoke(t, "x")
	require.Equal(t, core.CodePluginTrap, failureCode(failed))
	require.Equal(t, h.clock.Now().Add(time.Minute), h.status(t, "x").Quarantine.Until)
	require.Equal(t, 2, h.log.count("plugin is quarantined"))
}

func TestReleaseEndsAQuarantine(t *testing.T) {
	var err error
	h := crashed(t, &err)
	require.NoError(t, h.Release("x"))
	require.NoError(t, h.Release("x"), "nothing to do")
	require.True(t, h.Admits("x"))
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State)
	require.Equal(t, core.CodeNotFound, core.CodeOf(h.Release("y")))
	require.True(t, h.Admits("y"), "its executions fail and say why")
}

// What is no breakdown of the program is not held against it.
func TestWhatCountsAsACrash(t *testing.T) {
	process := host.BystanderError{Failure: &core.Failure{Code: core.CodePluginCrashed, Class: core.ClassRetryable}}
	for _, test := range []struct {
		err         error
		crash, ends bool // ends a row of crashes
	}{
		{failing(core.CodePluginTrap), true, false},
		{failing(core.CodePluginCrashed), true, false},
		{failing(core.CodePluginMemoryLimit), true, false},
		{process, false, false},
		{failing(core.CodeTimeout), false, false},
		{failing(core.CodeCancelled), false, false},
		{failing(core.CodePluginCPULimit), false, false},
		{failing(core.CodePluginUnavailable), false, false},
		{errors.New("the host's own"), false, false},
		{failing(core.CodePluginOutputLimit), false, true},
		{failing(core.CodePluginCallLimit), false, true},
		{nil, false, true},
	} {
		err := failing(core.CodePluginTrap)
		h := loaded(t, fickle(&err), "limits: {crashes: 2}")
		_, _ = h.invoke(t, "x")
		err = test.err
		_, _ = h.invoke(t, "x")
		require.Equal(t, !test.crash, h.Admits("x"), "%v", test.err)
		if !test.crash {
			err = failing(core.CodePluginTrap)
			_, _ = h.invoke(t, "x")
			require.Equal(t, test.ends, h.Admits("x"), "%v", test.err)
		}
	}
}

// What an operator changes to help a plugin must not wait for its cool-off; what
// changes nothing must not end it.
func TestANewVersionBeginsOutsideOfQuarantine(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*testing.T, *house)
		clean  bool
	}{
		"nothing":     {func(*testing.T, *house) {}, false},
		"a comment":   {func(t *testing.T, h *house) { h.list(t, "limits: {crashes: 2} # two") }, false},
		"the limits":  {func(t *testing.T, h *house) { h.list(t, "limits: {crashes: 2, memory: 128MiB}") }, true},
		"the program": {func(t *testing.T, h *house) { h.runtime.program("better"); h.file(t, "good", "better") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			h := crashed(t, &err)
			test.change(t, h)
			require.NoError(t, h.Reload(t.Context()))
			require.Equal(t, test.clean, h.Admits("x"))
		})
	}
}
