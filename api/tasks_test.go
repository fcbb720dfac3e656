package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func TestATaskGetsItsDefaults(t *testing.T) {
	f := newFixture(t)
	r := f.want(201, "POST", "/tasks", `{"name": "x", "type": "test"}`)
	want := object{
		"name": "x", "description": "", "type": "test", "scheduleType": "manual", "runAt": nil, "intervalMs": 0.0,
		"cronExpression": "", "timezone": "UTC", "startAt": nil, "endAt": nil, "maxRuns": 0.0, "jitterMs": 0.0,
		"calendars": []any{}, "dst": object{"gap": "shift", "fold": "first"}, "executionWindows": []any{}, "outsideWindow": "defer",
		"scheduleId": nil, "misfire": object{"policy": "latest", "windowMs": 3600000.0}, "overlap": "skip", "priority": 5.0,
		"timeoutMs": 300000.0, "delivery": "at_least_once", "concurrencyKey": "", "maxConcurrency": 1.0, "rateLimit": nil,
		"retryPolicy": object{"attempts": 3.0, "delay": 60000.0, "backoff": "exponential", "maxDelay": 3600000.0, "jitter": true},
		"data":        object{}, "labels": object{}, "enabled": true, "nextRun": nil, "lastRun": nil, "version": 1.0,
		"alerts":             object{"lateAfterMs": 0.0, "missed": true, "failed": true},
		"pauseAfterFailures": 0.0, "pauseReason": nil, "dependsOn": []any{},
		"dependencyPolicy": object{"condition": "success", "onFailure": "fail", "timeoutMs": 86400000.0},
	}
	for field, v := range want {
		require.Equal(t, v, r.body[field], field)
	}
	for field := range r.body {
		if _, known := want[field]; !known {
			require.Contains(t, []string{"id", "createdAt", "updatedAt"}, field)
		}
	}
}

func TestPartialPoliciesKeepTheOtherDefaults(t *testing.T) {
	f := newFixture(t)
	r := f.want(201, "POST", "/tasks", `{"name": "x", "type": "test", "retryPolicy": {"attempts": 7}, "misfire": {"policy": "all"}}`)
	require.Equal(t, object{"attempts": 7.0, "delay": 60000.0, "backoff": "exponential", "maxDelay": 3600000.0, "jitter": true}, r.body["retryPolicy"])
	require.Equal(t, object{"policy": "all", "windowMs": 3600000.0}, r.body["misfire"])
}

func TestBadTasksAreToldWhatIsWrong(t *testing.T) {
	f := newFixture(t)
	const ok = `"name": "x", "type": "test"`
	past := time.Now().Add(-48 * time.Hour).Format(time.RFC3339)
	cases := map[string]struct {
		body   string
		status int
		code   core.Code
		fields []string
	}{
		"cut off":            {`{"name": "x"`, 400, core.CodeInvalidRequest, nil},
		"two values":         {`{` + ok + `} {}`, 400, core.CodeInvalidRequest, nil},
		"an array":           {`[]`, 400, core.CodeInvalidRequest, nil},
		"null":               {` null`, 400, core.CodeInvalidRequest, nil},
		"empty":              {`{}`, 422, core.CodeValidationFailed, []string{"/name", "/type"}},
		"deep":               {`{"data":` + strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat(`}`, 20_000) + `}`, 400, core.CodeInvalidRequest, nil},
		"invalid UTF-8":      {"{\"name\": \"\xff\", \"type\": \"test\"}", 400, core.CodeInvalidRequest, nil},
		"unknown field":      {`{` + ok + `, "foo": 1}`, 400, core.CodeInvalidRequest, []string{"/foo"}},
		"unknown inner":      {`{` + ok + `, "retryPolicy": {"tries": 1}}`, 400, core.CodeInvalidRequest, []string{"/retryPolicy/tries"}},
		"letter case":        {`{` + ok + `, "Enabled": true}`, 400, core.CodeInvalidRequest, []string{"/Enabled"}},
		"given twice":        {`{` + ok + `, "name": "y"}`, 400, core.CodeInvalidRequest, []string{"/name"}},
		"twice in data":      {`{` + ok + `, "data": {"a": 1, "a": 2}}`, 400, core.CodeInvalidRequest, []string{"/data/a"}},
		"number as name":     {`{"name": 1, "type": "test"}`, 400, core.CodeInvalidRequest, []string{"/name"}},
		"null name":          {`{"name": null, "type": "test"}`, 422, core.CodeValidationFailed, []string{"/name"}},
		"long name":          {`{"name": "` + strings.Repeat("n", 256) + `", "type": "test"}`, 422, core.CodeValidationFailed, []string{"/name"}},
		"unknown type":       {`{"name": "x", "type": "nope"}`, 422, core.CodeValidationFailed, []string{"/type"}},
		"malformed type":     {`{"name": "x", "type": "../x"}`, 422, core.CodeValidationFailed, []string{"/type"}},
		"broken type":        {`{"name": "x", "type": "broken"}`, 503, core.CodePluginUnavailable, nil},
		"bad data":           {`{` + ok + `, "data": {"bad": 1}}`, 422, core.CodeValidationFailed, []string{"/data/bad"}},
		"data no object":     {`{` + ok + `, "data": [1]}`, 422, core.CodeValidationFailed, []string{"/data"}},
		"large data":         {`{` + ok + `, "data": {"a": "` + strings.Repeat("x", 65<<10) + `"}}`, 422, core.CodeValidationFailed, []string{"/data"}},
		"unknown zone":       {`{` + ok + `, "cronExpression": "* * * * *", "timezone": "Mars/Base"}`, 422, core.CodeInvalidSchedule, []string{"/timezone"}},
		"local zone":         {`{` + ok + `, "cronExpression": "* * * * *", "timezone": "Local"}`, 422, core.CodeInvalidSchedule, []string{"/timezone"}},
		"bad cron":           {`{` + ok + `, "cronExpression": "60 * * * *"}`, 422, core.CodeInvalidSchedule, []string{"/cronExpression"}},
		"cron with TZ":       {`{` + ok + `, "cronExpression": "TZ=UTC * * * * *"}`, 422, core.CodeInvalidSchedule, []string{"/cronExpression"}},
		"impossible cron":    {`{` + ok + `, "cronExpression": "0 0 30 2 *"}`, 422, core.CodeInvalidSchedule, []string{"/cronExpression"}},
		"too frequent":       {`{` + ok + `, "intervalMs": 999}`, 422, core.CodeInvalidSchedule, []string{"/intervalMs"}},
		"negative interval":  {`{` + ok + `, "intervalMs": -1}`, 422, core.CodeInvalidSchedule, []string{"/intervalMs"}},
		"fraction":           {`{` + ok + `, "intervalMs": 1.5}`, 400, core.CodeInvalidRequest, []string{"/intervalMs"}},
		"overflow":           {`{` + ok + `, "intervalMs": 9223372036854775808}`, 400, core.CodeInvalidRequest, []string{"/intervalMs"}},
		"ten years":          {`{` + ok + `, "intervalMs": 9223372036854775807}`, 422, core.CodeInvalidSchedule, []string{"/intervalMs"}},
		"no time":            {`{` + ok + `, "runAt": "tomorrow"}`, 400, core.CodeInvalidRequest, []string{"/runAt"}},
		"in the past":        {`{` + ok + `, "runAt": "` + past + `"}`, 422, core.CodeInvalidSchedule, []string{"/runAt"}},
		"ended":              {`{` + ok + `, "intervalMs": 1000, "endAt": "` + past + `", "startAt": "2020-01-01T00:00:00Z"}`, 422, core.CodeInvalidSchedule, []string{"/endAt"}},
		"end before start":   {`{` + ok + `, "intervalMs": 1000, "startAt": "2030-01-02T00:00:00Z", "endAt": "2030-01-01T00:00:00Z"}`, 422, core.CodeInvalidSchedule, []string{"/endAt"}},
		"two forms":          {`{` + ok + `, "cronExpression": "* * * * *", "intervalMs": 5000}`, 422, core.CodeInvalidSchedule, []string{"/intervalMs"}},
		"form without field": {`{` + ok + `, "scheduleType": "once"}`, 422, core.CodeInvalidSchedule, []string{"/runAt"}},
		"unknown form":       {`{` + ok + `, "scheduleType": "weekly"}`, 422, core.CodeInvalidSchedule, []string{"/scheduleType"}},
		"on nothing":         {`{` + ok + `, "scheduleType": "dependency"}`, 422, core.CodeValidationFailed, []string{"/dependsOn"}},
		"on no uuid":         {`{` + ok + `, "dependsOn": ["x"]}`, 422, core.CodeValidationFailed, []string{"/dependsOn/0"}},
		"on the unknown":     {`{` + ok + `, "dependsOn": ["` + core.NewID() + `"]}`, 422, core.CodeValidationFailed, []string{"/dependsOn/0"}},
		"dependency policy": {`{` + ok + `, "dependencyPolicy": {"condition": "x", "onFailure": "x", "timeoutMs": -1}}`, 422, core.CodeValidationFailed, []string{
			"/dependencyPolicy/condition", "/dependencyPolicy/onFailure", "/dependencyPolicy/timeoutMs",
		}},
		"bad window":       {`{` + ok + `, "cronExpression": "* * * * *", "executionWindows": [{"start": "25:00", "end": "26:00"}]}`, 422, core.CodeInvalidSchedule, []string{"/executionWindows/0/start"}},
		"unknown calendar": {`{` + ok + `, "cronExpression": "* * * * *", "calendars": ["none"]}`, 422, core.CodeInvalidSchedule, []string{"/calendars/0"}},
		"bad dst":          {`{` + ok + `, "cronExpression": "* * * * *", "dst": {"gap": "jump"}}`, 422, core.CodeInvalidSchedule, []string{"/dst/gap"}},
		"policies": {`{` + ok + `, "priority": 10, "overlap": "x", "delivery": "x", "timeoutMs": 0, "maxConcurrency": 0,
			"misfire": {"policy": "x", "windowMs": -1}, "rateLimit": {"limit": 0, "perMs": 0}, "alerts": {"lateAfterMs": -1},
			"retryPolicy": {"attempts": 0, "delay": -1, "backoff": "x"}}`, 422, core.CodeValidationFailed, []string{
			"/misfire/policy", "/misfire/windowMs", "/overlap", "/priority", "/timeoutMs", "/delivery",
			"/retryPolicy/attempts", "/retryPolicy/delay", "/retryPolicy/backoff", "/maxConcurrency", "/alerts/lateAfterMs", "/rateLimit/limit", "/rateLimit/perMs",
		}},
		"labels":           {`{` + ok + `, "labels": {"a b": "c"}}`, 422, core.CodeValidationFailed, []string{"/labels"}},
		"schedule no uuid": {`{` + ok + `, "scheduleId": "x"}`, 422, core.CodeValidationFailed, []string{"/scheduleId"}},
		"schedule unknown": {`{` + ok + `, "scheduleId": "` + core.NewID() + `"}`, 422, core.CodeValidationFailed, []string{"/scheduleId"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t, server: f.server}
			f.fails(c.status, c.code, c.fields, f.do("POST", "/tasks", c.body))
		})
	}
	require.Empty(t, f.want(200, "GET", "/tasks", nil).body["items"], "nothing was stored")
}

func TestIDsInPaths(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/tasks/1", "/schedules/x", "/executions/" + strings.ToUpper(core.NewID()) + "0", "/history/nope", "/tasks/%00"} {
		r := f.do("GET", path, nil)
		require.Equal(t, 400, r.status, path)
	}
	unknown := core.NewID()
	f.fails(404, core.CodeNotFound, nil, f.do("GET", "/tasks/"+unknown, nil))
	f.fails(404, core.CodeNotFound, nil, f.do("PUT", "/tasks/"+unknown, `{"name": "x", "type": "test"}`))
	f.fails(404, core.CodeNotFound, nil, f.do("DELETE", "/tasks/"+unknown, nil))
	f.fails(404, core.CodeNotFound, nil, f.do("POST", "/tasks/"+unknown+"/execute", nil))
	f.fails(404, core.CodeNotFound, nil, f.do("POST", "/tasks/"+unknown+"/cancel", nil))
	f.fails(404, core.CodeNotFound, nil, f.do("GET", "/executions/"+unknown, nil))
	f.fails(404, core.CodeNotFound, nil, f.do("GET", "/executions/"+unknown+"/logs", nil))
	f.fails(404, core.CodeNotFound, nil, f.do("POST", "/history/"+unknown+"/retry", nil))
	require.Empty(t, f.want(200, "GET", "/history/"+unknown, nil).body["items"], "history outlives tasks, so an unknown one has none")
}

func TestWhatGETAnswersCanBeSentBack(t *testing.T) {
	f := newFixture(t)
	sc := f.want(201, "POST", "/schedules", `{"name": "s", "cronExpression": "0 9 * * *"}`).body["id"]
	for _, more := range []object{nil, {"intervalMs": 5000}, {"cronExpression": "0 0 * * *"}, {"scheduleId": sc}} {
		path := "/tasks/" + f.task(more)
		got := f.want(200, "GET", path, nil).body
		again := f.want(200, "PUT", path, got).body
		for _, changed := range []string{"version", "updatedAt"} {
			delete(got, changed)
			delete(again, changed)
		}
		require.Equal(t, got, again)
	}
}

func TestUpdateRetimesOnlyWhenTheTimingChanges(t *testing.T) {
	f := newFixture(t)
	path := "/tasks/" + f.task(object{"intervalMs": 3_600_000})
	before := f.want(200, "GET", path, nil).body
	before["name"] = "renamed"
	after := f.want(200, "PUT", path, before).body
	require.Equal(t, before["nextRun"], after["nextRun"])
	after["intervalMs"] = 7_200_000
	require.NotEqual(t, before["nextRun"], f.want(200, "PUT", path, after).body["nextRun"])
	after["enabled"] = false
	require.Nil(t, f.want(200, "PUT", path, after).body["nextRun"])
}

func TestVersionsGuardUpdates(t *testing.T) {
	f := newFixture(t)
	path := "/tasks/" + f.task(nil)
	body := object{"name": "y", "type": "test"}
	r := f.want(200, "PUT", path, body, "If-Match", `"1"`)
	require.Equal(t, `"2"`, r.header.Get("ETag"))
	f.fails(412, core.CodePreconditionFailed, nil, f.do("PUT", path, body, "If-Match", `"1"`))
	f.fails(412, core.CodePreconditionFailed, nil, f.do("DELETE", path, nil, "If-Match", `"1"`))
	f.fails(400, core.CodeInvalidRequest, []string{"If-Match"}, f.do("PUT", path, body, "If-Match", `2`))
	f.want(200, "PUT", path, body, "If-Match", "*")
	f.want(204, "DELETE", path, nil, "If-Match", `"3"`)
	f.fails(404, core.CodeNotFound, nil, f.do("GET", path, nil))
}

func TestIdempotencyKeys(t *testing.T) {
	f := newFixture(t)
	body := `{"name": "x", "type": "test"}`
	a := f.want(201, "POST", "/tasks", body, "Idempotency-Key", "k")
	b := f.want(201, "POST", "/tasks", body, "Idempotency-Key", "k")
	require.Equal(t, a.body, b.body)
	require.Equal(t, "true", b.header.Get("Idempotency-Replayed"))
	f.fails(422, core.CodeValidationFailed, []string{"Idempotency-Key"}, f.do("POST", "/tasks", `{"name": "y", "type": "test"}`, "Idempotency-Key", "k"))
	f.fails(400, core.CodeInvalidRequest, []string{"Idempotency-Key"}, f.do("POST", "/tasks", body, "Idempotency-Key", strings.Repeat("k", 256)))

	execute := "/tasks/" + a.body["id"].(string) + "/execute"
	x := f.want(202, "POST", execute, nil, "Idempotency-Key", "e").body["id"]
	require.Equal(t, x, f.want(202, "POST", execute, nil, "Idempotency-Key", "e").body["id"])
	f.fails(409, core.CodeTaskLocked, nil, f.do("POST", execute, nil))
	s := f.want(201, "POST", "/schedules", `{"name": "s", "intervalMs": 1000}`, "Idempotency-Key", "s").body["id"]
	require.Equal(t, s, f.want(201, "POST", "/schedules", `{"name": "s", "intervalMs": 1000}`, "Idempotency-Key", "s").body["id"])
}

func TestLists(t *testing.T) {
	f := newFixture(t)
	for i := range 7 {
		f.task(object{"name": "Task " + string(rune('A'+i)), "enabled": i%2 == 0, "labels": object{"team": string(rune('x' + i%2))}})
	}
	var seen []string
	cursor := ""
	for {
		page := f.want(200, "GET", "/tasks?limit=3"+cursor, nil).body
		for _, item := range page["items"].([]any) {
			seen = append(seen, item.(object)["name"].(string))
		}
		next, more := page["nextCursor"].(string)
		if !more {
			break
		}
		f.task(object{"name": "late"}) // newer ones do not shift the pages
		cursor = "&cursor=" + next
	}
	require.Equal(t, []string{"Task G", "Task F", "Task E", "Task D", "Task C", "Task B", "Task A"}, seen)

	for query, n := range map[string]int{"enabled=false": 3, "label=team:x": 4, "label=team:x&enabled=false": 0, "q=task%20b": 1, "type=none": 0, "limit=200": 9} {
		require.Len(t, f.want(200, "GET", "/tasks?"+query, nil).body["items"], n, query)
	}
	for query, field := range map[string]string{
		"limit=0": "?limit", "limit=201": "?limit", "limit=x": "?limit", "enabled=maybe": "?enabled", "foo=1": "?foo", "label=x": "?label",
		"scheduleId=1": "?scheduleId", "cursor=x": "?cursor", "limit=1&limit=2": "?limit",
	} {
		f.fails(400, core.CodeInvalidRequest, []string{field}, f.do("GET", "/tasks?"+query, nil))
	}
}

func TestACursorBelongsToItsList(t *testing.T) {
	f := newFixture(t)
	for range 3 {
		f.task(nil)
	}
	cursor := f.want(200, "GET", "/tasks?limit=1&type=test", nil).body["nextCursor"].(string)
	f.want(200, "GET", "/tasks?limit=2&type=test&cursor="+cursor, nil)
	for _, other := range []string{"/tasks?cursor=", "/tasks?enabled=true&cursor=", "/schedules?cursor=", "/history?cursor="} {
		f.fails(400, core.CodeInvalidRequest, []string{"?cursor"}, f.do("GET", other+cursor, nil))
	}
}

func TestHistoryFilters(t *testing.T) {
	f := newFixture(t)
	id := f.task(nil)
	f.want(202, "POST", "/tasks/"+id+"/execute", nil)
	for query, n := range map[string]int{
		"": 1, "?status=pending": 1, "?status=succeeded,failed": 0, "?taskId=" + id: 1, "?type=test": 1, "?type=x": 0, "?trigger=manual": 1,
		"?trigger=schedule": 0, "?from=2020-01-01T00:00:00Z": 1, "?to=2020-01-01T00:00:00Z": 0,
	} {
		require.Len(t, f.want(200, "GET", "/history"+query, nil).body["items"], n, query)
	}
	require.Empty(t, f.want(200, "GET", "/history/failed", nil).body["items"])
	for query, field := range map[string]string{"status=done": "?status", "trigger=x": "?trigger", "from=now": "?from"} {
		f.fails(400, core.CodeInvalidRequest, []string{field}, f.do("GET", "/history?"+query, nil))
	}
}

func TestWaitIsBounded(t *testing.T) {
	f := newFixture(t)
	id := f.task(nil)
	for _, wait := range []string{"10", "-1s", "6m", "x"} {
		f.fails(400, core.CodeInvalidRequest, []string{"?wait"}, f.do("POST", "/tasks/"+id+"/execute?wait="+wait, nil))
	}
	f.fails(400, core.CodeInvalidRequest, []string{"/force"}, f.do("POST", "/tasks/"+id+"/execute", `{"force": true}`))
	r := f.want(202, "POST", "/tasks/"+id+"/execute?wait=50ms", `{}`)
	require.Equal(t, "pending", r.body["status"], "nobody runs it here")
	require.Equal(t, "/executions/"+r.body["id"].(string), r.header.Get("Location"))
}

func TestCancel(t *testing.T) {
	f := newFixture(t)
	id := f.task(nil)
	x := f.want(202, "POST", "/tasks/"+id+"/execute", nil).body["id"].(string)
	require.Equal(t, object{"cancelled": 1.0, "disabled": false}, f.want(200, "POST", "/tasks/"+id+"/cancel", nil).body)
	require.Equal(t, "cancelled", f.want(200, "GET", "/executions/"+x, nil).body["status"])
	require.Equal(t, object{"cancelled": 1.0, "disabled": false}, f.want(200, "POST", "/executions/"+x+"/cancel", nil).body, "it can be repeated")
	require.Equal(t, object{"cancelled": 0.0, "disabled": false}, f.want(200, "POST", "/tasks/"+id+"/cancel", nil).body)

	once := f.task(object{"runAt": time.Now().Add(time.Hour)})
	require.Equal(t, object{"cancelled": 0.0, "disabled": true}, f.want(200, "POST", "/tasks/"+once+"/cancel", nil).body)
	task := f.want(200, "GET", "/tasks/"+once, nil).body
	require.Equal(t, false, task["enabled"])
	require.Nil(t, task["nextRun"])
}

func TestSchedulesAreShared(t *testing.T) {
	f := newFixture(t)
	f.fails(422, core.CodeValidationFailed, []string{"/name", "/scheduleType"}, f.do("POST", "/schedules", `{}`))
	f.fails(422, core.CodeInvalidSchedule, []string{"/cronExpression"}, f.do("POST", "/schedules", `{"name": "s", "cronExpression": "x"}`))
	id := f.want(201, "POST", "/schedules", `{"name": "s", "cronExpression": "0 9 * * *"}`).body["id"].(string)
	f.fails(422, core.CodeValidationFailed, []string{"/scheduleId"}, f.do("POST", "/tasks", object{"name": "x", "type": "test", "scheduleId": id, "intervalMs": 1000}))
	task := f.task(object{"scheduleId": id})
	before := f.want(200, "GET", "/tasks/"+task, nil).body
	require.Equal(t, "0 9 * * *", before["cronExpression"])
	require.Len(t, f.want(200, "GET", "/schedules/"+id+"/tasks", nil).body["items"], 1)

	f.fails(409, core.CodeConflict, nil, f.do("DELETE", "/schedules/"+id, nil))
	f.want(200, "PUT", "/schedules/"+id, `{"name": "s", "cronExpression": "30 9 * * *"}`, "If-Match", `"1"`)
	f.fails(412, core.CodePreconditionFailed, nil, f.do("PUT", "/schedules/"+id, `{"name": "s", "intervalMs": 1000}`, "If-Match", `"1"`))
	after := f.want(200, "GET", "/tasks/"+task, nil).body
	require.Equal(t, "30 9 * * *", after["cronExpression"])
	require.NotEqual(t, before["nextRun"], after["nextRun"])
	f.want(204, "DELETE", "/tasks/"+task, nil)
	f.want(204, "DELETE", "/schedules/"+id, nil)
	f.fails(404, core.CodeNotFound, nil, f.do("GET", "/schedules/"+id+"/tasks", nil))
}
