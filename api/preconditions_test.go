package api_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

func TestIfMatchTakesAList(t *testing.T) {
	f := newFixture(t)
	calendar := `{"name": "c"}`
	for path, body := range map[string]any{
		"/tasks/" + f.task(nil): object{"name": "y", "type": "test"},
		"/schedules/" + f.want(201, "POST", "/schedules", `{"name": "s", "intervalMs": 1000}`).body["id"].(string): `{"name": "s", "intervalMs": 2000}`,
		"/calendars/" + f.want(201, "POST", "/calendars", calendar).body["name"].(string):                          calendar,
	} {
		f.want(200, "PUT", path, body, "If-Match", `"7", "1"`)
		f.want(200, "PUT", path, body, "If-Match", `"2","3"`)
		f.fails(412, core.CodePreconditionFailed, nil, f.do("PUT", path, body, "If-Match", `"1", "2"`))
		f.fails(412, core.CodePreconditionFailed, nil, f.do("DELETE", path, nil, "If-Match", `"1", "2"`))
		for _, bad := range []string{`"1",`, `"1" "2"`, `"1", *`, `"1", 2`} {
			f.fails(400, core.CodeInvalidRequest, []string{"If-Match"}, f.do("PUT", path, body, "If-Match", bad))
		}
		f.want(204, "DELETE", path, nil, "If-Match", `"2", "3"`)
		f.fails(404, core.CodeNotFound, nil, f.do("DELETE", path, nil, "If-Match", `"2", "3"`))
	}
}

func TestTheIDInTheBodyIsTheOneInThePath(t *testing.T) {
	f := newFixture(t)
	task := object{"name": "y", "type": "test"}
	schedule := object{"name": "s", "intervalMs": 1000}
	for path, body := range map[string]object{"/tasks/" + f.task(nil): task, "/schedules/" + f.want(201, "POST", "/schedules", schedule).body["id"].(string): schedule} {
		for _, other := range []any{core.NewID(), "x", 1, object{}} {
			body["id"] = other
			f.fails(422, core.CodeValidationFailed, []string{"/id"}, f.do("PUT", path, body))
		}
		for _, same := range []any{nil, f.want(200, "GET", path, nil).body["id"]} {
			body["id"] = same
			f.want(200, "PUT", path, body)
		}
	}
}

// keyed remembers the idempotency keys that the store is given.
type keyed struct {
	core.Store
	keys []string
}

func (s *keyed) CreateTask(ctx context.Context, t core.Task, key *core.Idempotency) (core.Task, error) {
	if key != nil {
		s.keys = append(s.keys, key.Key)
	}
	return s.Store.CreateTask(ctx, t, key)
}

func (s *keyed) CreateExecution(ctx context.Context, e core.Execution, key *core.Idempotency) (core.Execution, []string, error) {
	if key != nil {
		s.keys = append(s.keys, key.Key)
	}
	return s.Store.CreateExecution(ctx, e, key)
}

func TestIdempotencyKeysBelongToARoute(t *testing.T) {
	store := &keyed{Store: memory.NewStore(core.SystemClock{})}
	f := fixtureWith(t, store, api.Config{Health: health{}})
	task := f.want(201, "POST", "/tasks", `{"name": "x", "type": "test"}`, "Idempotency-Key", "k").body["id"].(string)
	f.want(202, "POST", "/tasks/"+task+"/execute", nil, "Idempotency-Key", "k")
	require.Equal(t, []string{"POST /tasks k", "POST /tasks/:id/execute k"}, store.keys)
	f.want(201, "POST", "/schedules", `{"name": "s", "intervalMs": 1000}`, "Idempotency-Key", "k")
	f.fails(422, core.CodeValidationFailed, []string{"Idempotency-Key"}, f.do("POST", "/tasks/"+f.task(nil)+"/execute", nil, "Idempotency-Key", "k"))
}
