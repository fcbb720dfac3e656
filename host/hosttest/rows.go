package hosttest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// Row is a line of the conformance table: a run of the handler of
// docs/conformance.md and everything that has to come of it. Effects that are
// not named must not happen.
type Row struct {
	Name string
	Data string // the task's data; $WEB, $BUSY and $GONE are addresses of servers

	Closed     bool              // run it where nothing is granted and there is no config
	State      map[string]string // what the task type has kept so far, JSON by key
	Checkpoint string            // of an earlier attempt
	Time       time.Duration     // until the deadline; 0 for a minute
	Times      int               // how often it is run; 0 for once
	OwnMemory  bool              // only where every run has memory of its own

	Result  string // JSON
	Check   func(t *testing.T, result json.RawMessage)
	Failure *Failure       // nil for a success
	Logs    []core.LogLine // all lines; nil for not looked at
	Writes  []Write
	Events  []string // id, type and data; notifications, too
	Tasks   []string // type, name, time and data
	Reports []string // percentage and message of its progress
	Saved   string   // the checkpoint afterwards; empty when it is left as it was
}

// Failure is how a run has to fail.
type Failure struct {
	Code       core.Code
	Class      core.Class
	Message    string // a part of it
	RetryAfter time.Duration
}

// Write is a change of the kept state. No value removes the key.
type Write struct {
	Key, Value string
	Expires    bool
}

// tricky is text that a careless reader or writer of JSON breaks.
const tricky = "\"\\/\b\f\n\r\t\x1f\u007f é ß 日本 🚀 \u2028 </script>"

// Rows returns the conformance table.
func Rows() []Row {
	return append(append(append(append(answering(), remembering()...), calling()...), browsing()...), ending()...)
}

// answering are the rows about what goes in and comes out.
func answering() []Row {
	long := strings.Repeat("0123456789abcdef", 1<<16)
	return []Row{
		{Name: "any JSON value comes back", Data: `{"case": "echo", "value": {"a": [1, -2.5e3, null, true, "x"], "": {}}}`,
			Result: `{"a": [1, -2500, null, true, "x"], "": {}}`},
		{Name: "a fraction", Data: `{"case": "quarters", "value": 12.75}`, Result: `51`},
		{Name: "an exponent", Data: `{"case": "quarters", "value": -2.5E+3}`, Result: `-10000`},
		{Name: "a negative exponent", Data: `{"case": "quarters", "value": 25e-2 }`, Result: `1`},
		{Name: "an empty result is null", Data: `{"case": "nothing"}`, Result: `null`},
		{Name: "text of 1 MiB", Data: `{"case": "text", "text": "` + long + `"}`, Result: `"` + long + `"`},
		{Name: "text that needs escapes", Data: string(rendered(map[string]any{"case": "text", "text": tricky})), Result: string(rendered(tricky))},
		{Name: "escapes of every form", Data: `{"case": "text", "text": "\u0041\u00e9\u65e5\ud83d\ude80\/\""}`, Result: `"Aé日🚀/\""`},
		{Name: "empty text", Data: `{"case": "text", "text": ""}`, Result: `""`},
		{Name: "members in any order, spaces, unknown ones", Data: " {\n\t\"other\" : { \"case\" : \"panic\" , \"text\" : [ \"}\" ] } ,\r \"text\" : \"a\" , \"case\" : \"text\" } ", Result: `"a"`},
		{Name: "a name with an escape is the same name", Data: `{"\u0063ase": "text", "te\u0078t": "a"}`, Result: `"a"`},
		{Name: "the execution", Data: `{"case": "execution"}`, Check: checkExecution},
		{Name: "a case that nobody knows", Data: `{"case": "dance"}`, Failure: &Failure{core.CodeExecutionFailed, core.ClassPermanent, "dance", 0}},
		{Name: "the config", Data: `{"case": "config"}`, Result: `{"greeting": "Grüß Gott", "list": [1, 2.5, null]}`},
		{Name: "no config", Closed: true, Data: `{"case": "config"}`, Result: `{}`},
		{Name: "a log line", Data: string(rendered(map[string]any{"case": "log", "level": "warn", "text": "line " + tricky, "value": map[string]any{"a\"b": []any{1, tricky}}})),
			Result: `null`,
			Logs:   []core.LogLine{{Level: "warn", Message: clean("line " + tricky), Fields: map[string]any{"a\"b": []any{1.0, tricky}}}}},
		{Name: "a log line without fields", Data: `{"case": "log", "level": "debug", "text": "plain"}`, Result: `null`, Logs: []core.LogLine{{Level: "debug", Message: "plain"}}},
		{Name: "globals are clean in every run", Data: `{"case": "count"}`, Result: `1`, Times: 5, OwnMemory: true},
	}
}

// remembering are the rows about state and other effects of a success.
func remembering() []Row {
	many := map[string]string{"other": `1`}
	var keys []string
	for i := range 250 {
		key := fmt.Sprintf("user/%03d", i)
		many[key], keys = `{"n": 1}`, append(keys, key)
	}
	return []Row{
		{Name: "a key that is not there", Data: `{"case": "kv.set", "key": "cursor", "value": {"page": [7, "é"]}}`,
			Result: `{"before": null, "after": {"page": [7, "é"]}}`, Writes: []Write{{Key: "cursor", Value: `{"page": [7, "é"]}`}}},
		{Name: "a key from an earlier run", Data: `{"case": "kv.set", "key": "a\"ß", "value": 42, "n": 60000}`, State: map[string]string{`a"ß`: `"old"`},
			Result: `{"before": "old", "after": 42}`, Writes: []Write{{Key: `a"ß`, Value: `42`, Expires: true}}},
		{Name: "a key is deleted", Data: `{"case": "kv.delete", "key": "cursor"}`, State: map[string]string{"cursor": `1`},
			Result: `false`, Writes: []Write{{Key: "cursor"}}},
		{Name: "keys on several pages", Data: `{"case": "kv.list", "key": "user/"}`, State: many, Result: string(rendered(keys))},
		{Name: "no keys", Data: `{"case": "kv.list", "key": "user/"}`, Result: `[]`},
		{Name: "an event", Data: `{"case": "publish", "text": "stream.started", "value": {"viewers": 7, "title": "\"é\""}}`,
			Result: `null`, Events: []string{`execution-1:1 stream.started {"title":"\"é\"","viewers":7}`}},
		{Name: "an event without data", Data: `{"case": "publish", "text": "stream.ended"}`, Result: `null`, Events: []string{`execution-1:1 stream.ended null`}},
		{Name: "an event of a type that is not granted", Data: `{"case": "publish", "text": "moderator.left"}`, Failure: denied("publish")},
		{Name: "a task", Data: `{"case": "enqueue", "text": "message", "name": "Say \"hi\"", "value": {"text": "é"}, "runAt": "2030-01-02T03:04:05Z"}`,
			Result: `"task-9"`, Tasks: []string{`message "Say \"hi\"" 2030-01-02T03:04:05Z {"text":"é"}`}},
		{Name: "a task with the least", Data: `{"case": "enqueue", "text": "message", "runAt": "2030-01-02T03:04:05Z"}`,
			Result: `"task-9"`, Tasks: []string{`message "Task → message" 2030-01-02T03:04:05Z {}`}},
		{Name: "a notification", Data: `{"case": "notify", "key": "channel", "text": "\"live\" é"}`,
			Result: `"execution-1:1"`, Events: []string{`execution-1:1 notification {"channelId":"channel","message":"\"live\" é","nominalTime":"2026-03-01T09:00:00Z",` +
				`"taskName":"Task","taskType":"open","via":["discord","email"]}`}},
		{Name: "progress", Data: `{"case": "progress", "n": 40, "text": "page \"4\" of 10 é"}`, Result: `null`, Reports: []string{`40 page "4" of 10 é`}},
		{Name: "no checkpoint before", Data: `{"case": "checkpoint", "value": {"page": 1}}`, Result: `null`, Saved: `{"page":1}`},
		{Name: "a checkpoint before", Data: `{"case": "checkpoint", "value": [2]}`, Checkpoint: `{"page":1}`, Result: `{"page": 1}`, Saved: `[2]`},
	}
}

// calling are the rows about operations in general and the small ones.
func calling() []Row {
	return []Row{
		{Name: "an operation by its name", Data: `{"case": "call", "text": "kv.get", "value": {"key": "cursor"}}`, State: map[string]string{"cursor": `[1]`}, Result: `{"found": true, "value": [1]}`},
		{Name: "an operation without a value", Data: `{"case": "call", "text": "log", "value": {"level": "info", "message": "x"}}`, Result: `null`},
		{Name: "an operation that nobody knows", Data: `{"case": "call", "text": "teleport", "value": {}}`, Failure: &Failure{core.CodeExecutionFailed, core.ClassPermanent, "teleport", 0}},
		{Name: "an operation with wrong arguments", Data: `{"case": "call", "text": "kv.get", "value": {"key": ""}}`, Failure: &Failure{core.CodeExecutionFailed, core.ClassPermanent, "key", 0}},
		{Name: "an operation that is not granted", Closed: true, Data: `{"case": "call", "text": "kv.get", "value": {"key": "a"}}`, Failure: denied("kv")},
		{Name: "a refusal that is hidden", Closed: true, Data: `{"case": "swallow", "text": "kv.get", "value": {"key": "a"}}`, Failure: denied("kv")},
		{Name: "an error that is handled", Data: `{"case": "swallow", "text": "teleport", "value": {}}`, Result: `"permanent"`},
		{Name: "the time", Data: `{"case": "clock"}`, Check: checkClock},
		{Name: "the deadline", Data: `{"case": "deadline"}`, Check: func(t *testing.T, result json.RawMessage) {
			var left float64
			require.NoError(t, json.Unmarshal(result, &left))
			require.InDelta(t, 30_000, left, 30_000)
		}},
		{Name: "random bytes", Data: `{"case": "random", "n": 33}`, Check: checkRandom(33), Times: 2},
		{Name: "many random bytes", Data: `{"case": "random", "n": 4096}`, Check: checkRandom(4096)},
		{Name: "too many random bytes", Data: `{"case": "random", "n": 4097}`, Failure: &Failure{core.CodeExecutionFailed, core.ClassPermanent, "4096", 0}},
		{Name: "a short sleep", Data: `{"case": "sleep", "n": 1}`, Result: `null`},
	}
}

// browsing are the rows about HTTP and secrets.
func browsing() []Row {
	body := strings.Repeat("é", 100_000)
	return []Row{
		{Name: "a request", Data: `{"case": "http", "method": "POST", "url": "$WEB/echo", "headers": {"Authorization": ["Bearer x\"y"]}, "text": "body é"}`,
			Result: `{"status": 201, "type": "text/plain; charset=utf-8", "body": "POST execution-1:1 Bearer x\"y|body é", "retryAfterMs": 0}`},
		{Name: "a request with the least", Data: `{"case": "http", "url": "$WEB/echo"}`,
			Result: `{"status": 201, "type": "text/plain; charset=utf-8", "body": "GET  |", "retryAfterMs": 0}`},
		{Name: "a large body, there and back", Data: `{"case": "http", "method": "PUT", "url": "$WEB/echo", "text": "` + body + `"}`,
			Check: func(t *testing.T, result json.RawMessage) {
				var got struct{ Body string }
				require.NoError(t, json.Unmarshal(result, &got))
				require.True(t, got.Body == "PUT execution-1:1 |"+body, "the body changed on its way") //nolint:testifylint // Equal would print it
			}},
		{Name: "a secret arrives", Data: `{"case": "http", "url": "$WEB/known", "headers": {"Authorization": ["Bearer {{secret:canary}}"]}}`,
			Result: `{"status": 200, "type": "", "body": "", "retryAfterMs": 0}`},
		{Name: "a secret does not come back", Data: `{"case": "http", "url": "$WEB/echo", "headers": {"Authorization": ["Bearer {{secret:canary}}"]}}`,
			Result: `{"status": 201, "type": "text/plain; charset=utf-8", "body": "GET  Bearer ***|", "retryAfterMs": 0}`},
		{Name: "a server without time", Data: `{"case": "http", "url": "$BUSY/"}`, Result: `{"status": 429, "type": "", "body": "", "retryAfterMs": 7000}`},
		{Name: "a server that is gone", Data: `{"case": "http", "url": "$GONE/"}`, Failure: &Failure{core.CodeExecutionFailed, core.ClassRetryable, "127.0.0.1", 0}},
		{Name: "a server that is not granted", Data: `{"case": "http", "url": "https://example.com/"}`, Failure: denied("grants.http")},
		{Name: "a secret's placeholder", Data: `{"case": "secret", "text": "canary"}`, Result: `"{{secret:canary}}"`},
		{Name: "a secret that is not granted", Data: `{"case": "secret", "text": "other"}`, Failure: denied("grants.secrets")},
	}
}

// ending are the rows about failures.
func ending() []Row {
	trouble := "trouble with \"é\" 🚀"
	data := func(kind string, more string) string {
		return `{"case": "` + kind + `", "text": ` + string(rendered(trouble)) + more + `}`
	}
	return []Row{
		{Name: "an error", Data: data("retryable", ""), Failure: &Failure{core.CodeExecutionFailed, core.ClassRetryable, trouble, 0}},
		{Name: "an error with a wish", Data: data("later", `, "n": 90000`), Failure: &Failure{core.CodeExecutionFailed, core.ClassRetryable, trouble, 90 * time.Second}},
		{Name: "a permanent error", Data: data("permanent", ""), Failure: &Failure{core.CodeExecutionFailed, core.ClassPermanent, trouble, 0}},
		{Name: "a panic", Data: data("panic", ""), Failure: &Failure{core.CodePluginTrap, core.ClassRetryable, trouble, 0}},
		{Name: "after a panic all is clean", Data: `{"case": "count"}`, Result: `1`, OwnMemory: true},
		{Name: "an endless loop", Data: `{"case": "loop"}`, Time: 200 * time.Millisecond, Failure: &Failure{core.CodeTimeout, core.ClassTimeout, "", 0}},
		{Name: "a sleep beyond the deadline", Data: `{"case": "sleep", "n": 60000}`, Time: 200 * time.Millisecond, Failure: &Failure{core.CodeTimeout, core.ClassTimeout, "", 0}},
		{Name: "more memory than there is", Closed: true, Data: `{"case": "memory"}`, Failure: &Failure{core.CodePluginMemoryLimit, core.ClassRetryable, "40MiB", 0}},
		{Name: "after all that all is clean", Closed: true, Data: `{"case": "count"}`, Result: `1`, OwnMemory: true},
	}
}

func denied(what string) *Failure {
	return &Failure{core.CodePluginDenied, core.ClassDenied, what, 0}
}

// rendered is v as JSON.
func rendered(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the table is made of what JSON can hold
	}
	return b
}

// clean is what the host makes of text that is shown: control characters but
// line ends and tabs become spaces.
func clean(text string) string {
	return strings.NewReplacer("\b", " ", "\f", " ", "\r", " ", "\x1f", " ", "\x7f", " ").Replace(text)
}

// checkExecution compares the members. The token is text: half of the languages
// have no number that holds it.
func checkExecution(t *testing.T, result json.RawMessage) {
	var got map[string]any
	require.NoError(t, json.Unmarshal(result, &got))
	deadline, err := time.Parse(time.RFC3339, fmt.Sprint(got["deadline"]))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Minute), deadline, time.Minute)
	delete(got, "deadline")
	require.Equal(t, map[string]any{
		"id": "execution-1", "taskId": "task-1", "taskName": "Task", "type": open, "trigger": "manual", "attempt": 2.0, "maxAttempts": 3.0,
		"token": fmt.Sprint(int64(1<<60 + 1)), "idempotencyKey": "execution-1", "nominalTime": "2026-03-01T09:00:00Z",
	}, got)
}

func checkClock(t *testing.T, result json.RawMessage) {
	var at time.Time
	require.NoError(t, json.Unmarshal(result, &at))
	require.WithinDuration(t, time.Now(), at, time.Minute)
}

// checkRandom demands n bytes in hexadecimal, others in every run: a candidate
// has to decode what the host sends.
func checkRandom(n int) func(*testing.T, json.RawMessage) {
	seen := map[string]bool{}
	return func(t *testing.T, result json.RawMessage) {
		var text string
		require.NoError(t, json.Unmarshal(result, &text))
		require.Len(t, text, 2*n)
		_, err := hex.DecodeString(text)
		require.NoError(t, err)
		require.NotContains(t, text, strings.Repeat("00", 16))
		require.False(t, seen[text], "the same bytes again")
		seen[text] = true
	}
}
