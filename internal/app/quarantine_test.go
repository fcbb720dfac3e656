package app_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// traps is the body of a task_handle that crashes.
var traps = []byte{0x00} // unreachable

// deploy puts a program in the place of a type's.
func (e env) deploy(t *testing.T, taskType string, body []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(e["PLUGINS_CONFIG"]), taskType+".wasm"), module(body), 0o600))
}

// metrics reads the page of metrics.
func (s *service) metrics() string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.Addr()+"/metrics", nil)
	require.NoError(s.t, err)
	resp, err := client.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return string(page)
}

// TestAPluginThatKeepsCrashingIsQuarantined is the life of a bad version: its
// executions wait without spending attempts, and a better version, or somebody's
// word, lets them go.
func TestAPluginThatKeepsCrashingIsQuarantined(t *testing.T) {
	e := withPlugins(t, "RETRY_ATTEMPTS=1")
	e.deploy(t, "frail", traps)
	e.plugins(t, "plugins:\n  - {type: frail, runtime: wasm, source: frail.wasm, limits: {crashes: 2}}\n  - {type: quick, runtime: wasm, source: quick.wasm}\n")
	s := e.start(t)
	task := s.task("frail", object{"overlap": "allow"})
	status := func(execution object) any {
		return s.call(200, "GET", "/executions/"+execution["id"].(string), nil)["status"]
	}
	fails := func() {
		failure := s.call(502, "POST", "/tasks/"+task["id"].(string)+"/execute?wait=20s", nil)["error"].(object)
		require.Equal(t, "PLUGIN_TRAP", failure["details"].(object)["execution"].(object)["errorCode"])
	}
	quarantine := func() object {
		plugin := s.call(200, "GET", "/plugins/frail", nil)
		require.Equal(t, "quarantined", plugin["state"])
		return plugin["quarantine"].(object)
	}
	fails()
	fails()
	require.InDelta(t, 2, quarantine()["crashes"], 0)
	require.Equal(t, []any{"frail"}, s.check("executor")["details"].(object)["quarantined"])
	require.Contains(t, s.metrics(), `scheduler_plugin_state{state="quarantined",type="frail"} 1`)
	require.Contains(t, s.metrics(), `scheduler_plugin_crashes_total{type="frail"} 2`)

	waiting := s.execute(task)
	explained := s.call(200, "GET", "/tasks/"+task["id"].(string)+"/explain", nil)
	gates := explained["executions"].([]any)[0].(object)["gates"].([]any)
	require.NotNil(t, blocked(gates, "plugin"), "it says why it waits")
	require.Equal(t, "pending", status(waiting))

	s.call(200, "POST", "/plugins/frail/release", nil)
	s.eventually("it is run and crashes", func() bool { return status(waiting) == "failed" })
	fails()
	quarantine()

	waiting = s.execute(task)
	e.deploy(t, "frail", answers)
	s.call(200, "POST", "/plugins/reload", nil)
	s.eventually("the better version runs it", func() bool { return status(waiting) == "succeeded" })
	require.InDelta(t, 1, s.call(200, "GET", "/executions/"+waiting["id"].(string), nil)["attempt"], 0, "waiting cost nothing")

	plugin := s.call(200, "POST", "/plugins/frail/rollback", nil)
	require.Equal(t, true, plugin["rolledBack"])
	require.Equal(t, "loaded", plugin["state"], "whoever asks for it wants it to run")
	fails()
	s.call(200, "POST", "/plugins/frail/rollback", nil)
	require.Equal(t, "succeeded", s.call(200, "POST", "/tasks/"+task["id"].(string)+"/execute?wait=20s", nil)["status"])
	require.NotContains(t, s.call(200, "GET", "/plugins/frail", nil), "rolledBack")
	require.Equal(t, "CONFLICT", s.call(409, "POST", "/plugins/quick/rollback", nil)["error"].(object)["code"])
}

// blocked finds the gate of a name that holds something back.
func blocked(gates []any, name string) object {
	for _, g := range gates {
		if gate := g.(object); gate["gate"] == name && gate["blocking"] == true {
			return gate
		}
	}
	return nil
}
