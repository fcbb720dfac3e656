package app_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// commander carries out commands on a running service.
type commander struct {
	t *testing.T
	s *service
}

// do carries one out and demands a status; it returns the body.
func (c commander) do(status int, name, key string, body any) object {
	c.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(c.t, err)
	reply := app.Handle(c.s.App, c.t.Context(), rabbitmq.Command{Name: name, Body: raw, IdempotencyKey: key})
	require.NoError(c.t, reply.Retry)
	var answer struct {
		Status int
		Body   object
	}
	require.NoError(c.t, json.Unmarshal(reply.Body, &answer))
	require.Equal(c.t, status, answer.Status, "%s", reply.Body)
	return answer.Body
}

func TestCommandsAreRequests(t *testing.T) {
	c := commander{t, withPlugins(t).start(t)}
	task := object{"name": "by message", "type": "quick"}
	id := c.do(201, "create_task", "k", task)["id"]
	require.Equal(t, id, c.do(201, "create_task", "k", task)["id"], "the same message twice is one task")
	e := c.do(422, "create_task", "k", object{"name": "another", "type": "quick"})["error"].(object)
	require.Equal(t, "VALIDATION_FAILED", e["code"])
	require.Equal(t, "this message-id was used for a different request", e["message"])
	require.Equal(t, "break", c.do(200, "pause_task", "", object{"id": id, "reason": "break"})["pauseReason"])
	require.Nil(t, c.do(200, "resume_task", "", object{"id": id})["pauseReason"])
	require.Equal(t, "renamed", c.do(200, "update_task", "", object{"id": id, "name": "renamed", "type": "quick"})["name"])
	execution := c.do(202, "execute_task", "e", object{"id": id})["id"]
	require.Equal(t, execution, c.do(202, "execute_task", "e", object{"id": id})["id"])
	c.do(200, "cancel_task", "", object{"id": id})
	c.do(204, "delete_task", "", object{"id": id})
	c.do(404, "delete_task", "", object{"id": id})
}

func TestACommandThatCannotBeCarriedOutNowComesAgain(t *testing.T) {
	e := newEnv(t)
	e.plugins(t, "plugins:\n  - {type: x, runtime: wasm, source: none.wasm}\n")
	s := e.start(t)
	reply := app.Handle(s.App, t.Context(), rabbitmq.Command{Name: "create_task", Body: []byte(`{"name": "n", "type": "x"}`)})
	require.ErrorContains(t, reply.Retry, "503")
	require.Contains(t, string(reply.Body), "PLUGIN_UNAVAILABLE", "what is told if it is given up")
}

func TestCommandsThatAreWrong(t *testing.T) {
	c := commander{t, newEnv(t).start(t)}
	for name, status := range map[string]int{"make_coffee": 404, "execute_task": 400, "create_task": 422} { // the last by the route itself
		e := c.do(status, name, "", object{})["error"].(object)
		require.NotEmpty(t, e["details"].(object)["requestId"], name)
		require.NotEmpty(t, e["timestamp"], name)
	}
	require.Equal(t, "NOT_FOUND", c.do(404, "make_coffee", "", object{})["error"].(object)["code"])
	require.Equal(t, "INVALID_REQUEST", c.do(400, "execute_task", "", object{})["error"].(object)["code"])
	require.Equal(t, "INVALID_REQUEST", c.do(400, "execute_task", "", []any{})["error"].(object)["code"])
	require.Equal(t, "INVALID_REQUEST", c.do(400, "execute_task", "", object{"id": "../../health"})["error"].(object)["code"])
	require.Equal(t, "VALIDATION_FAILED", c.do(422, "create_task", "", object{"type": "x"})["error"].(object)["code"])
	require.Equal(t, "NOT_FOUND", c.do(404, "cancel_task", "", object{"id": "01920000-0000-7000-8000-000000000000"})["error"].(object)["code"])
}
