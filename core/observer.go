package core

import "time"

// Observer sees what the engine does; metrics stand behind it. It must return
// at once and is called from many goroutines.
type Observer interface {
	Observe(Event)
}

// EventKind says what happened.
type EventKind string

// The events.
const (
	EventPlanned  EventKind = "planned"  // an execution was inserted
	EventStarted  EventKind = "started"  // an attempt began
	EventAttempt  EventKind = "attempt"  // an attempt ended
	EventFinished EventKind = "finished" // an execution ended for good
	EventReaped   EventKind = "reaped"   // a lease expired and its execution was taken back
	EventLate     EventKind = "late"     // an execution has not started in time
	EventGivenUp  EventKind = "given_up" // a message was not delivered and will not be
	EventFault    EventKind = "fault"    // a step of the engine failed and will be repeated
	EventHealed   EventKind = "healed"   // a step that had failed was done, also one that found no work; not told of worker and janitor
)

// Event is one thing that happened.
type Event struct {
	Kind      EventKind
	At        time.Time
	Execution *Execution    // nil for faults, healed parts and messages
	Lateness  time.Duration // started: from due to start
	Part      string        // fault, healed: planner, judge, dispatcher, worker, completer, keeper, reporter, reaper, lookout, relay, herald, courier, registrar or janitor
	Message   MessageKind   // given up: what it was
	Err       error         // fault
}

// Observers fans events out to several observers.
type Observers []Observer

// Observe hands the event to each in turn.
func (o Observers) Observe(e Event) {
	for _, x := range o {
		x.Observe(e)
	}
}
