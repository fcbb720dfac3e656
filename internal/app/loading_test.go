//go:build unix

package app_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTasksAreNotRefusedWhilePluginsAreLoaded: the API answers before it knows
// the task types. The plugins file is a pipe here, so that loading takes until
// somebody writes into it.
func TestTasksAreNotRefusedWhilePluginsAreLoaded(t *testing.T) {
	e := withPlugins(t)
	yaml, err := os.ReadFile(e["PLUGINS_CONFIG"])
	require.NoError(t, err)
	require.NoError(t, os.Remove(e["PLUGINS_CONFIG"]))
	require.NoError(t, syscall.Mkfifo(e["PLUGINS_CONFIG"], 0o600))
	s := &service{App: e.build(t), t: t}
	started := make(chan error, 1)
	go func() { started <- s.Start(context.Background()) }()

	resp, err := client.Post("http://"+s.Addr()+"/tasks", "application/json", strings.NewReader(`{"name": "x", "type": "quick"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("Retry-After"))

	health, ready := s.call(http.StatusServiceUnavailable, "GET", "/health", nil), s.Ready(t.Context())

	require.NoError(t, os.WriteFile(e["PLUGINS_CONFIG"], yaml, 0o600))
	require.NoError(t, <-started)
	require.Equal(t, "plugins are being loaded", health["checks"].(object)["executor"].(object)["error"])
	require.ErrorContains(t, ready, "plugins are being loaded")
	s.task("quick", nil)
	require.Equal(t, "ok", s.check("executor")["status"])
}
