package app_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/app"
)

func TestTheDefaultsOfATaskAreConfigured(t *testing.T) {
	for _, tc := range []struct {
		name                     string
		vars                     []string
		timeout, attempts, delay float64
	}{
		{"as documented", nil, 300_000, 3, 60_000},
		{"changed", []string{"DEFAULT_TIMEOUT=1500", "RETRY_ATTEMPTS=7", "RETRY_DELAY=250"}, 1500, 7, 250},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := withPlugins(t, tc.vars...).start(t)
			task := s.task("quick", nil)
			retry := task["retryPolicy"].(object)
			require.InDelta(t, tc.timeout, task["timeoutMs"], 0)
			require.InDelta(t, tc.attempts, retry["attempts"], 0)
			require.InDelta(t, tc.delay, retry["delay"], 0)
			e := s.execute(task)
			require.InDelta(t, tc.attempts, e["maxAttempts"], 0)
			own := s.task("quick", object{"timeoutMs": 99, "retryPolicy": object{"attempts": 2}})
			require.InDelta(t, 99, own["timeoutMs"], 0, "a task's own word counts")
			require.InDelta(t, 2, own["retryPolicy"].(object)["attempts"], 0)
		})
	}
}

func TestTheDefaultTimeoutEndsWork(t *testing.T) {
	s := withPlugins(t, "DEFAULT_TIMEOUT=200", "RETRY_ATTEMPTS=2", "RETRY_DELAY=1").start(t)
	task := s.task("spin", nil)
	failure := s.call(504, "POST", "/tasks/"+task["id"].(string)+"/execute?wait=20s", nil)["error"].(object)
	require.Equal(t, "TIMEOUT", failure["code"])
	require.Len(t, failure["details"].(object)["execution"].(object)["attempts"], 2)
}

func TestTheDefaultTimeoutReachesThePlugins(t *testing.T) {
	for value, shown := range map[string]string{"": "5m0s", "1500": "1.5s"} {
		s := withPlugins(t, "DEFAULT_TIMEOUT="+value).start(t)
		limits := s.call(200, "GET", "/plugins/quick", nil)["limits"].(object)
		require.Equal(t, shown, limits["timeout"])
		require.Equal(t, "1m0s", s.call(200, "GET", "/plugins/spin", nil)["limits"].(object)["timeout"], "the plugin's own word counts")
	}
}

func TestOnlyTheNamesOfThisMachineAreAnswered(t *testing.T) {
	s := newEnv(t).start(t)
	status := func(host string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/tasks", nil)
		require.NoError(t, err)
		req.Host = host
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, status("localhost:3006"))
	require.Equal(t, http.StatusForbidden, status("evil.example"))
}

func TestMaxConcurrentTasks(t *testing.T) {
	for value, slots := range map[string]int{"1": 1, "2": 2} {
		t.Run(value, func(t *testing.T) {
			s := withPlugins(t, "MAX_CONCURRENT_TASKS="+value).start(t)
			for range 3 {
				s.execute(s.task("spin", nil))
			}
			running := func() float64 { return s.check("executor")["details"].(object)["running"].(float64) }
			s.eventually("all slots are taken", func() bool { return running() == float64(slots) })
			require.InDelta(t, slots, s.check("executor")["details"].(object)["slots"], 0)
			for range 20 {
				time.Sleep(10 * time.Millisecond)
				require.LessOrEqual(t, running(), float64(slots))
			}
		})
	}
}

func TestTheHealthPageShowsTheConfiguration(t *testing.T) {
	s := newEnv(t, "NODE_ID=node-7", "NODE_ENV=production", "MAX_QUEUE_SIZE=37", "MAX_CONCURRENT_TASKS=4").start(t)
	page := s.call(200, "GET", "/health", nil)
	require.Equal(t, "node-7", page["node"])
	require.Equal(t, "production", page["environment"])
	require.Equal(t, "test", page["version"])
	queue := s.check("queue")["details"].(object)
	require.InDelta(t, 37, queue["free"], 0)
	require.InDelta(t, 0, queue["waiting"], 0)
	require.InDelta(t, 4, s.check("executor")["details"].(object)["slots"], 0)
	require.Equal(t, "sqlite", s.check("database")["adapter"])
	require.Equal(t, "memory", s.check("redis")["adapter"])
	require.Equal(t, object{"notification": "log"}, s.check("services")["details"])
}

func TestTheNodeSignsWhatItRan(t *testing.T) {
	s := withPlugins(t, "NODE_ID=node-7").start(t)
	task := s.task("quick", nil)
	e := s.call(200, "POST", "/tasks/"+task["id"].(string)+"/execute?wait=20s", nil)
	require.Equal(t, "node-7", e["worker"])
	require.Equal(t, "quick@0.0.0", e["plugin"])
}

func TestTheDataAndPluginsAreWhereTheyAreSaidToBe(t *testing.T) {
	e := withPlugins(t)
	s := e.start(t)
	require.FileExists(t, filepath.Join(e["DATA_DIR"], app.DatabaseName))
	require.Len(t, s.call(200, "GET", "/plugins", nil)["items"], 2)
	require.Contains(t, s.Summary(), "plugins: quick (wasm 0.0.0), spin (wasm 0.0.0)")
}

func TestTheConfigServiceListsPlugins(t *testing.T) {
	list := "plugins:\n  - {type: slow, runtime: wasm, source: spin.wasm, limits: {cpu: 60s}}\n"
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/plugins" {
			_, _ = io.WriteString(w, list)
		}
	}))
	e := withPlugins(t, "CONFIG_SERVICE_URL=http://user:hunter2@"+other.Listener.Addr().String())
	s := e.start(t)
	require.Contains(t, s.Summary(), "plugins: slow (wasm 0.0.0)", "and not what PLUGINS_CONFIG lists")
	require.Equal(t, object{"notification": "log", "config": other.Listener.Addr().String()}, s.check("services")["details"], "without the password")
	stop(s.App, time.Second)

	other.Close()
	s = e.start(t)
	require.Contains(t, s.Summary(), "plugins: slow (wasm 0.0.0)", "what it listed last")
	require.Equal(t, "degraded", s.check("services")["status"])
	executor := s.check("executor")
	require.Equal(t, "degraded", executor["status"])
	require.Contains(t, executor["error"], "the list that was used last is in force")
	require.NotContains(t, executor["error"], "hunter2")
	last := s.call(200, "GET", "/plugins", nil)["lastReload"].(object)
	require.Contains(t, last["error"], "the config service does not answer")
	s.call(422, "POST", "/plugins/reload", nil)
}

func TestADirectoryListsPlugins(t *testing.T) {
	e := withPlugins(t)
	e["PLUGINS_CONFIG"] = filepath.Dir(e["PLUGINS_CONFIG"])
	require.NoError(t, os.WriteFile(filepath.Join(e["PLUGINS_CONFIG"], "more.yaml"), []byte("plugins:\n  - {type: more, runtime: wasm, source: quick.wasm}\n"), 0o600))
	require.Contains(t, e.start(t).Summary(), "plugins: more (wasm 0.0.0), quick (wasm 0.0.0), spin (wasm 0.0.0)")
}

func TestMinInterval(t *testing.T) {
	hasty := object{"name": "hasty", "type": "quick", "intervalMs": 500}
	s := withPlugins(t).start(t)
	require.Equal(t, "INVALID_SCHEDULE", s.call(422, "POST", "/tasks", hasty)["error"].(object)["code"])
	s = withPlugins(t, "MIN_INTERVAL=500").start(t)
	s.call(201, "POST", "/tasks", hasty)
}

func TestOldHistoryIsRemoved(t *testing.T) {
	s := withPlugins(t, "HISTORY_RETENTION=1", "MAINTENANCE_INTERVAL=1000").start(t)
	task := s.task("quick", nil)
	id := s.call(200, "POST", "/tasks/"+task["id"].(string)+"/execute?wait=20s", nil)["id"].(string)
	s.eventually("the execution is gone", func() bool {
		resp, err := client.Get("http://" + s.Addr() + "/executions/" + id)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode == http.StatusNotFound
	})
}

func TestTheNotificationServiceIsWatched(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	s := newEnv(t, "NOTIFICATION_SERVICE_URL=http://user:hunter2@"+other.Listener.Addr().String()).start(t)
	services := s.check("services")
	require.Equal(t, "ok", services["status"], "any answer will do")
	require.Equal(t, object{"notification": other.Listener.Addr().String()}, services["details"], "without the password")
	other.Close()
	require.Equal(t, "degraded", s.check("services")["status"])
	require.Equal(t, "degraded", s.call(200, "GET", "/health", nil)["status"], "and the service goes on")
	s.call(200, "GET", "/health/ready", nil)
}
