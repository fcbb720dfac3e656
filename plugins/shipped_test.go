// Package plugins_test runs the bundled task types as they are shipped: built as
// modules and as processes, in the host, against the fake platforms.
package plugins_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/process"
	"github.com/nexuscore/scheduler/host/wasm"
	"github.com/nexuscore/scheduler/internal/fakeplatform"
	"github.com/nexuscore/scheduler/internal/plugintest"
)

const (
	module = "github.com/nexuscore/scheduler/plugins/"
	page   = "../docs/task-types.md"
)

// acting are the types that do something on the platforms.
var acting = []string{"reminder", "message", "channel_update", "moderation", "aggregation", "cleanup"}

// built has the programs, and cache the compiled modules: either takes seconds.
var built, cache string

func TestMain(m *testing.M) {
	process.RunIfChild()
	os.Exit(withCache(m))
}

func withCache(m *testing.M) int {
	dir, err := os.MkdirTemp("", "plugins")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the machine does it, too
	built, cache = dir, filepath.Join(dir, "cache")
	return m.Run()
}

var building sync.Mutex

// program is the path of a task type for a runtime.
func program(t testing.TB, runtime, taskType string) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	path, build := filepath.Join(built, taskType), func() string { return hosttest.BuildProcess(t, module+taskType) }
	if runtime == "wasm" {
		path, build = path+".wasm", func() string { return hosttest.BuildWASM(t, module+taskType) }
	}
	if _, err := os.Stat(path); err != nil {
		require.NoError(t, os.Rename(build(), path))
	}
	return path
}

func newWASM(t testing.TB) host.Runtime {
	t.Helper()
	r, err := wasm.New(wasm.Config{CacheDir: cache})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

func newProcess(t testing.TB, clock core.Clock) host.Runtime {
	t.Helper()
	dir, err := os.MkdirTemp("", "p") //nolint:usetesting // T's are too long for sockets
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	r, err := process.New(process.Config{Dir: dir, Clock: clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

// start loads what a plugins.yaml lists.
func start(t *testing.T, cfg host.Config) *host.Host {
	t.Helper()
	h := host.New(cfg)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	require.NoError(t, h.Load(t.Context()))
	for _, status := range h.Plugins() {
		require.Equal(t, core.PluginLoaded, status.State, "%s: %s", status.Type, status.Error)
	}
	return h
}

// invocation is a first attempt.
func invocation(taskType, id string, data json.RawMessage) core.Invocation {
	return core.Invocation{
		ExecutionID: id, TaskID: "t-1", TaskName: "Stream", Type: taskType, Trigger: core.TriggerSchedule, Attempt: 1, MaxAttempts: 3, Token: 1,
		NominalTime: time.Now(), Deadline: time.Now().Add(time.Minute), Data: data,
	}
}

// The plugins.yaml of the repository loads without any secret. What a type misses
// then, its executions say.
func TestEveryTypeLoadsAsItIsShipped(t *testing.T) {
	text, err := os.ReadFile("../plugins.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "bin", "plugins"), 0o700))
	for _, source := range regexp.MustCompile(`bin/plugins/(\w+)\.wasm`).FindAllStringSubmatch(string(text), -1) {
		require.NoError(t, os.Symlink(program(t, "wasm", source[1]), filepath.Join(dir, source[0])))
	}
	path := filepath.Join(dir, "plugins.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	store := newLedger()
	h := start(t, host.Config{
		Path: path, Runtimes: map[string]host.Runtime{"wasm": newWASM(t)}, State: store, Checkpoints: store,
		Environ: func(string) (string, bool) { return "", false },
	})
	for _, status := range h.Plugins() {
		for _, example := range plugintest.Examples(t, page, status.Type) {
			require.NoError(t, h.ValidateData(status.Type, example), string(example))
		}
	}
	for _, taskType := range []string{"message", "channel_update", "moderation", "aggregation", "cleanup"} {
		_, err = h.Invoke(t.Context(), invocation(taskType, "e-1", plugintest.Examples(t, page, taskType)[0]))
		failure := core.FailureOf(err)
		require.Equal(t, core.ClassPermanent, failure.Class)
		require.Regexp(t, "the operator must set SECRET_(DISCORD|TWITCH)_TOKEN", failure.Message)
	}
	out, err := h.Invoke(t.Context(), invocation("reminder", "e-1", plugintest.Examples(t, page, "reminder")[0]))
	require.NoError(t, err)
	require.Len(t, out.Effects.Messages, 1)
}

// platforms is a host whose plugins act on fake platforms.
type platforms struct {
	*fakeplatform.Platform
	*host.Host
	store  *ledger
	clock  *clock
	reaper *reaper
}

// runtimes are those that task types run in.
var runtimes = []string{"wasm", "process"}

// each runs a test for both runtimes, with some task types.
func each(t *testing.T, types []string, test func(t *testing.T, p platforms)) {
	for _, name := range runtimes {
		t.Run(name, func(t *testing.T) { test(t, newPlatforms(t, name, types...)) })
	}
}

func newPlatforms(t *testing.T, runtimeName string, types ...string) platforms {
	t.Helper()
	p := platforms{store: newLedger(), clock: &clock{}, reaper: &reaper{}}
	var r host.Runtime
	switch {
	case runtimeName == "wasm":
		r = newWASM(t)
	case runtime.GOOS != "linux":
		t.Skip("process plugins need Linux")
	default:
		r = newProcess(t, p.clock)
	}
	p.Platform = fakeplatform.New(fakeplatform.Config{Now: p.clock.Now})
	server := httptest.NewServer(p.Handler())
	t.Cleanup(server.Close)
	yaml := "plugins:\n"
	for _, taskType := range types {
		yaml += fmt.Sprintf(`
  - type: %s
    runtime: %s
    source: %s
    limits: {crashes: 1000}
    grants: {notify: true, kv: true, maintenance: true, publish: ["aggregation.*"], secrets: [discord_token, discord_webhook, twitch_token, twitch_client_id], http: ["%[4]s/**"], privateNetworks: [127.0.0.0/8]}
    config: {discord: {api: "%[4]s/discord/api/v10"}, twitch: {api: "%[4]s/twitch/helix", userId: "900"}}
`, taskType, runtimeName, program(t, runtimeName, taskType), server.URL)
	}
	path := filepath.Join(t.TempDir(), "plugins.yaml")
	require.NoError(t, os.WriteFile(path, []byte(yaml), 0o600))
	secrets := map[string]string{
		"SECRET_DISCORD_TOKEN": "token-of-discord", "SECRET_TWITCH_TOKEN": "token-of-twitch", "SECRET_TWITCH_CLIENT_ID": "client-of-twitch",
		"SECRET_DISCORD_WEBHOOK": server.URL + "/discord/api/v10/webhooks/77/token-of-webhook",
	}
	p.Host = start(t, host.Config{
		Path: path, Runtimes: map[string]host.Runtime{runtimeName: mortal{r, p.reaper}}, State: p.store, Checkpoints: p.store, Pruner: p.store,
		Egress:  host.EgressConfig{Clock: p.clock},
		Environ: func(name string) (string, bool) { value, set := secrets[name]; return value, set },
	})
	return p
}

// run runs an attempt, and stores what goes with its success.
func (p platforms) run(t *testing.T, in core.Invocation) error {
	t.Helper()
	require.NoError(t, p.ValidateData(in.Type, in.Data))
	out, err := p.Invoke(t.Context(), in)
	if err == nil {
		p.store.succeed(out.Effects)
	}
	return err
}

// The examples of the documentation do what they say, in order: one edits what
// another has sent.
func TestTheExamplesOfTheDocsEndToEnd(t *testing.T) {
	each(t, acting, func(t *testing.T, p platforms) {
		for _, taskType := range acting {
			for n, example := range plugintest.Examples(t, page, taskType) {
				if strings.Contains(string(example), `"kind": "http"`) {
					continue // its endpoint is not in this world
				}
				require.NoError(t, p.run(t, invocation(taskType, fmt.Sprintf("%s-%d", taskType, n), example)), string(example))
			}
		}
		var effects []string
		for _, e := range p.Journal().Effects("") {
			effects = append(effects, e.Route)
		}
		require.Equal(t, []string{
			"discord.create_message", "twitch.send_chat_message",
			"discord.create_message", "discord.edit_message", "discord.execute_webhook", "twitch.send_announcement",
			"discord.modify_channel", "twitch.modify_channel", "twitch.update_chat_settings",
			"discord.bulk_ban", "twitch.ban",
			"discord.create_message",
			"twitch.delete_chat",
		}, effects)
		require.Contains(t, p.store.state, "aggregation viewers")
		require.Equal(t, []core.Status{core.StatusSucceeded, core.StatusSkipped}, p.store.pruned)
	})
}
