package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// guest is a task of the suite's guest; more are further fields.
func guest(data, more object) object {
	task := reminder("guest", more)
	task["type"], task["data"] = "guest", data
	return task
}

func TestAFailedAttemptNotifiesNobodyAndASuccessOnce(t *testing.T) {
	o := newOutside(t)
	s := newService(t, "NOTIFICATION_SERVICE_URL="+o.URL)
	s.writePlugins("plugins:\n  - {type: guest, runtime: wasm, source: guest.wasm, grants: {notify: true}}\n")
	s.start()
	policy := object{"retryPolicy": object{"attempts": 3, "delay": 50, "backoff": "fixed"}}
	failing := s.create(guest(object{"do": "notify", "text": "fail"}, policy))
	s.call(502, "POST", "/tasks/"+failing+"/execute?wait=10s", nil)
	late := s.create(guest(object{"do": "notify", "text": "fail", "n": 2}, policy))
	e := s.call(200, "POST", "/tasks/"+late+"/execute?wait=10s", nil).body
	require.EqualValues(t, 3, e["attempt"])
	last := s.call(200, "POST", "/tasks/"+s.create(guest(object{"do": "notify"}, nil))+"/execute?wait=10s", nil).body

	s.eventually("the last one is delivered", 10*time.Second, func() bool { return o.delivered()[last["id"].(string)+":1"] > 0 })
	require.Equal(t, map[string]int{e["id"].(string) + ":1": 1, last["id"].(string) + ":1": 1}, o.delivered())
}

func TestANotificationIsTriedAgainOrGivenUpAndTheExecutionHasSucceeded(t *testing.T) {
	o := newOutside(t)
	o.respond = func(n int) int {
		return []int{http.StatusServiceUnavailable, http.StatusAccepted, http.StatusBadRequest}[n-1]
	}
	s := startService(t, "NOTIFICATION_SERVICE_URL="+o.URL)
	s.call(200, "POST", "/tasks/"+s.create(reminder("first", nil))+"/execute?wait=10s", nil)
	s.eventually("it is tried again", 20*time.Second, func() bool { return len(o.delivered()) == 1 })
	s.call(200, "POST", "/tasks/"+s.create(reminder("second", nil))+"/execute?wait=10s", nil)
	s.eventually("it is given up", 10*time.Second, func() bool { return strings.Contains(s.log.String(), "notification given up") })
	require.Contains(t, s.log.String(), "400 Bad Request")
}

func TestAKilledNodeLeavesItsCheckpointToTheNextAttempt(t *testing.T) {
	for runtime, source := range map[string]string{"wasm": "guest.wasm", "process": "guest-process"} {
		t.Run(runtime, func(t *testing.T) {
			s := newService(t)
			s.writePlugins("plugins:\n  - {type: guest, runtime: " + runtime + ", source: " + source + "}\n")
			s.start()
			task := s.create(guest(object{"do": "resume", "text": "hold", "n": 2}, nil))
			id := s.call(202, "POST", "/tasks/"+task+"/execute", nil).body["id"].(string)
			look := func() object { return s.call(200, "GET", "/executions/"+id, nil).body }
			s.eventually("it says how far it is", 10*time.Second, func() bool { return look()["progress"] != nil })
			said := look()["progress"].(object)
			require.Equal(t, []any{50.0, "step 1"}, []any{said["percent"], said["message"]})
			require.NotEmpty(t, said["at"])
			require.Equal(t, said, s.history("/history/" + task)[0]["progress"])

			s.kill()
			s.start()
			s.eventually("the next attempt ends it", 20*time.Second, func() bool { return look()["status"] == "succeeded" })
			e := look()
			require.EqualValues(t, 2, e["result"], "it went on at the second step")
			require.Equal(t, []any{"lost", "succeeded"}, []any{e["attempts"].([]any)[0].(object)["status"], e["attempts"].([]any)[1].(object)["status"]})
			require.Nil(t, e["progress"])
		})
	}
}
