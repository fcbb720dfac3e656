package api_test

import (
	"testing"
)

// FuzzTaskDecoder sends any bytes as a task: the answer is a stored task or an
// error of the client's, never one of the server's.
func FuzzTaskDecoder(f *testing.F) {
	for _, seed := range []string{
		`{"name": "x", "type": "test"}`, `{"name": "x", "type": "test", "cronExpression": "*/5 9-17 * * MON-FRI", "timezone": "Europe/Berlin"}`,
		`{"name": "x", "type": "test", "intervalMs": 1000, "startAt": "2026-01-01T00:00:00Z", "endAt": "9999-12-31T23:59:59Z", "jitterMs": 5}`,
		`{"name": "x", "type": "test", "runAt": "2030-01-01T00:00:00+14:00", "retryPolicy": {"attempts": 1}, "data": {"a": [1, null]}}`,
		`{"name": "x", "type": "test", "executionWindows": [{"days": ["MON"], "start": "22:00", "end": "06:00"}], "cronExpression": "0 0 L * *"}`,
		`{"labels": {"": ""}, "rateLimit": {}, "misfire": null}`, `[[[[`, "\xff", `{"data": 1e999}`, `{"priority": 1e400}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fix := newFixture(t)
		r := fix.do("POST", "/tasks", string(body))
		if r.status == 201 {
			fix.want(200, "GET", "/tasks/"+r.body["id"].(string), nil)
			return
		}
		if r.status < 400 || r.status >= 500 {
			t.Fatalf("status %d: %v", r.status, r.body)
		}
	})
}

// FuzzCursor sends any text as a cursor and as filters.
func FuzzCursor(f *testing.F) {
	f.Add("cursor=abc")
	f.Add("limit=1&cursor=dGFza3M")
	f.Add("label=a:b&label=%zz&q=%00")
	f.Fuzz(func(t *testing.T, query string) {
		for _, b := range []byte(query) {
			if b <= ' ' || b >= 0x7f || b == '#' {
				t.Skip("no query string")
			}
		}
		if r := newFixture(t).do("GET", "/history?"+query, nil); r.status != 200 && r.status != 400 {
			t.Fatalf("status %d: %v", r.status, r.body)
		}
	})
}
