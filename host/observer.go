package host

import (
	"errors"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// Observer sees what plugins do on this node; metrics stand behind it. Its
// methods return at once and are called from many goroutines. No text comes from
// a plugin: the task types are those that are listed, the others one of a few.
type Observer interface {
	// ObserveCall is told of an operation: its name, or "unknown", and how it
	// ended: ok, denied, refused (wrong in itself), failed (another try may
	// succeed) or ended (with the run).
	ObserveCall(taskType, op, outcome string, took time.Duration)

	// ObserveRequest is told of an HTTP request, each hop of a redirect being one:
	// the status of the answer, 0 for none, and the bytes of both bodies as they
	// were on the network.
	ObserveRequest(taskType string, status int, sent, received int64)

	// ObserveRun is told of a run: the code it ended with, "" for a success, its
	// wall time, waiting for a free place not counted, and its processor time.
	ObserveRun(taskType string, code core.Code, took, cpu time.Duration)

	// ObserveLoad is told of a program that was compiled or started, and tested.
	ObserveLoad(runtime string, loaded bool, took time.Duration)
}

// unobserved is where nobody looks.
type unobserved struct{}

// ObserveCall implements Observer.
func (unobserved) ObserveCall(_, _, _ string, _ time.Duration) {}

// ObserveRequest implements Observer.
func (unobserved) ObserveRequest(string, int, int64, int64) {}

// ObserveRun implements Observer.
func (unobserved) ObserveRun(string, core.Code, time.Duration, time.Duration) {}

// ObserveLoad implements Observer.
func (unobserved) ObserveLoad(string, bool, time.Duration) {}

// known names an operation for the observer.
func known(op string) string {
	switch op {
	case wire.OpLog, wire.OpConfig, wire.OpNotify, wire.OpStateGet, wire.OpStateSet, wire.OpStateDelete, wire.OpStateList,
		wire.OpPublish, wire.OpEnqueue, wire.OpClock, wire.OpDeadline, wire.OpRandom, wire.OpSleep, wire.OpHTTP, wire.OpSecret,
		wire.OpProgress, wire.OpCheckpoint, wire.OpCheckpointGet, wire.OpPrune:
		return op
	}
	return "unknown"
}

// outcomeOf names the end of an operation for the observer.
func outcomeOf(err error) string {
	if err == nil {
		return "ok"
	}
	if endsRun(err) {
		return "ended"
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		switch e.Kind {
		case wire.Denied:
			return "denied"
		case wire.Permanent:
			return "refused"
		}
	}
	return "failed"
}

// codeOf names the end of a run for the observer.
func codeOf(err error) core.Code {
	if err == nil {
		return ""
	}
	return core.FailureOf(err).Code
}
