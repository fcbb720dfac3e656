package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever works in a data directory reads its plugins.yaml as soon as it changes.
func TestDevelopmentThatIsRefusedChangesNothing(t *testing.T) {
	s := newShell(t)
	data := filepath.Join(s.dir, "dev")
	args := func(name string) []string {
		plugins := filepath.Join(s.dir, name)
		require.NoError(t, os.Mkdir(plugins, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(plugins, name+".wasm"), []byte("no module"), 0o600))
		return []string{"dev", "--data", data, "--plugins", plugins, "--platform", "127.0.0.1:0"}
	}
	s.vars["CONFIG_SERVICE_URL"] = "http://127.0.0.1:1" // what lists the plugins of a service
	url, stop, done := s.serving(args("first")...)
	require.Contains(t, s.out.String(), "scheduler (version dev")
	require.Contains(t, s.out.String(), "not loaded: first")
	before, err := os.ReadFile(filepath.Join(data, "plugins.yaml"))
	require.NoError(t, err)

	other := newShell(t)
	require.Equal(t, exitError, other.run(t.Context(), args("second")...))
	require.Contains(t, other.err.String(), "in use by")
	after, err := os.ReadFile(filepath.Join(data, "plugins.yaml"))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	require.Equal(t, http.StatusOK, statusOf(t, url+"/health/live"))
	stop()
	require.Equal(t, exitOK, <-done)
}
