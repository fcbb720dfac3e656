package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// route is the request that a command stands for.
type route struct {
	method, path string // %s is the id in the command's body
}

// routes are the commands. They are carried out by the API itself, so that
// validation, idempotency and answers are the same by construction.
var routes = map[string]route{
	"create_task":     {http.MethodPost, "/tasks"},
	"update_task":     {http.MethodPut, "/tasks/%s"},
	"delete_task":     {http.MethodDelete, "/tasks/%s"},
	"execute_task":    {http.MethodPost, "/tasks/%s/execute"},
	"cancel_task":     {http.MethodPost, "/tasks/%s/cancel"},
	"pause_task":      {http.MethodPost, "/tasks/%s/pause"},
	"resume_task":     {http.MethodPost, "/tasks/%s/resume"},
	"retry_execution": {http.MethodPost, "/history/%s/retry"},
}

// commands carries out the messages of the command queue.
type commands struct {
	api   *api.Server
	store pinger
}

// pinger is a store that can be asked whether it answers.
type pinger interface {
	Ping(ctx context.Context) error
}

// storePause is how long a command waits for a store that does not answer
// before it asks again. It waits for as long as it takes: it was taken, and
// must not be given up because of a fail-over.
const storePause = time.Second

// awaitStore returns when the store answers, or fails when ctx ends.
func (c commands) awaitStore(ctx context.Context) error {
	for c.silent(ctx) && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(storePause):
		}
	}
	return ctx.Err()
}

// silent reports whether the store does not answer: then it is why a command
// could not be carried out.
func (c commands) silent(ctx context.Context) bool {
	bounded, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	asked := make(chan error, 1)
	go func() { asked <- c.store.Ping(bounded) }() // hangs with the database, whatever its context says
	select {
	case err := <-asked:
		return err != nil
	case <-bounded.Done():
		return true
	}
}

// answer is the body of a reply: what the REST API would have answered.
type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body,omitempty"`
}

// errUnavailable makes a command come again.
var errUnavailable = errors.New("the service cannot carry it out now")

// errStops is the answer to a command that another node carries out.
var errStops = core.Errorf(core.CodeUnavailable, "the service stops")

// keyName is the property of a message that is its idempotency key.
const keyName = "message-id"

// handle implements rabbitmq.Handler.
func (c commands) handle(ctx context.Context, cmd rabbitmq.Command) rabbitmq.Reply {
	r, ok := routes[cmd.Name]
	if !ok {
		return reply(c.refused(core.Errorf(core.CodeNotFound, "there is no command %.64q", cmd.Name)), nil)
	}
	path, body, err := r.request(cmd.Body)
	if err != nil {
		return reply(c.refused(err), nil)
	}
	if err := c.awaitStore(ctx); err != nil {
		return reply(c.refused(errStops), err)
	}
	call := api.Call{Method: r.method, Path: path, Body: body, IdempotencyKey: cmd.IdempotencyKey, KeyName: keyName}
	a := answered(c.api.Do(ctx, call))
	for a.Status == http.StatusServiceUnavailable && c.silent(ctx) {
		if err := c.awaitStore(ctx); err != nil {
			return reply(c.refused(errStops), err)
		}
		a = answered(c.api.Do(ctx, call))
	}
	if a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError && a.Status != http.StatusBadGateway {
		return reply(a, fmt.Errorf("%w: %d", errUnavailable, a.Status))
	}
	return reply(a, nil)
}

// unreadable is the body of the reply to a message that is no command.
func (c commands) unreadable(err error) json.RawMessage { return reply(c.refused(err), nil).Body }

// request makes the path and the body of the request. A command about one thing
// names it as "id" beside the fields of the request's body.
func (r route) request(body json.RawMessage) (path string, rest []byte, err error) {
	if r.path == "/tasks" {
		return r.path, body, nil
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return "", nil, core.Errorf(core.CodeInvalidRequest, "the body is not a JSON object")
	}
	var id string
	if json.Unmarshal(fields["id"], &id) != nil || id == "" {
		return "", nil, core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{Field: "/id", Problem: "is missing, or is not a text"}})
	}
	delete(fields, "id")
	if len(fields) > 0 {
		rest, _ = json.Marshal(fields) // raw values that were read: cannot fail
	}
	return fmt.Sprintf(r.path, url.PathEscape(id)), rest, nil
}

// refused is the answer to a command that becomes no request.
func (c commands) refused(err error) answer { return answered(c.api.Refuse(err)) }

func answered(status int, body []byte) answer {
	a := answer{Status: status}
	if json.Valid(body) {
		a.Body = body
	}
	return a
}

func reply(a answer, retry error) rabbitmq.Reply {
	body, _ := json.Marshal(a) // its body is valid JSON: cannot fail
	return rabbitmq.Reply{Body: body, Retry: retry}
}
