package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const streamReminder = `{"name": "Stream Reminder", "type": "reminder", "scheduleType": "cron", "cronExpression": "0 0 * * *", "timezone": "UTC",
 "data": {"channelId": "channel-uuid", "message": "Time to start streaming!", "notifyVia": ["discord", "email"]},
 "retryPolicy": {"attempts": 3, "delay": 60000, "backoff": "exponential"}}`

func TestAReminderRunsInItsPlugin(t *testing.T) {
	s := startService(t)
	created := s.call(201, "POST", "/tasks", streamReminder)
	id := created.body["id"].(string)
	require.Equal(t, "/tasks/"+id, created.header.Get("Location"))
	require.Equal(t, `"1"`, created.header.Get("ETag"))
	next, err := time.Parse(time.RFC3339, created.body["nextRun"].(string))
	require.NoError(t, err)
	require.Zero(t, next.Hour()+next.Minute()+next.Second())

	e := s.call(200, "POST", "/tasks/"+id+"/execute?wait=10s", nil).body
	require.Equal(t, "succeeded", e["status"])
	require.Equal(t, "manual", e["trigger"])
	require.Equal(t, "reminder@1.0.0", e["plugin"])
	result := e["result"].(object)
	require.Equal(t, []any{"discord", "email"}, result["via"], "what was asked for")
	require.Equal(t, e["id"].(string)+":1", result["id"])
	s.eventually("the log has it, where no service is configured", 10*time.Second, func() bool {
		return strings.Contains(s.log.String(), "Time to start streaming!")
	})

	logs := s.call(200, "GET", "/executions/"+e["id"].(string)+"/logs", nil).body["items"].([]any)
	require.Equal(t, "reminded", logs[0].(object)["lines"].([]any)[0].(object)["message"])
	require.Len(t, s.history("/history/"+id), 1)
	require.Equal(t, e["id"], s.history("/history")[0]["id"])
}

func TestTheNotificationServiceIsAsked(t *testing.T) {
	o := newOutside(t)
	s := startService(t, "NOTIFICATION_SERVICE_URL="+o.URL)
	id := s.create(reminder("hello", nil))
	e := s.call(200, "POST", "/tasks/"+id+"/execute?wait=10s", nil).body
	s.eventually("it is delivered", 10*time.Second, func() bool { return len(o.delivered()) == 1 })
	require.Equal(t, map[string]int{e["id"].(string) + ":1": 1}, o.delivered())
	body := o.requests()[0]
	require.Equal(t, "channel-1", body["channelId"])
	require.Equal(t, "hello", body["message"])
	require.Equal(t, id, body["taskId"])
}

// startEffect starts a service whose plugin effect reaches the outside.
func startEffect(t *testing.T, o *outside) *service {
	s := newService(t, "NOTIFICATION_SERVICE_URL="+o.URL)
	s.writePlugins(effectPlugin)
	s.start()
	return s
}

// effectTask is a task of the plugin effect; more are further fields.
func effectTask(name string, more object) object {
	task := reminder(name, more)
	task["type"], task["data"] = "effect", object{}
	return task
}

func TestFailuresAreRetriedShownAndRetriedByHand(t *testing.T) {
	o := newOutside(t)
	o.respond = func(n int) int {
		if n <= 2 {
			return http.StatusInternalServerError
		}
		return http.StatusAccepted
	}
	s := startEffect(t, o)
	id := s.create(effectTask("flaky", object{"retryPolicy": object{"attempts": 2, "delay": 100}}))
	r := s.call(502, "POST", "/tasks/"+id+"/execute?wait=10s", nil).body["error"].(object)
	require.Equal(t, "EXECUTION_FAILED", r["code"])
	failed := r["details"].(object)["execution"].(object)
	require.Equal(t, "failed", failed["status"])
	require.Len(t, failed["attempts"], 2)
	require.Equal(t, failed["id"], s.history("/history/failed")[0]["id"])

	e := s.call(200, "POST", "/history/"+failed["id"].(string)+"/retry?wait=10s", nil).body
	require.Equal(t, "succeeded", e["status"])
	require.Equal(t, "retry", e["trigger"])
	require.Equal(t, failed["id"], e["retryOf"])
	s.call(409, "POST", "/history/"+e["id"].(string)+"/retry", nil)
}

func TestAnAnswerThatWillNotChangeIsNotRetried(t *testing.T) {
	o := newOutside(t)
	o.respond = func(int) int { return http.StatusBadRequest }
	s := startEffect(t, o)
	id := s.create(effectTask("refused", nil))
	s.call(502, "POST", "/tasks/"+id+"/execute?wait=10s", nil)
	require.Len(t, o.requests(), 1)
	s.eventually("people are told", 10*time.Second, func() bool { return len(o.alerted()) == 1 })
	alert := o.alerted()[0]
	require.Equal(t, "execution.failed", alert["event"])
	require.Contains(t, alert["message"], "answered 400")
}

func TestEveryScheduleTypeFires(t *testing.T) {
	s := startService(t)
	once := s.create(reminder("once", object{"scheduleType": "once", "runAt": time.Now().Add(2 * time.Second)}))
	every := s.create(reminder("every", object{"scheduleType": "recurring", "intervalMs": 1000}))
	cron := s.create(reminder("cron", object{"cronExpression": "*/2 * * * * *"}))
	s.eventually("three of each", 30*time.Second, func() bool {
		return len(s.history("/history/"+once)) == 1 && len(s.history("/history/"+every)) >= 3 && len(s.history("/history/"+cron)) >= 3
	})
	for _, id := range []string{once, every, cron} {
		for _, e := range s.history("/history/" + id + "?status=succeeded") {
			nominal, err := time.Parse(time.RFC3339Nano, e["nominalTime"].(string))
			require.NoError(t, err)
			start, err := time.Parse(time.RFC3339Nano, e["startTime"].(string))
			require.NoError(t, err)
			require.False(t, start.Before(nominal), "started early")
		}
	}
	require.Nil(t, s.call(200, "GET", "/tasks/"+once, nil).body["nextRun"])
}

func TestABrokenPluginHarmsOnlyItsType(t *testing.T) {
	s := newService(t)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "broken.wasm"), []byte("no module"), 0o600))
	s.writePlugins(bothPlugins + "  - {type: broken, runtime: wasm, source: broken.wasm}\n  - {type: absent, runtime: wasm, source: absent.wasm}\n")
	s.start()
	task := reminder("x", object{"type": "broken"})
	require.Equal(t, "PLUGIN_UNAVAILABLE", s.call(503, "POST", "/tasks", task).body["error"].(object)["code"])
	for _, name := range []string{"broken", "absent"} {
		p := s.call(200, "GET", "/plugins/"+name, nil).body
		require.Equal(t, "failed", p["state"])
		require.NotEmpty(t, p["error"])
	}
	require.Equal(t, "degraded", s.call(200, "GET", "/health", nil).body["status"])
	id := s.create(reminder("fine", nil))
	s.call(200, "POST", "/tasks/"+id+"/execute?wait=10s", nil)
}

func TestAPluginThatVanishesFailsItsExecutions(t *testing.T) {
	s := startService(t)
	id := s.create(reminder("x", object{"intervalMs": 1000, "retryPolicy": object{"attempts": 1}}))
	broken := "plugins:\n  - {type: reminder, runtime: wasm, source: /nowhere.wasm}\n"
	s.writePlugins(broken)
	s.call(422, "POST", "/plugins/reload", "{}") // a reload that would break something changes nothing
	s.call(200, "POST", "/tasks/"+s.create(reminder("still", nil))+"/execute?wait=10s", nil)

	require.NoError(t, s.terminate())
	s.start()
	s.eventually("PLUGIN_UNAVAILABLE", 20*time.Second, func() bool {
		failed := s.history("/history/failed?taskId=" + id)
		return len(failed) > 0 && failed[0]["errorCode"] == "PLUGIN_UNAVAILABLE"
	})
	s.writePlugins(bothPlugins)
	s.call(200, "POST", "/plugins/reload", nil)
	s.call(200, "POST", "/tasks/"+s.create(reminder("y", nil))+"/execute?wait=10s", nil)
}

func TestAWrongPluginsFileDoesNotKeepTheServiceDown(t *testing.T) {
	s := newService(t)
	s.writePlugins("plugins: [}")
	s.start()
	require.Equal(t, "degraded", s.call(200, "GET", "/health", nil).body["status"])
	s.call(422, "POST", "/plugins/reload", nil)
	s.writePlugins(bothPlugins)
	s.call(200, "POST", "/plugins/reload", nil)
	require.Equal(t, "ok", s.call(200, "GET", "/health", nil).body["status"])
}

func TestASecondProcessIsRefused(t *testing.T) {
	s := startService(t)
	out, err := s.command().CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "another")
	s.call(200, "GET", "/health/ready", nil)
}

func TestWrongConfigurationIsToldAtOnce(t *testing.T) {
	s := newService(t, "PORT=high", "LOG_LEVEL=loud", "DATABASE_URL=mysql://user:hunter2@db/x")
	out, err := s.command().CombinedOutput()
	require.Error(t, err)
	for _, name := range []string{"PORT", "LOG_LEVEL", "DATABASE_URL"} {
		require.Contains(t, string(out), name)
	}
	require.NotContains(t, string(out), "hunter2")
}

func TestSIGTERMLetsRunningWorkEnd(t *testing.T) {
	o := newOutside(t)
	release := make(chan struct{})
	o.respond = func(int) int {
		<-release
		return http.StatusAccepted
	}
	s := startEffect(t, o)
	id := s.create(effectTask("slow", nil))
	s.call(202, "POST", "/tasks/"+id+"/execute", nil)
	s.eventually("running", 10*time.Second, func() bool { return s.history("/history/" + id)[0]["status"] == "running" })
	time.AfterFunc(time.Second, func() { close(release) })
	require.NoError(t, s.terminate())
	s.start()
	e := s.history("/history/" + id)[0]
	require.Equal(t, "succeeded", e["status"])
	require.EqualValues(t, 1, e["attempt"])
}

func TestCommands(t *testing.T) {
	s := newService(t)
	run := func(args ...string) (string, error) {
		out, err := s.command(args...).CombinedOutput()
		return string(out), err
	}
	out, err := run("version")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(out, "scheduler "))
	out, err = run("help")
	require.NoError(t, err)
	require.Contains(t, out, "migrate")
	_, err = run("nonsense")
	require.Error(t, err)
	for _, step := range []struct{ direction, says string }{{"status", "no database yet"}, {"up", "applied"}, {"down", "pending"}, {"status", "pending"}, {"up", "applied"}} {
		out, err = run("migrate", step.direction)
		require.NoError(t, err, out)
		require.Contains(t, out, step.says)
	}
	_, err = run("migrate", "sideways")
	require.Error(t, err)
	s.start()
}
