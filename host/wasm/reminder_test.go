package wasm_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
)

const reminderPackage = "github.com/nexuscore/scheduler/plugins/reminder"

// listed copies the repository's plugins.yaml, so that what is shipped is what
// is tested, to a place where the reminder's source exists; the other types' does
// not.
func listed(t testing.TB) (path string) {
	t.Helper()
	text, err := os.ReadFile("../../plugins.yaml")
	require.NoError(t, err)
	module, err := os.ReadFile(hosttest.BuildWASM(t, reminderPackage))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "bin", "plugins"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "plugins", "reminder.wasm"), module, 0o600))
	path = filepath.Join(dir, "plugins.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func newReminderHost(t testing.TB, path string) *host.Host {
	h := host.New(host.Config{Path: path, Runtimes: map[string]host.Runtime{"wasm": newRuntime(t)}})
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	require.NoError(t, h.Load(t.Context()))
	return h
}

func reminder() core.Invocation {
	return core.Invocation{
		ExecutionID: "e-1", TaskID: "t-1", TaskName: "Stream Reminder", Type: "reminder", Trigger: core.TriggerSchedule,
		Attempt: 1, MaxAttempts: 3, Token: 1, NominalTime: time.Now(), Deadline: time.Now().Add(time.Minute),
		Data: json.RawMessage(`{"channelId": "channel-uuid", "message": "Time to start streaming!", "notifyVia": ["discord", "email"]}`),
	}
}

func TestReminderAsItIsShipped(t *testing.T) {
	h := newReminderHost(t, listed(t))
	plugins := h.Plugins()
	status := plugins[slices.IndexFunc(plugins, func(s core.PluginStatus) bool { return s.Type == "reminder" })]
	require.Equal(t, core.PluginLoaded, status.State, status.Error)
	require.NoError(t, h.ValidateData("reminder", reminder().Data))
	require.Error(t, h.ValidateData("reminder", json.RawMessage(`{"channelId": "c", "message": "m", "notifyVia": ["discord", "discord"]}`)))

	out, err := h.Invoke(t.Context(), reminder())
	require.NoError(t, err)
	var got struct {
		ID, ChannelID string
		Via           []string
		At            time.Time
	}
	require.NoError(t, json.Unmarshal(out.Result, &got))
	require.Equal(t, "channel-uuid", got.ChannelID)
	require.Equal(t, "e-1:1", got.ID)
	require.Equal(t, []string{"discord", "email"}, got.Via)
	require.Len(t, out.Effects.Messages, 1)
	require.WithinDuration(t, time.Now(), got.At, time.Minute)
	require.Equal(t, "reminder@1.0.0", out.Plugin)
	require.Len(t, out.Logs, 1)
}

func BenchmarkReminder(b *testing.B) {
	h := newReminderHost(b, listed(b))
	in := reminder()
	in.Deadline = time.Time{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Invoke(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
