package app

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

const (
	// faultTime is how long a part may fail before the service is not ready: a
	// busy database is no reason to send requests elsewhere.
	faultTime = 5 * time.Second
	// faultCount is how often it must have failed then: two hiccups with good
	// steps between them are none.
	faultCount = 3
	// healTime is how long a part must be silent to count as well again, if
	// nothing that it wrote proves it sooner. The engine repeats a failed step
	// after 7.5 s at the latest, and the step may wait for the database.
	healTime = 20 * time.Second
)

// watched are the parts of the engine whose failing means that nothing gets
// done, with the events that prove the contrary.
var watched = map[string][]core.EventKind{
	"planner":   {core.EventPlanned},
	"completer": {core.EventFinished, core.EventAttempt},
}

// faults watches the engine for parts that fail again and again. Reading from a
// database says nothing about writing to it: its disk may be full, its file
// read-only. It is a core.Observer and safe for concurrent use.
type faults struct {
	clock core.Clock

	mu   sync.Mutex
	rows map[string]row // by part
}

// row is a row of faults without a success between them.
type row struct {
	first, last time.Time
	count       int
}

func newFaults(clock core.Clock) *faults { return &faults{clock: clock, rows: map[string]row{}} }

// Observe implements core.Observer.
func (f *faults) Observe(e core.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Kind != core.EventFault {
		f.succeeded(e.Kind)
		return
	}
	if _, ok := watched[e.Part]; !ok {
		return
	}
	now := f.clock.Now()
	r, ok := f.rows[e.Part]
	if !ok || now.Sub(r.last) > healTime {
		r = row{first: now}
	}
	r.last = now
	r.count++
	f.rows[e.Part] = r
}

// succeeded ends the rows of the parts that an event proves to be well.
func (f *faults) succeeded(kind core.EventKind) {
	for part, proofs := range watched {
		if slices.Contains(proofs, kind) {
			delete(f.rows, part)
		}
	}
}

// Problem says which part has failed for too long and what to do about it; nil
// when none has.
func (f *faults) Problem() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	for _, part := range slices.Sorted(maps.Keys(f.rows)) {
		r := f.rows[part]
		if took := now.Sub(r.first); took > faultTime && r.count >= faultCount && now.Sub(r.last) <= healTime {
			return fmt.Errorf("the database does not take what the %s writes, for %s now; see to the free space and the permissions of DATA_DIR, the log has the cause",
				part, took.Round(time.Second))
		}
	}
	return nil
}

var _ core.Observer = (*faults)(nil)
