package sdktest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// Result is what came of a run.
type Result struct {
	Value      json.RawMessage   // the handler's answer
	Failure    *wire.Error       // how the attempt failed, nil when it succeeded
	Logs       []wire.LogLine    // in order
	Requests   []sdk.HTTPRequest // in order, those that failed included, secrets not filled in
	Progress   []wire.Progress   // in order
	Checkpoint json.RawMessage   // what the next attempt would find; nil is nothing

	Slept    time.Duration // how long the handler slept
	Died     bool          // the run came as far as Case.DieAt, and failed there
	TimedOut bool          // the run came to its deadline, and failed there

	// What happens with a success, and not at all when the handler failed.
	Notifications []sdk.Notification         // in order
	State         map[string]json.RawMessage // what is kept afterwards, by key
	TTL           map[string]time.Duration   // for how long, of what this run has set; 0 is until it is deleted
	Events        []wire.Event               // published, in order
	Jobs          []wire.Enqueue             // enqueued, in order
}

// RequireOK ends the test when the handler failed.
func (r Result) RequireOK(t testing.TB) {
	t.Helper()
	if r.Failure != nil {
		t.Fatalf("the handler failed: %s (%s)", r.Failure.Message, r.Failure.Kind)
	}
}

// RequireFailure ends the test when the handler succeeded, or failed in another
// way than kind. It returns the failure.
func (r Result) RequireFailure(t testing.TB, kind wire.ErrorKind) *wire.Error {
	t.Helper()
	if r.Failure == nil {
		t.Fatalf("the handler succeeded with %s, want a %s error", r.Value, kind)
	}
	if r.Failure.Kind != kind {
		t.Fatalf("the handler failed with %q, which is %s, want %s", r.Failure.Message, r.Failure.Kind, kind)
	}
	return r.Failure
}

// Decode reads the handler's answer into v, a pointer. It ends the test when
// there is none.
func (r Result) Decode(t testing.TB, v any) {
	t.Helper()
	r.RequireOK(t)
	if err := json.Unmarshal(r.Value, v); err != nil {
		t.Fatalf("read the handler's answer %s: %v", r.Value, err)
	}
}
