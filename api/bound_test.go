package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

// hung is a store that does not answer and does not heed contexts, like a driver
// whose server has stopped.
type hung struct {
	core.Store
	until chan struct{}
}

func (h hung) wait() error {
	<-h.until
	return context.DeadlineExceeded
}

func (h hung) CreateTask(context.Context, core.Task, *core.Idempotency) (core.Task, error) {
	return core.Task{}, h.wait()
}
func (h hung) Tasks(context.Context, core.TaskFilter, core.Page) ([]core.Task, error) {
	return nil, h.wait()
}
func (h hung) Nodes(context.Context, time.Duration) ([]core.Node, error) { return nil, h.wait() }
func (h hung) Execution(context.Context, string) (core.Execution, error) {
	return core.Execution{}, h.wait()
}

// onHung is a server over such a store, in which there is a task.
func onHung(t *testing.T) (f *fixture, task string) {
	store := hung{memory.NewStore(core.SystemClock{}), make(chan struct{})}
	t.Cleanup(func() { close(store.until) })
	task = fixtureOn(t, store.Store, health{}).task(nil)
	return fixtureWith(t, store, api.Config{Health: health{}, RequestTimeout: 500 * time.Millisecond}), task
}

const unknownOutcome = "it is not known whether the request was carried out"

func TestRequestsAreAnsweredWhateverHangs(t *testing.T) {
	f, task := onHung(t)
	for _, c := range []struct {
		method, path string
		body         any
		unknown      bool
	}{
		{"GET", "/tasks", nil, false},
		{"GET", "/nodes", nil, false},
		{"POST", "/tasks", object{"name": "x", "type": "test"}, true},
		{"POST", "/tasks/" + task + "/execute?wait=10ms", nil, true},
	} {
		r := f.do(c.method, c.path, c.body, "X-Request-Id", "mine")
		f.fails(503, core.CodeUnavailable, nil, r)
		require.Equal(t, "mine", r.header.Get("X-Request-Id"))
		require.Equal(t, "5", r.header.Get("Retry-After"))
		require.Equal(t, "nosniff", r.header.Get("X-Content-Type-Options"))
		message := r.body["error"].(object)["message"].(string)
		require.Equal(t, c.unknown, strings.Contains(message, unknownOutcome), message)
	}
	r := f.do("HEAD", "/tasks", nil)
	require.Equal(t, 503, r.status)
	f.want(200, "GET", "/health/live", nil)
}

// A connection on which a request had no answer goes on.
func TestTheNextRequestIsAnswered(t *testing.T) {
	f, _ := onHung(t)
	addr := f.listen()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	for _, c := range []struct {
		path   string
		status int
	}{{"/nodes", 503}, {"/health/live", 200}, {"/nodes", 503}, {"/health/live", 200}} {
		resp, err := client.Get("http://" + addr + c.path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, c.status, resp.StatusCode)
	}
	client.CloseIdleConnections()
}

func TestCallsAreAnsweredWhateverHangs(t *testing.T) {
	f, _ := onHung(t)
	status, body := f.server.Do(t.Context(), api.Call{Method: "POST", Path: "/tasks", Body: []byte(`{"name": "x", "type": "test"}`)})
	require.Equal(t, 503, status)
	require.Contains(t, string(body), unknownOutcome)
}

// A wait has its time beside that of the request.
func TestAWaitMayBeLongerThanOtherRequests(t *testing.T) {
	f := fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{Health: health{}, RequestTimeout: 2 * time.Second})
	f.want(202, "POST", "/tasks/"+f.task(nil)+"/execute?wait=3s", nil)
}

// What comes by message has a key of another name.
func TestTheErrorsOfACallNameItsKey(t *testing.T) {
	f := newFixture(t)
	call := api.Call{Method: "POST", Path: "/tasks", Body: []byte(`{"name": "x", "type": "test"}`), IdempotencyKey: "k", KeyName: "message-id"}
	status, _ := f.server.Do(t.Context(), call)
	require.Equal(t, 201, status)
	call.Body = []byte(`{"name": "y", "type": "test"}`)
	for _, key := range []string{"k", "\x01"} {
		call.IdempotencyKey = key
		_, body := f.server.Do(t.Context(), call)
		require.NotContains(t, string(body), "Idempotency-Key")
		var r response
		require.NoError(t, json.Unmarshal(body, &r.body))
		fields := r.body["error"].(object)["details"].(object)["fields"].([]any)
		require.Equal(t, "message-id", fields[0].(object)["field"])
	}
	f.fails(422, core.CodeValidationFailed, []string{"Idempotency-Key"}, f.do("POST", "/tasks", string(call.Body), "Idempotency-Key", "k"))
}

func TestRefusalsHaveTheEnvelope(t *testing.T) {
	f := newFixture(t)
	status, body := f.server.Refuse(core.Errorf(core.CodePayloadTooLarge, "too much"))
	require.Equal(t, 413, status)
	var e struct {
		Error struct {
			Code, Message string
			Details       struct{ RequestID string }
			Timestamp     time.Time
		}
	}
	require.NoError(t, json.Unmarshal(body, &e))
	require.Equal(t, "PAYLOAD_TOO_LARGE too much", e.Error.Code+" "+e.Error.Message)
	require.NotEmpty(t, e.Error.Details.RequestID)
	require.False(t, e.Error.Timestamp.IsZero())
}
