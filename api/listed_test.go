package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// finished is an execution that succeeded with a result.
func (f *fixture) finished(result string) string {
	f.t.Helper()
	id := f.want(202, "POST", "/tasks/"+f.task(nil)+"/execute", nil).body["id"].(string)
	claimed, err := f.store.Claim(f.t.Context(), []string{id}, "node", time.Minute)
	require.NoError(f.t, err)
	_, err = f.store.Finish(f.t.Context(), []core.Completion{{
		Lease:  core.Lease{ExecutionID: id, Token: claimed[0].Token},
		Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{Result: json.RawMessage(result)}, now) },
	}})
	require.NoError(f.t, err)
	return id
}

func TestListsLeaveLargeResultsOut(t *testing.T) {
	f := newFixture(t)
	text := strings.Repeat("x", 16<<10)
	id := f.finished(`"` + text + `"`)
	small := f.finished(`{"a": 1}`)
	for _, path := range []string{"/history", "/history?status=succeeded"} {
		items := f.want(200, "GET", path, nil).body["items"].([]any)
		require.Equal(t, small, items[0].(object)["id"])
		require.Equal(t, object{"a": 1.0}, items[0].(object)["result"])
		require.Equal(t, false, items[0].(object)["resultOmitted"])
		require.Nil(t, items[1].(object)["result"])
		require.Equal(t, true, items[1].(object)["resultOmitted"])
	}
	whole := f.want(200, "GET", "/executions/"+id, nil).body
	require.Equal(t, text, whole["result"])
	require.NotContains(t, whole, "resultOmitted")
}

func TestFiltersThatNoStoreCanHold(t *testing.T) {
	f := newFixture(t)
	for query, field := range map[string]string{
		"label=:x": "?label", "label=a%20b:x": "?label", "label=" + strings.Repeat("a", 64) + ":x": "?label", "label=a:%00": "?label",
		"q=%00": "?q", "q=%ff": "?q", "type=%00": "?type",
	} {
		f.fails(400, core.CodeInvalidRequest, []string{field}, f.do("GET", "/tasks?"+query, nil))
	}
	f.want(200, "GET", "/tasks?label=a.b/c-d_e:", nil)
}
