package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// paper keeps what a host tells.
type paper struct {
	mu  sync.Mutex
	all []core.PluginEvent
}

func (p *paper) tell(e core.PluginEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, e)
}

// take returns what was told since, in short.
func (p *paper) take() (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.all {
		line := strings.TrimPrefix(e.Kind, "plugin.") + " " + e.Type + " " + e.Name
		if e.Previous != nil {
			line += " after " + e.Previous.Digest[:4]
		}
		if e.Held != nil {
			line += " holds " + e.Held.Version
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	p.all = nil
	return lines
}

// told is a house whose host tells what happens.
func told(t *testing.T) (*house, *paper) {
	t.Helper()
	h, p := newHouse(t), &paper{}
	h.Host = host.New(host.Config{
		Path: filepath.Join(h.dir, "plugins.yaml"), Runtimes: map[string]host.Runtime{"fake": h.runtime}, Clock: h.clock, Tell: p.tell,
		Environ: func(name string) (string, bool) { v, ok := h.env[name]; return v, ok },
	})
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	for _, name := range []string{"v1", "v2"} {
		h.runtime.program(name)
	}
	return h, p
}

func TestWhatAReloadDidIsTold(t *testing.T) {
	h, p := told(t)
	h.list(t)
	h.file(t, "good", "v1")
	h.load(t)
	first := h.status(t, "x").Digest[:4]
	require.Equal(t, []string{"loaded x v1"}, p.take())
	require.NoError(t, h.Reload(t.Context()))
	require.Empty(t, p.take(), "nothing has changed")

	h.file(t, "good", "v2")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, []string{"changed x v2 after " + first}, p.take())
	second := h.status(t, "x").Digest[:4]
	require.NoError(t, h.Rollback("x"))
	require.Equal(t, []string{"rolled_back x v1 after " + second}, p.take())

	h.file(t, "good", "broken")
	require.Error(t, h.Reload(t.Context()))
	require.Equal(t, []string{"refused x"}, p.take())
	require.Error(t, h.Reload(t.Context()))
	require.Empty(t, p.take(), "it was told")

	h.runtime.program("v3").manifest.Capabilities = []string{"kv"}
	h.file(t, "good", "v3")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, []string{"held x v1 holds 1.0.0"}, p.take())

	h.file(t, "plugins.yaml", "plugins: [")
	require.Error(t, h.Reload(t.Context()))
	require.Error(t, h.Reload(t.Context()))
	require.Equal(t, []string{"list_refused"}, p.take())
	h.file(t, "plugins.yaml", "plugins: []")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, []string{"removed x  after " + first}, p.take())
}

func TestWhatFailsAtTheStartIsTold(t *testing.T) {
	h, p := told(t)
	h.list(t)
	h.file(t, "good", "broken")
	h.load(t)
	require.Equal(t, []string{"refused x"}, p.take())
	h.file(t, "good", "v1")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, []string{"loaded x v1"}, p.take())
}

func TestQuarantinesAreTold(t *testing.T) {
	h, p := told(t)
	broken := true
	h.runtime.program("v1").handle = func(context.Context, []byte, host.Caller) ([]byte, error) {
		if broken {
			return nil, &core.Failure{Code: core.CodePluginTrap, Message: "canary-7"}
		}
		return wire.Encode(wire.Response{}, nil)
	}
	h.list(t, "limits: {crashes: 2}")
	h.file(t, "good", "v1")
	h.load(t)
	p.take()
	crash := func() {
		for range 2 {
			_, err := h.invoke(t, "x")
			require.Equal(t, core.CodePluginTrap, failureCode(err))
		}
	}
	crash()
	require.Equal(t, "2 crashes in a row, the last one PLUGIN_TRAP; GET /plugins says more", p.all[0].Reason)
	require.Equal(t, []string{"quarantined x v1"}, p.take())
	require.NoError(t, h.Release("x"))
	require.Equal(t, []string{"released x v1"}, p.take())
	crash()
	h.clock.Advance(time.Hour)
	broken = false
	_, err := h.invoke(t, "x")
	require.NoError(t, err)
	require.Equal(t, []string{"quarantined x v1", "released x v1"}, p.take())
}

// A version that is held back for another reason than before is told again.
func TestAnotherReasonToHoldAVersionBackIsTold(t *testing.T) {
	h := newHouse(t)
	p := &paper{}
	h.Host = host.New(host.Config{
		Path: filepath.Join(h.dir, "plugins.yaml"), Runtimes: map[string]host.Runtime{"fake": h.runtime}, Tell: p.tell,
		Logger: hclog.New(&hclog.LoggerOptions{Output: h.log}),
	})
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	h.runtime.program("v1")
	h.runtime.program("v2").manifest.Capabilities = []string{"kv", "notify"}
	for _, lines := range []string{"config: {}", "config: {}", "grants: {kv: true}"} {
		h.list(t, lines)
		h.file(t, "good", "v2")
		if h.LastReload() == nil {
			h.file(t, "good", "v1")
			h.load(t)
			continue
		}
		require.NoError(t, h.Reload(t.Context()))
	}
	require.Equal(t, []string{"loaded x v1", "held x v1 holds 1.0.0", "held x v1 holds 1.0.0"}, p.take())
	require.Equal(t, 2, h.log.count("is held back"))
	require.NoError(t, h.Reload(t.Context()))
	require.Empty(t, p.take(), "it was told")
}

// The stream is read by many: what came from the environment must not be in it,
// whoever says it.
func TestNoReasonHasASecret(t *testing.T) {
	const canary = "canary-5d1f0c77"
	for name, test := range map[string]struct{ lines, program string }{
		"in a digest":          {`source: good, sha256: "${CANARY}"`, "v1"},
		"in the source":        {`source: "nowhere/${CANARY}"`, "v1"},
		"in the config":        {`source: good, config: {token: "${CANARY}"}`, "picky"},
		"from the program":     {`source: good, config: {token: "${CANARY}"}`, "chatty"},
		"cut":                  {`source: good, runtime: "${LONG}"`, "v1"},
		"escaped":              {`source: good, runtime: "${ODD}"`, "v1"},
		"beside its beginning": {`config: {a: "${SHORT}"}, source: "nowhere/${CANARY}"`, "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := told(t)
			h.env["CANARY"], h.env["SHORT"] = canary, canary[:6]
			h.env["LONG"], h.env["ODD"] = canary+strings.Repeat("x", 200), "\x01\""+canary+"\""
			h.runtime.program("picky").manifest.ConfigSchema = json.RawMessage(`{"properties": {"token": {"enum": ["a", "b"]}}}`)
			chatty := h.runtime.program("chatty")
			chatty.manifest.ConfigSchema, chatty.manifest.Sample = json.RawMessage(`{}`), json.RawMessage(`{}`)
			chatty.handle = func(ctx context.Context, _ []byte, caller host.Caller) ([]byte, error) {
				config, err := caller.Call(ctx, wire.OpConfig, nil)
				require.NoError(t, err)
				require.Contains(t, string(config), canary)
				return nil, &core.Failure{Code: core.CodePluginTrap, Message: fmt.Sprintf("panic: %x %s", config, config)}
			}
			if !strings.Contains(test.lines, "runtime") {
				test.lines += ", runtime: fake"
			}
			h.file(t, "plugins.yaml", "plugins:\n  - {type: x, "+test.lines+"}\n")
			h.file(t, "good", test.program)
			h.load(t)
			require.Len(t, p.all, 1)
			require.NotEmpty(t, p.all[0].Reason)
			text, err := json.Marshal(p.all)
			require.NoError(t, err)
			require.NotContains(t, string(text), canary)
			require.NotContains(t, string(text), canary[6:])
			require.NotContains(t, string(text), fmt.Sprintf("%x", canary))
		})
	}
}

// A plugin cannot speak for the scheduler.
func TestPluginsPublishNoEventsOfTheScheduler(t *testing.T) {
	for _, kind := range []string{core.TypePluginLoaded, core.TypeExecutionFailed} {
		h := loaded(t, callOnce(wire.OpPublish, wire.Event{Type: kind}), `grants: {publish: ["*"]}`)
		_, err := h.invoke(t, "x")
		require.ErrorContains(t, err, "is no type of an event")
	}
}
