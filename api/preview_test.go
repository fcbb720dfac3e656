package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func TestPreview(t *testing.T) {
	f := newFixture(t)
	r := f.want(200, "POST", "/schedules/preview", `{"cronExpression": "30 2 * * *", "timezone": "Europe/Berlin", "from": "2026-03-28T00:00:00Z", "count": 3}`)
	require.Equal(t, "At 02:30 every day", r.body["description"])
	require.Equal(t, []any{
		object{"at": "2026-03-28T01:30:00Z", "local": "2026-03-28T02:30:00+01:00", "nominal": "2026-03-28T01:30:00Z", "notes": []any{}},
		object{"at": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00", "nominal": "2026-03-29T01:00:00Z", "notes": []any{"DST_GAP"}},
		object{"at": "2026-03-30T00:30:00Z", "local": "2026-03-30T02:30:00+02:00", "nominal": "2026-03-30T00:30:00Z", "notes": []any{}},
	}, r.body["occurrences"])
	require.Contains(t, codesOf(r), "DST_GAP")
}

func codesOf(r response) []string {
	var codes []string
	for _, w := range r.body["warnings"].([]any) {
		codes = append(codes, w.(object)["code"].(string))
	}
	return codes
}

func TestPreviewWarns(t *testing.T) {
	f := newFixture(t)
	for body, code := range map[string]string{
		`{"cronExpression": "0 0 30 2 *"}`:       "NEVER",
		`{"cronExpression": "0 0 13 * 5"}`:       "DOM_DOW_OR",
		`{"cronExpression": "H H * * *"}`:        "DEPENDS_ON_TASK",
		`{"intervalMs": 1}`:                      "TOO_FREQUENT",
		`{"intervalMs": 60000, "jitterMs": 100}`: "DEPENDS_ON_TASK",
	} {
		require.Contains(t, codesOf(f.want(200, "POST", "/schedules/preview", body)), code, body)
	}
	require.Empty(t, f.want(200, "POST", "/schedules/preview", `{"cronExpression": "0 0 30 2 *"}`).body["occurrences"])
	require.NotContains(t, codesOf(f.want(200, "POST", "/schedules/preview", `{"cronExpression": "0 0 * * THU"}`)), "DEPENDS_ON_TASK")
}

func TestPreviewSeesTheHerd(t *testing.T) {
	f := newFixture(t)
	for i := range 60 {
		f.task(object{"name": fmt.Sprint(i), "cronExpression": "0 0 * * *"})
	}
	require.Contains(t, codesOf(f.want(200, "POST", "/schedules/preview", `{"cronExpression": "0 0 * * *"}`)), "HERD")
	require.NotContains(t, codesOf(f.want(200, "POST", "/schedules/preview", `{"cronExpression": "30 0 * * *"}`)), "HERD")
}

func TestBadPreviews(t *testing.T) {
	f := newFixture(t)
	for body, field := range map[string]string{
		`{"cronExpression": "* * * * *", "count": 0}`:    "/count",
		`{"cronExpression": "* * * * *", "count": 1001}`: "/count",
		`{"cronExpression": "* * * * *", "name": "x"}`:   "/name",
	} {
		f.fails(400, core.CodeInvalidRequest, []string{field}, f.do("POST", "/schedules/preview", body))
	}
	f.fails(422, core.CodeInvalidSchedule, []string{"/cronExpression"}, f.do("POST", "/schedules/preview", `{"cronExpression": "* * *"}`))
	f.fails(422, core.CodeInvalidSchedule, []string{"/calendars/0"}, f.do("POST", "/schedules/preview", `{"cronExpression": "* * * * *", "calendars": ["x"]}`))
}

func TestUpcoming(t *testing.T) {
	f := newFixture(t)
	id := f.task(object{"cronExpression": "H H * * *", "maxRuns": 3})
	r := f.want(200, "GET", "/tasks/"+id+"/upcoming?count=10", nil)
	require.Len(t, r.body["occurrences"], 3, "maxRuns bounds it")
	first := r.body["occurrences"].([]any)[0].(object)
	require.Equal(t, f.want(200, "GET", "/tasks/"+id, nil).body["nextRun"], first["at"])
	preview := f.want(200, "POST", "/schedules/preview", object{"cronExpression": "H H * * *", "taskId": id})
	require.Equal(t, first, preview.body["occurrences"].([]any)[0], "with the task's id the preview is the task's")

	manual := f.task(nil)
	require.Empty(t, f.want(200, "GET", "/tasks/"+manual+"/upcoming", nil).body["occurrences"])
	off := f.task(object{"intervalMs": 1000, "enabled": false})
	require.Equal(t, []string{"DISABLED"}, codesOf(f.want(200, "GET", "/tasks/"+off+"/upcoming", nil)))
	f.fails(400, core.CodeInvalidRequest, []string{"?count"}, f.do("GET", "/tasks/"+id+"/upcoming?count=0", nil))
	f.fails(404, core.CodeNotFound, nil, f.do("GET", "/tasks/"+core.NewID()+"/upcoming", nil))
}

func TestCalendars(t *testing.T) {
	f := newFixture(t)
	f.fails(422, core.CodeValidationFailed, []string{"/name"}, f.do("POST", "/calendars", `{"name": "No Spaces"}`))
	f.fails(422, core.CodeValidationFailed, []string{"/dates/0"}, f.do("POST", "/calendars", `{"name": "x", "dates": ["2026-13-01"]}`))
	f.fails(422, core.CodeValidationFailed, []string{"/onExcluded"}, f.do("POST", "/calendars", `{"name": "x", "onExcluded": "jump"}`))
	r := f.want(201, "POST", "/calendars", `{"name": "weekend", "weekdays": ["SAT", "SUN"], "onExcluded": "next"}`)
	require.Equal(t, "/calendars/weekend", r.header.Get("Location"))
	f.fails(409, core.CodeConflict, nil, f.do("POST", "/calendars", `{"name": "weekend"}`))
	f.fails(404, core.CodeNotFound, nil, f.do("GET", "/calendars/none", nil))

	p := f.want(200, "POST", "/schedules/preview", `{"cronExpression": "0 9 1 * *", "calendars": ["weekend"], "from": "2026-07-15T00:00:00Z", "count": 1}`)
	first := p.body["occurrences"].([]any)[0].(object)
	require.Equal(t, "2026-08-03T09:00:00Z", first["at"], "the first of August 2026 is a Saturday")
	require.Equal(t, []any{"MOVED_BY_CALENDAR"}, first["notes"])

	id := f.task(object{"cronExpression": "0 9 * * *", "calendars": []string{"weekend"}})
	f.fails(409, core.CodeConflict, nil, f.do("DELETE", "/calendars/weekend", nil))
	before := f.want(200, "GET", "/tasks/"+id, nil).body["version"]
	f.want(200, "PUT", "/calendars/weekend", `{"name": "weekend", "weekdays": ["MON"]}`, "If-Match", `"1"`)
	require.NotEqual(t, before, f.want(200, "GET", "/tasks/"+id, nil).body["version"], "its task was re-timed")
	f.fails(412, core.CodePreconditionFailed, nil, f.do("PUT", "/calendars/weekend", `{"weekdays": []}`, "If-Match", `"1"`))
	f.fails(422, core.CodeValidationFailed, []string{"/name"}, f.do("PUT", "/calendars/weekend", `{"name": "other"}`))
	every := `{"name": "weekend", "weekdays": ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]}`
	f.fails(409, core.CodeConflict, nil, f.do("PUT", "/calendars/weekend", every))
	f.want(204, "DELETE", "/tasks/"+id, nil)
	f.want(204, "DELETE", "/calendars/weekend", nil)
}

const holidays = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Good Friday\r\nDTSTART;VALUE=DATE:20260403\r\nDTEND;VALUE=DATE:20260404\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Christmas\r\nDTSTART;VALUE=DATE:20261225\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:3\r\nSUMMARY:Freeze\r\nDTSTART;VALUE=DATE:20261220\r\nDTEND;VALUE=DATE:20270103\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:4\r\nSUMMARY:Weekend\r\nDTSTART;VALUE=DATE:20260103\r\nRRULE:FREQ=WEEKLY;BYDAY=SA,SU\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:5\r\nSUMMARY:Night\r\nDTSTART:20260510T220000\r\nDTEND:20260511T020000\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:6\r\nSUMMARY:Not held\r\nSTATUS:CANCELLED\r\nDTSTART;VALUE=DATE:20260601\r\nEND:VEVENT\r\n" +
	"END:VCALENDAR\r\n"

func TestICalendarImport(t *testing.T) {
	f := newFixture(t)
	r := f.want(201, "POST", "/calendars?name=holidays&onExcluded=previous", holidays, "Content-Type", "text/calendar; charset=utf-8")
	require.Equal(t, []any{"2026-04-03"}, r.body["dates"])
	require.Equal(t, []any{"12-25"}, r.body["yearly"])
	require.Equal(t, []any{"SAT", "SUN"}, r.body["weekdays"])
	require.Equal(t, []any{object{"from": "2026-12-20", "to": "2027-01-02"}, object{"from": "2026-05-10", "to": "2026-05-11"}}, r.body["ranges"])
	require.Equal(t, "previous", r.body["onExcluded"])
	f.want(200, "PUT", "/calendars/holidays", holidays, "Content-Type", "text/calendar")

	f.fails(422, core.CodeValidationFailed, []string{"/name"}, f.do("POST", "/calendars", holidays, "Content-Type", "text/calendar"))
	for name, body := range map[string]string{
		"no calendar":    "hello",
		"monthly":        strings.Replace(holidays, "FREQ=YEARLY", "FREQ=MONTHLY", 1),
		"easter rule":    strings.Replace(holidays, "FREQ=YEARLY", "FREQ=YEARLY;BYDAY=-1MO;BYMONTH=5", 1),
		"every 2 weeks":  strings.Replace(holidays, "BYDAY=SA,SU", "INTERVAL=2", 1),
		"no date":        strings.Replace(holidays, "20260403", "soon", 1),
		"exception date": strings.Replace(holidays, "RRULE:FREQ=YEARLY", "RRULE:FREQ=YEARLY\r\nEXDATE:20271225", 1),
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t, server: f.server}
			f.fails(400, core.CodeInvalidRequest, nil, f.do("POST", "/calendars?name=x", body, "Content-Type", "text/calendar"))
		})
	}
	until := strings.Replace(holidays, "FREQ=YEARLY", fmt.Sprintf("FREQ=YEARLY;UNTIL=%d1231", time.Now().Year()+1), 1)
	r = f.want(201, "POST", "/calendars?name=until", until, "Content-Type", "text/calendar")
	require.Empty(t, r.body["yearly"])
	require.Contains(t, r.body["dates"], fmt.Sprintf("%d-12-25", time.Now().Year()+1))
}
