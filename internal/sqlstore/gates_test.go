package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// gate is something that lets a few of many executions run at a time.
type gate struct {
	name  string
	slots int
	task  func(i int) func(*core.TaskSpec) // of the i-th execution
	same  bool                             // all executions are of one task
	limit int                              // of the type
}

// Each claimer asks for executions of its own, so that no row is there to wait
// at: only what is counted is common.
func TestGatesHoldAmongNodes(t *testing.T) {
	for _, g := range []gate{
		{name: "concurrency key", slots: 2, task: func(int) func(*core.TaskSpec) { return coretest.Slots("shared", 2) }},
		{name: "many keys", slots: 5, task: func(i int) func(*core.TaskSpec) { return coretest.Slots(fmt.Sprint("key-", i%5), 1) }},
		{name: "task type", slots: 3, limit: 3, task: func(int) func(*core.TaskSpec) { return func(*core.TaskSpec) {} }},
		{name: "exclusive task", slots: 1, same: true, task: func(int) func(*core.TaskSpec) { return coretest.Overlap(core.OverlapQueueAll) }},
	} {
		t.Run(g.name, func(t *testing.T) { hammerGate(t, g) })
	}
}

func hammerGate(t *testing.T, g gate) {
	const nodes, claimersPerNode, each = 3, 3, 6
	const claimers = nodes * claimersPerNode
	url := sqlstore.EmptyTestDatabase(t)
	stores := make([]*sqlstore.Postgres, nodes)
	for i := range stores {
		stores[i] = sqlstore.OpenTestPostgres(t, url, nil)
		stores[i].LimitTypes(func(string) int { return g.limit })
	}
	ids := plantGated(t, stores[0], g, claimers*each)
	var group errgroup.Group
	for i := range claimers {
		mine, store := ids[i*each:(i+1)*each], stores[i%nodes]
		group.Go(func() error {
			deadline := time.Now().Add(time.Minute)
			for left := each; left > 0; {
				if time.Now().After(deadline) {
					return errors.New("work is left: a gate did not open again")
				}
				claimed, err := store.Claim(t.Context(), mine, "node", time.Minute)
				if err != nil {
					return err
				}
				stats, err := store.Stats(t.Context()) // while what was claimed runs
				if err != nil {
					return err
				}
				if n := stats.Waiting[core.StatusRunning]; n > g.slots {
					return fmt.Errorf("%d run at a time, and the gate lets %d through", n, g.slots)
				}
				if err := finishAll(t, store.Store, claimed); err != nil {
					return err
				}
				left -= len(claimed)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}

func plantGated(t *testing.T, s *sqlstore.Postgres, g gate, n int) []string {
	t.Helper()
	ids := make([]string, n)
	var task core.Task
	for i := range ids {
		if i == 0 || !g.same {
			var err error
			task, err = s.CreateTask(t.Context(), coretest.Task(g.task(i)), nil)
			require.NoError(t, err)
		}
		e := coretest.Execution(task)
		_, _, err := s.CreateExecution(t.Context(), e, nil)
		require.NoError(t, err)
		ids[i] = e.ID
	}
	return ids
}

func finishAll(t *testing.T, s *sqlstore.Store, claimed []core.Execution) error {
	done := make([]core.Completion, len(claimed))
	for i, e := range claimed {
		done[i] = core.Completion{
			Lease:  core.Lease{ExecutionID: e.ID, Token: e.Token},
			Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) },
		}
	}
	finished, err := s.Finish(t.Context(), done)
	for _, f := range finished {
		if !f.Applied {
			return errors.New("a lease was lost")
		}
	}
	return err
}

// Requests that come twice at the same moment, on two nodes, are carried out
// once.
func TestARequestThatComesTwiceAtOnceIsCarriedOutOnce(t *testing.T) {
	url := sqlstore.EmptyTestDatabase(t)
	nodes := []*sqlstore.Postgres{sqlstore.OpenTestPostgres(t, url, nil), sqlstore.OpenTestPostgres(t, url, nil)}
	failed, err := nodes[0].CreateTask(t.Context(), coretest.Task(coretest.Overlap(core.OverlapAllow)), nil)
	require.NoError(t, err)
	exclusive, err := nodes[0].CreateTask(t.Context(), coretest.Task(coretest.Overlap(core.OverlapSkip)), nil)
	require.NoError(t, err)
	retried := core.NewID()
	for round := range 10 {
		key := &core.Idempotency{Key: fmt.Sprint("k", round), Fingerprint: "f"}
		both(t, nodes, "same key", []error{nil, core.ErrReplayed}, func(s *sqlstore.Postgres) error {
			_, err := s.CreateTask(t.Context(), coretest.Task(), key)
			return err
		})
		both(t, nodes, "same retry", []error{nil, core.ErrReplayed}, func(s *sqlstore.Postgres) error {
			e := coretest.Execution(failed, func(e *core.Execution) { e.RetryOf = &retried })
			_, _, err := s.CreateExecution(t.Context(), e, nil)
			return err
		})
		cancel(t, nodes[0], failed)
		both(t, nodes, "overlap", []error{nil, core.Errorf(core.CodeTaskLocked, "")}, func(s *sqlstore.Postgres) error {
			_, _, err := s.CreateExecution(t.Context(), coretest.Execution(exclusive), nil)
			return err
		})
		cancel(t, nodes[0], exclusive)
	}
}

func cancel(t *testing.T, s *sqlstore.Postgres, task core.Task) {
	t.Helper()
	_, err := s.Cancel(t.Context(), core.Cancellation{TaskID: task.ID})
	require.NoError(t, err)
}

// both does something on two nodes at once and wants one answer of each kind.
func both(t *testing.T, nodes []*sqlstore.Postgres, what string, want []error, do func(*sqlstore.Postgres) error) {
	t.Helper()
	got := make([]error, len(nodes))
	var start, end sync.WaitGroup
	start.Add(1)
	for i, s := range nodes {
		end.Go(func() {
			start.Wait()
			got[i] = do(s)
		})
	}
	start.Done()
	end.Wait()
	if got[0] != nil {
		got[0], got[1] = got[1], got[0]
	}
	require.NoError(t, got[0], what)
	require.Equal(t, core.CodeOf(want[1]), core.CodeOf(got[1]), "%s: %v", what, got[1])
	if errors.Is(want[1], core.ErrReplayed) {
		require.ErrorIs(t, got[1], core.ErrReplayed, what)
	}
}

// Edges that are fine alone and close a circle together.
func TestTwoNodesDoNotCloseACircleOfDependencies(t *testing.T) {
	url := sqlstore.EmptyTestDatabase(t)
	nodes := []*sqlstore.Postgres{sqlstore.OpenTestPostgres(t, url, nil), sqlstore.OpenTestPostgres(t, url, nil)}
	for range 10 {
		a, err := nodes[0].CreateTask(t.Context(), coretest.Task(), nil)
		require.NoError(t, err)
		b, err := nodes[0].CreateTask(t.Context(), coretest.Task(), nil)
		require.NoError(t, err)
		both(t, nodes, "circle", []error{nil, core.Errorf(core.CodeValidationFailed, "")}, func(s *sqlstore.Postgres) error {
			from, to := a.ID, b.ID
			if s == nodes[1] {
				from, to = to, from
			}
			_, err := s.UpdateTask(t.Context(), from, core.AnyVersion, func(_ time.Time, t core.Task) (core.Task, error) {
				t.DependsOn = []string{to}
				return t, nil
			})
			return err
		})
	}
}
