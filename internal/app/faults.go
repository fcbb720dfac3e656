package app

import (
	"fmt"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

const (
	// faultTime is how long a part may fail before the service is not ready: a
	// busy database is no reason to send requests elsewhere.
	faultTime = 5 * time.Second
	// healTime is how long a part must be silent to count as well again. The
	// engine repeats a failed step after 7.5 s at the latest.
	healTime = 10 * time.Second
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

	mu    sync.Mutex
	since map[string]time.Time // first fault of a row, by part
	last  map[string]time.Time
}

func newFaults(clock core.Clock) *faults {
	return &faults{clock: clock, since: map[string]time.Time{}, last: map[string]time.Time{}}
}

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
	if last, ok := f.last[e.Part]; !ok || now.Sub(last) > healTime {
		f.since[e.Part] = now
	}
	f.last[e.Part] = now
}

func (f *faults) succeeded(kind core.EventKind) {
	for part, kinds := range watched {
		for _, k := range kinds {
			if k == kind {
				delete(f.last, part)
			}
		}
	}
}

// Problem says which part has failed for too long and what to do about it; nil
// when none has.
func (f *faults) Problem() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	for _, part := range []string{"planner", "completer"} {
		last, ok := f.last[part]
		if took := now.Sub(f.since[part]); ok && now.Sub(last) <= healTime && took > faultTime {
			return fmt.Errorf("the database does not take what the %s writes, for %s now; see to the free space and the permissions of DATA_DIR, the log has the cause",
				part, took.Round(time.Second))
		}
	}
	return nil
}

var _ core.Observer = (*faults)(nil)
