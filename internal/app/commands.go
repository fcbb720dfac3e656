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

// answer is the body of a reply: what the REST API would have answered.
type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body,omitempty"`
}

// errUnavailable makes a command come again.
var errUnavailable = errors.New("the service cannot carry it out now")

// handle implements rabbitmq.Handler.
func (c commands) handle(ctx context.Context, cmd rabbitmq.Command) rabbitmq.Reply {
	r, ok := routes[cmd.Name]
	if !ok {
		return reply(c.refused(http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("there is no command %.64q", cmd.Name)), nil)
	}
	path, body, problem := r.request(cmd.Body)
	if problem != "" {
		return reply(c.refused(http.StatusBadRequest, "INVALID_REQUEST", problem), nil)
	}
	if err := c.awaitStore(ctx); err != nil {
		return reply(c.refused(http.StatusServiceUnavailable, "UNAVAILABLE", "the service stops"), err)
	}
	status, text := c.api.Do(ctx, r.method, path, cmd.IdempotencyKey, body)
	for status == http.StatusServiceUnavailable && c.silent(ctx) {
		if err := c.awaitStore(ctx); err != nil {
			return reply(c.refused(http.StatusServiceUnavailable, "UNAVAILABLE", "the service stops"), err)
		}
		status, text = c.api.Do(ctx, r.method, path, cmd.IdempotencyKey, body)
	}
	a := answer{Status: status}
	if json.Valid(text) {
		a.Body = text
	}
	if status == http.StatusTooManyRequests || status >= http.StatusInternalServerError && status != http.StatusBadGateway {
		return reply(a, fmt.Errorf("%w: %d", errUnavailable, status))
	}
	return reply(a, nil)
}

// silent reports whether the store does not answer: then it is why a command
// could not be carried out.
func (c commands) silent(ctx context.Context) bool {
	bounded, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return c.store.Ping(bounded) != nil
}

// request makes the path and the body of the request. A command about one thing
// names it as "id" beside the fields of the request's body.
func (r route) request(body json.RawMessage) (path string, rest []byte, problem string) {
	if r.path == "/tasks" {
		return r.path, body, ""
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return "", nil, "the body is not a JSON object"
	}
	var id string
	if json.Unmarshal(fields["id"], &id) != nil || id == "" {
		return "", nil, `the body has no "id"`
	}
	delete(fields, "id")
	if len(fields) > 0 {
		rest, _ = json.Marshal(fields) // raw values that were read: cannot fail
	}
	return fmt.Sprintf(r.path, url.PathEscape(id)), rest, ""
}

// refused is an answer in the envelope of the API.
func (commands) refused(status int, code, message string) answer {
	body, _ := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": message}})
	return answer{Status: status, Body: body}
}

func reply(a answer, retry error) rabbitmq.Reply {
	body, _ := json.Marshal(a) // its body is valid JSON: cannot fail
	return rabbitmq.Reply{Body: body, Retry: retry}
}
