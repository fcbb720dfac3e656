package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Store is a core.Store that keeps everything in memory, under one mutex: each
// method holds it from beginning to end, which makes the method one step. What
// it returns are copies; what it is given it copies. It is safe for concurrent
// use. Its zero value is not useful; NewStore makes one.
type Store struct {
	clock core.Clock

	mu         sync.Mutex
	token      int64 // the last fencing token given out
	typeLimit  func(taskType string) int
	tasks      *taskTable
	schedules  *scheduleTable
	calendars  *calendarTable
	queuedAt   map[string]time.Time // when executions were marked
	judgeAt    map[string]time.Time // when to look at the dependencies of executions
	executions *ledger
	requests   *requestTable
	outbox     outbox
	nodes      map[string]core.Node
	state      stateTable
}

// NewStore returns an empty store whose clock decides what is due.
func NewStore(clock core.Clock) *Store {
	return &Store{
		clock:      clock,
		typeLimit:  func(string) int { return 0 },
		tasks:      newTaskTable(),
		schedules:  newScheduleTable(),
		calendars:  newCalendarTable(),
		queuedAt:   map[string]time.Time{},
		judgeAt:    map[string]time.Time{},
		executions: newLedger(),
		requests:   newRequestTable(),
		nodes:      map[string]core.Node{},
		state:      stateTable{},
	}
}

// begin takes the mutex for one step and returns the store's time. It refuses
// when ctx has ended, so that a caller who gave up changes nothing.
func (s *Store) begin(ctx context.Context, operation string) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", operation, err)
	}
	s.mu.Lock()
	return core.Instant(s.clock.Now()), nil
}

// end gives the mutex back.
func (s *Store) end() { s.mu.Unlock() }

func notFound(kind, id string) error {
	return core.Errorf(core.CodeNotFound, "there is no %s %s", kind, id)
}

func checkVersion(kind, id string, stored, wanted int64) error {
	if wanted == core.AnyVersion || wanted == stored {
		return nil
	}
	return core.Errorf(core.CodePreconditionFailed, "%s %s has version %d, not %d", kind, id, stored, wanted)
}

var _ core.Store = (*Store)(nil)
