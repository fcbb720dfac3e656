package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

// TestEveryChangeIsOneLine: who looks into the log finds what was changed, by
// which request.
func TestEveryChangeIsOneLine(t *testing.T) {
	var log bytes.Buffer
	f := fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{
		Health: health{}, Plugins: reloader(func(context.Context) error { return nil }),
		Logger: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info, JSONFormat: true}),
	})
	says := func(message string, r response, facts object) {
		t.Helper()
		var lines []object
		for s := bufio.NewScanner(&log); s.Scan(); {
			var line object
			require.NoError(t, json.Unmarshal(s.Bytes(), &line))
			lines = append(lines, line)
		}
		require.Len(t, lines, 1)
		require.Equal(t, "info", lines[0]["@level"])
		require.Equal(t, message, lines[0]["@message"])
		require.Equal(t, r.header.Get("X-Request-Id"), lines[0]["request_id"])
		for key, fact := range facts {
			require.Equal(t, fact, lines[0][key], key)
		}
	}
	body := `{"name": "x", "type": "test", "cronExpression": "0 0 * * *", "startAt": "2020-01-01T00:00:00Z"}`
	r := f.want(201, "POST", "/tasks", body, "Idempotency-Key", "k")
	task := r.body["id"]
	path := "/tasks/" + task.(string)
	says("task created", r, object{"task_id": task})
	f.want(201, "POST", "/tasks", body, "Idempotency-Key", "k")
	require.Empty(t, log.String(), "a repetition changes nothing")
	says("task updated", f.want(200, "PUT", path, body), object{"task_id": task})
	says("task paused", f.want(200, "POST", path+"/pause", nil), object{"task_id": task})
	says("task resumed", f.want(200, "POST", path+"/resume", nil), object{"task_id": task})
	r = f.want(202, "POST", path+"/execute", nil)
	says("execution planned", r, object{"task_id": task, "execution_id": r.body["id"]})
	says("execution cancelled", f.want(200, "POST", "/executions/"+r.body["id"].(string)+"/cancel", nil), object{"execution_id": r.body["id"]})
	r = f.want(202, "POST", "/history/"+r.body["id"].(string)+"/retry", nil)
	says("execution planned", r, object{"execution_id": r.body["id"], "trigger": "retry"})
	r = f.want(202, "POST", path+"/backfill", `{"from": "2024-01-01T00:00:00Z", "to": "2024-01-03T00:00:00Z"}`)
	says("backfill planned", r, object{"task_id": task, "executions": 2.0})
	says("task cancelled", f.want(200, "POST", path+"/cancel", nil), object{"task_id": task, "executions": 3.0})
	says("task deleted", f.want(204, "DELETE", path, nil), object{"task_id": task})

	r = f.want(201, "POST", "/schedules", `{"name": "s", "intervalMs": 1000}`)
	schedule := r.body["id"]
	says("schedule created", r, object{"schedule_id": schedule})
	says("schedule updated", f.want(200, "PUT", "/schedules/"+schedule.(string), `{"name": "s", "intervalMs": 1000}`), object{"schedule_id": schedule})
	says("schedule deleted", f.want(204, "DELETE", "/schedules/"+schedule.(string), nil), object{"schedule_id": schedule})
	says("calendar created", f.want(201, "POST", "/calendars", `{"name": "c"}`), object{"calendar": "c"})
	says("calendar updated", f.want(200, "PUT", "/calendars/c", `{"name": "c"}`), object{"calendar": "c"})
	says("calendar deleted", f.want(204, "DELETE", "/calendars/c", nil), object{"calendar": "c"})
	says("plugins reloaded", f.want(200, "POST", "/plugins/reload", nil), nil)

	f.want(404, "DELETE", path, nil)
	f.want(200, "GET", "/tasks", nil)
	require.Empty(t, log.String(), "a refusal and a look change nothing")
}
