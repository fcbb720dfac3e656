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
)

// watched tells the parts of the engine whose failing means that nothing gets
// done. They repeat what failed, after 7.5 s at the latest, until it is done,
// and say so.
func watched(part string) bool { return part == "planner" || part == "completer" }

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
	first time.Time
	count int
}

func newFaults(clock core.Clock) *faults { return &faults{clock: clock, rows: map[string]row{}} }

// Observe implements core.Observer.
func (f *faults) Observe(e core.Event) {
	if !watched(e.Part) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e.Kind {
	case core.EventHealed:
		delete(f.rows, e.Part)
	case core.EventFault:
		r, ok := f.rows[e.Part]
		if !ok {
			r.first = f.clock.Now()
		}
		r.count++
		f.rows[e.Part] = r
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
		if took := now.Sub(r.first); took > faultTime && r.count >= faultCount {
			return fmt.Errorf("the database does not take what the %s writes, for %s now; see to the free space and the permissions of DATA_DIR, the log has the cause",
				part, took.Round(time.Second))
		}
	}
	return nil
}

var _ core.Observer = (*faults)(nil)
