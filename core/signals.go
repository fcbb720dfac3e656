package core

import "context"

// Signals carries hints between the API and the engines of all nodes: something
// is due sooner, something should end now, something has ended. A signal that
// is lost costs latency, never correctness.
type Signals interface {
	// Send offers a signal to every subscriber and does not wait for them.
	Send(ctx context.Context, s Signal)
	// Subscribe returns the signals from now on. A subscriber that does not
	// keep up loses the oldest. The function ends the subscription.
	Subscribe() (<-chan Signal, func())
}

// SignalKind says what a signal is about.
type SignalKind string

// The signals.
const (
	SignalPlan     SignalKind = "plan"     // a task's next time has changed
	SignalDispatch SignalKind = "dispatch" // an execution became ready
	SignalCancel   SignalKind = "cancel"   // a running execution was asked to end
	SignalFinished SignalKind = "finished" // an execution has ended for good
	SignalNotify   SignalKind = "notify"   // a notification waits in the outbox
)

// Signal is one hint.
type Signal struct {
	Kind        SignalKind
	ExecutionID string // for cancel and finished
}
