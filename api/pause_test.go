package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func TestPauseAndResume(t *testing.T) {
	f := newFixture(t)
	id := f.task(object{"intervalMs": 60_000})
	before := f.want(200, "GET", "/tasks/"+id, nil).body
	paused := f.want(200, "POST", "/tasks/"+id+"/pause", `{"reason": "stream is off"}`).body
	require.Equal(t, "stream is off", paused["pauseReason"])
	require.Nil(t, paused["nextRun"])
	require.Equal(t, "paused on request", f.want(200, "POST", "/tasks/"+id+"/pause", nil).body["pauseReason"], "a reason is not required")

	paused["name"] = "renamed"
	paused["intervalMs"] = 120_000
	changed := f.want(200, "PUT", "/tasks/"+id, paused).body
	require.NotNil(t, changed["pauseReason"], "an update does not resume")
	require.Nil(t, changed["nextRun"])

	resumed := f.want(200, "POST", "/tasks/"+id+"/resume", nil).body
	require.Nil(t, resumed["pauseReason"])
	require.NotNil(t, resumed["nextRun"])
	require.NotEqual(t, before["nextRun"], resumed["nextRun"])
	require.Equal(t, resumed["version"], f.want(200, "POST", "/tasks/"+id+"/resume", nil).body["version"], "it was not paused")

	f.fails(422, core.CodeValidationFailed, []string{"/reason"}, f.do("POST", "/tasks/"+id+"/pause", object{"reason": strings.Repeat("x", 501)}))
	f.fails(400, core.CodeInvalidRequest, []string{"/why"}, f.do("POST", "/tasks/"+id+"/pause", `{"why": ""}`))
	f.fails(404, core.CodeNotFound, nil, f.do("POST", "/tasks/"+core.NewID()+"/pause", nil))
	f.fails(404, core.CodeNotFound, nil, f.do("POST", "/tasks/"+core.NewID()+"/resume", nil))
}

func TestBackfillOverREST(t *testing.T) {
	f := newFixture(t)
	id := f.task(object{"cronExpression": "0 0 * * *", "startAt": "2020-01-01T00:00:00Z"})
	path := "/tasks/" + id + "/backfill"
	body := object{"from": "2024-02-27T00:00:00Z", "to": "2024-03-02T00:00:00Z", "dryRun": true}
	dry := f.want(200, "POST", path, body).body
	require.EqualValues(t, 4, dry["planned"])
	require.Equal(t, object{"nominalTime": "2024-02-29T00:00:00Z", "executionId": nil, "skipped": nil}, dry["occurrences"].([]any)[2])
	require.Empty(t, f.want(200, "GET", "/history", nil).body["items"])

	body["dryRun"] = false
	require.EqualValues(t, 4, f.want(202, "POST", path, body).body["planned"])
	require.Len(t, f.want(200, "GET", "/history?trigger=backfill", nil).body["items"], 4)
	require.EqualValues(t, 0, f.want(202, "POST", path, body).body["planned"])

	f.fails(422, core.CodeValidationFailed, []string{"/to"}, f.do("POST", path, object{"from": "2024-01-01T00:00:00Z", "to": time.Now().Add(time.Hour)}))
	f.fails(422, core.CodeValidationFailed, []string{"/to"}, f.do("POST", path, object{"from": "2024-01-01T00:00:00Z"}))
	f.fails(422, core.CodeValidationFailed, []string{"/overlap"}, f.do("POST", path, object{"from": "2024-01-01T00:00:00Z", "to": "2024-01-02T00:00:00Z", "overlap": "x"}))
}
