package host_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// version is what answers for x now.
func (h *house) version(t *testing.T) string {
	t.Helper()
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	require.Equal(t, `"`+out.Plugin+`"`, strings.TrimSuffix(string(out.Result), `"`)+`@1.0.0"`, "the plugin that is named is the one that ran")
	return out.Plugin
}

// deploy puts another program in place, without a reload.
func (h *house) deploy(t *testing.T, program string) {
	t.Helper()
	h.runtime.program(program)
	h.file(t, "good", program)
}

// upgraded is a house in which x is v2 and was v1.
func upgraded(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	h.list(t)
	h.deploy(t, "v1")
	h.load(t)
	h.deploy(t, "v2")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v2@1.0.0", h.version(t))
	return h
}

func TestRollback(t *testing.T) {
	h := upgraded(t)
	v2 := h.status(t, "x")
	require.NotNil(t, v2.Previous)
	require.False(t, v2.RolledBack)

	loads := h.runtime.loaded()
	require.NoError(t, h.Rollback("x"))
	require.Equal(t, loads, h.runtime.loaded(), "it was there")
	require.Equal(t, "v1@1.0.0", h.version(t))
	v1 := h.status(t, "x")
	require.Equal(t, v2.Previous.Digest, v1.Digest)
	require.Equal(t, &core.PluginVersion{Version: v2.Version, Digest: v2.Digest}, v1.Previous)
	require.True(t, v1.RolledBack)
	require.Equal(t, 3, v1.Generation)
	require.Equal(t, 1, h.log.count("plugin rolled back"))

	require.NoError(t, h.Rollback("x"))
	require.Equal(t, "v2@1.0.0", h.version(t), "a second rollback undoes the first")
	require.False(t, h.status(t, "x").RolledBack)
}

func TestNothingToRollBackTo(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t)
	h.load(t)
	require.NoError(t, h.Reload(t.Context()))
	err := h.Rollback("x")
	require.Equal(t, core.CodeConflict, core.CodeOf(err), "the same again is no other version")
	require.ErrorContains(t, err, "nothing to roll")
	require.Equal(t, core.CodeNotFound, core.CodeOf(h.Rollback("y")))
	require.Equal(t, 2, h.status(t, "x").Generation, "nothing has changed")
}

// A reload of what was rolled back must not put it in place again behind the
// operator's back.
func TestARollbackHoldsUntilTheEntryOrTheProgramChanges(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*testing.T, *house)
		want   string
		back   bool
	}{
		"nothing": {func(*testing.T, *house) {}, "v1@1.0.0", true},
		"another type": {func(t *testing.T, h *house) {
			h.list(t, "", "- {type: y, runtime: fake, source: v3}")
			h.file(t, "v3", "v3")
			h.runtime.program("v3")
			h.file(t, "plugins.yaml", dedent(t, h, "- {type: y"))
			h.file(t, "good", "v2")
		}, "v1@1.0.0", true},
		"the entry":         {func(t *testing.T, h *house) { h.list(t, "limits: {timeout: 9s}"); h.file(t, "good", "v2") }, "v2@1.0.0", false},
		"a third program":   {func(t *testing.T, h *house) { h.deploy(t, "v3") }, "v3@1.0.0", false},
		"the first program": {func(t *testing.T, h *house) { h.deploy(t, "v1") }, "v1@1.0.0", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := upgraded(t)
			require.NoError(t, h.Rollback("x"))
			test.change(t, h)
			require.NoError(t, h.Reload(t.Context()))
			require.NoError(t, h.Reload(t.Context()), "however often")
			require.Equal(t, test.want, h.version(t))
			require.Equal(t, test.back, h.status(t, "x").RolledBack)
		})
	}
}

// One version is kept, whatever happened before; a type that is listed no more
// keeps none.
func TestOnePreviousVersionIsKept(t *testing.T) {
	h := upgraded(t)
	for i := range 5 {
		h.deploy(t, fmt.Sprintf("w%d", i))
		require.NoError(t, h.Reload(t.Context()))
	}
	eventually(t, "the others are released", func() bool { return h.runtime.opened() == 2 })
	require.NoError(t, h.Rollback("x"))
	require.Equal(t, "w3@1.0.0", h.version(t))
	h.file(t, "plugins.yaml", "plugins: []\n")
	require.NoError(t, h.Reload(t.Context()))
	eventually(t, "all are released", func() bool { return h.runtime.opened() == 0 })
}

// An operator changes limits: the program is the same, the entry is not.
func TestARollbackBringsTheEntryBack(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t, "limits: {memory: 32MiB}")
	h.load(t)
	h.list(t, "limits: {memory: 16MiB}")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "16MiB", h.status(t, "x").Limits["memory"])
	require.NoError(t, h.Rollback("x"))
	require.Equal(t, "32MiB", h.status(t, "x").Limits["memory"])
}

// A rollback does not wait for a reload that takes its time.
func TestARollbackDuringAReload(t *testing.T) {
	h := upgraded(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	h.runtime.program("slow").loading = func() { close(begun); <-finish }
	h.file(t, "slow", "slow")
	h.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: good}\n  - {type: y, runtime: fake, source: slow}\n")
	reloaded := make(chan error)
	go func() { reloaded <- h.Reload(context.Background()) }()
	<-begun
	require.NoError(t, h.Rollback("x"))
	require.Equal(t, "v1@1.0.0", h.version(t))
	close(finish)
	require.NoError(t, <-reloaded)
	require.Equal(t, "v1@1.0.0", h.version(t), "the reload knows of it")
	require.Equal(t, core.PluginLoaded, h.status(t, "y").State)
}

// Every run meets a plugin that is loaded, and its result is that plugin's,
// however often it is replaced and rolled back.
func TestChangesUnderLoad(t *testing.T) {
	h := upgraded(t)
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var ran atomic.Int64
	for range 4 {
		callers.Go(func() {
			for ctx.Err() == nil {
				out, err := h.Invoke(context.Background(), core.Invocation{Type: "x"})
				if err != nil || out.Plugin != strings.Trim(string(out.Result), `"`)+"@1.0.0" {
					t.Errorf("%s answered %s, %v", out.Plugin, out.Result, err)
					return
				}
				ran.Add(1)
			}
		})
	}
	for i := range 50 {
		before := ran.Load()
		h.deploy(t, fmt.Sprintf("w%d", i))
		require.NoError(t, h.Reload(t.Context()))
		require.Equal(t, fmt.Sprintf("w%d@1.0.0", i), h.version(t), "what begins after the switch is new")
		require.NoError(t, h.Rollback("x"))
		require.Equal(t, "v2@1.0.0", h.version(t))
		eventually(t, "somebody has run meanwhile", func() bool { return ran.Load() > before })
	}
	stop()
	callers.Wait()
	eventually(t, "what is replaced is released", func() bool { return h.runtime.opened() == 2 })
}

func TestAVersionThatAsksForTooMuchIsHeldBack(t *testing.T) {
	h := newHouse(t)
	h.list(t, "", "- {type: y, runtime: fake, source: other}")
	h.file(t, "plugins.yaml", dedent(t, h, "- {type: y"))
	h.deploy(t, "v1")
	h.file(t, "other", "v1")
	h.load(t)

	h.deploy(t, "v2")
	h.runtime.program("v2").manifest.Capabilities = []string{"kv"}
	h.runtime.program("new")
	h.file(t, "other", "new")
	loads := h.runtime.loaded()
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v1@1.0.0", h.version(t))
	require.Equal(t, "new", h.status(t, "y").Name, "the others change")
	p := h.status(t, "x")
	require.Equal(t, core.PluginLoaded, p.State)
	require.NotEqual(t, p.Digest, p.Held.Digest)
	require.Equal(t, "1.0.0", p.Held.Version)
	require.Contains(t, p.Held.Reason, "v2@1.0.0 asks for kv, which is not granted; add it to the plugin's grants")
	require.Nil(t, p.Previous)
	require.Equal(t, 1, h.log.count("is held back"))
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, loads+2, h.runtime.loaded(), "it is not loaded again to find the same")
	require.Equal(t, p.Held, h.status(t, "x").Held)

	h.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: good, grants: {kv: true}}\n")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v2@1.0.0", h.version(t))
	require.Nil(t, h.status(t, "x").Held)
	require.NoError(t, h.Rollback("x"))
	require.Equal(t, "v1@1.0.0", h.version(t))
}

// What is held back is not what a rollback is from.
func TestRollbackBesideAHeldVersion(t *testing.T) {
	h := upgraded(t)
	h.deploy(t, "v3")
	h.runtime.program("v3").manifest.Capabilities = []string{"http"}
	require.NoError(t, h.Reload(t.Context()))
	require.NotNil(t, h.status(t, "x").Held)
	require.NoError(t, h.Rollback("x"))
	require.Equal(t, "v1@1.0.0", h.version(t))
	require.False(t, h.status(t, "x").RolledBack, "v3 is listed")
	require.NotNil(t, h.status(t, "x").Held)
	h.deploy(t, "v2")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v2@1.0.0", h.version(t), "the list has changed since")
}

// A version that was rolled back, and listed again after another one, is meant.
func TestAHeldVersionEndsARollback(t *testing.T) {
	h := upgraded(t)
	require.NoError(t, h.Rollback("x"))
	h.deploy(t, "v3")
	h.runtime.program("v3").manifest.Capabilities = []string{"http"}
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v1@1.0.0", h.version(t))
	require.False(t, h.status(t, "x").RolledBack)
	h.deploy(t, "v2")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v2@1.0.0", h.version(t))
}
