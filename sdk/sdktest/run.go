// Package sdktest runs a plugin's handler in an ordinary unit test: natively,
// without the scheduler, against a fake host that records what the handler
// asks for.
//
//	result := sdktest.Run(t, plugin(), sdktest.Case{Data: map[string]any{"channelId": "c1"}})
//	result.RequireOK(t)
//
// Requests and answers pass through the same frames as in the scheduler, so what
// JSON cannot carry fails here too. What the sandbox adds (limits, clean state,
// no files) is not there.
package sdktest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// Case is one attempt to run. Its zero value runs attempt 1 of 1 with the data
// {} and no config.
type Case struct {
	Data   any // task data, rendered as JSON; a json.RawMessage is taken as it is
	Config any // the plugin's config, likewise

	// Execution overrides what the handler is told about the attempt. Empty
	// fields get values fit for a test.
	Execution sdk.Execution

	// State is what earlier runs have kept: values that JSON can carry, by key.
	State map[string]any

	// Checkpoint is what an earlier attempt has saved: a value that JSON can carry,
	// or a json.RawMessage. nil: nothing.
	Checkpoint any

	// HTTP answers the handler's requests; Answers makes one of a list. Its error
	// fails the request, and may be marked with sdk.Permanent or sdk.RetryAfter.
	// Without it every request fails.
	HTTP func(sdk.HTTPRequest) (sdk.HTTPResponse, error)

	// Secrets are the names of those that are granted and set.
	Secrets []string

	// DieAt ends the run before one of its operations, counted from 1, logging
	// included: neither that operation nor any later one is carried out, as when the
	// machine is lost. What the handler answers counts as the last, so that one more
	// than there are operations loses the answer only. A run with fewer ends as
	// usual. 0 is never; see Result.Died.
	DieAt int

	// Prune answers Context.Prune: how many were removed, and whether there may be
	// more. Without it every such call fails.
	Prune func(sdk.Prune) (removed int, more bool, err error)

	// Now is the host's time, for Context.Now. It stands still; what the handler
	// sleeps passes at once, see Result.Slept. When it comes to Execution.Deadline
	// the handler's context ends, no operation is carried out any more, and the run
	// has failed: see Result.TimedOut. Defaults to the machine's.
	Now time.Time

	// OnSleep is told how long the handler sleeps, while it does: a test that answers
	// requests by a clock of its own moves it.
	OnSleep func(time.Duration)
}

// Run runs the plugin's handler once and returns what came of it. Only
// capabilities that the plugin declares, also as optional, are granted. A panic
// of the handler is the test's.
func Run(t testing.TB, p sdk.Plugin, c Case) Result {
	t.Helper()
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	execution := complete(c.Execution, p.Name)
	request, err := wire.Encode(wire.Request{ABI: wire.ABI, ContentType: wire.ContentJSON, Execution: execution}, render(t, c.Data))
	if err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	host := &fakeHost{plugin: p, config: render(t, c.Config), answer: c.HTTP, secrets: c.Secrets, execution: execution, prune: c.Prune, clock: clock{now: c.Now, onSleep: c.OnSleep, end: newEnd(t.Context(), execution.Deadline, c.Now)}, death: death{at: c.DieAt}}
	if c.Checkpoint != nil {
		host.checkpoint = render(t, c.Checkpoint)
	}
	host.ttl = map[string]time.Duration{}
	host.state = stateOf(c.State, func(v any) json.RawMessage { return render(t, v) })
	var response wire.Response
	value, err := wire.Decode(sdk.ServeContext(host.clock.end, &p, request, host), &response)
	if err != nil {
		t.Fatalf("sdktest: read response: %v", err)
	}
	result := Result{
		Value: value, Failure: response.Error, Logs: host.logs, Requests: host.requests, Slept: host.clock.slept,
		Progress: host.progress, Checkpoint: host.checkpoint,
	}
	if host.death.step() {
		result.Died, result.Value, result.Failure = true, nil, host.death.failure()
	}
	if !result.Died && host.clock.end.Err() != nil {
		result.TimedOut, result.Value = true, nil
		if result.Failure == nil {
			result.Failure = &wire.Error{Message: errTimedOut.Error()}
		}
		result.Failure.Kind = wire.Retryable // whatever the handler said: the host counts it as TIMEOUT
	}
	if result.Failure == nil {
		result.Notifications, result.TTL = host.sent, host.ttl
		result.State, result.Events, result.Jobs = host.state, host.events, host.jobs
	}
	return result
}

// complete fills what a test does not care about.
func complete(e sdk.Execution, name string) sdk.Execution {
	for _, s := range []struct {
		field *string
		value string
	}{
		{&e.ID, "execution-1"}, {&e.TaskID, "task-1"}, {&e.TaskName, "Task"}, {&e.Type, name}, {&e.Trigger, "manual"},
	} {
		if *s.field == "" {
			*s.field = s.value
		}
	}
	if e.IdempotencyKey == "" {
		e.IdempotencyKey = e.ID
	}
	e.Attempt = max(e.Attempt, 1)
	e.MaxAttempts = max(e.MaxAttempts, e.Attempt)
	e.Token = max(e.Token, 1)
	if e.NominalTime.IsZero() {
		e.NominalTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	}
	return e
}

func render(t testing.TB, v any) json.RawMessage {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return json.RawMessage("{}")
	case json.RawMessage:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	return b
}
