package sqlstore_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// TestPromisesHoldUnderLoad lets planners, dispatchers, workers that fail and
// vanish, a reaper and people who cancel work on one store, and looks for an
// occurrence that was lost or came twice, for two running executions of an
// exclusive task, and for a token that did not grow.
func TestPromisesHoldUnderLoad(t *testing.T) {
	hammerPromises(t, openStore(t, emptyDatabase(t), core.SystemClock{}))
}

// The same on several nodes.
func TestPromisesHoldUnderLoadOnPostgres(t *testing.T) {
	url := sqlstore.EmptyTestDatabase(t)
	var nodes []*sqlstore.Store
	for range 3 {
		nodes = append(nodes, sqlstore.OpenTestPostgres(t, url, nil).Store)
	}
	hammerPromises(t, nodes...)
}

func hammerPromises(t *testing.T, nodes ...*sqlstore.Store) {
	const tasks, perTask = 6, 25
	h := newHammer(t, nodes, tasks, perTask)
	var g errgroup.Group
	for range 2 {
		g.Go(h.plan)
		g.Go(h.reap)
	}
	for w := range 4 {
		g.Go(func() error { return h.work(fmt.Sprint("node-", w)) })
	}
	g.Go(h.cancel)
	require.NoError(t, g.Wait())
	h.check(tasks * perTask)
}

// hammer is the load and what it must not see.
type hammer struct {
	t       *testing.T
	nodes   []*sqlstore.Store
	tasks   []core.Task
	planned atomic.Int64
	want    int64
	ended   atomic.Bool

	mu      sync.Mutex
	running map[string]int64 // task → token of its one running execution
	tokens  map[int64]bool   // all that were given out
	last    map[string]int64 // execution → its last token
}

func newHammer(t *testing.T, nodes []*sqlstore.Store, tasks, perTask int) *hammer {
	h := &hammer{
		t: t, nodes: nodes,
		want: int64(tasks * perTask), running: map[string]int64{}, tokens: map[int64]bool{}, last: map[string]int64{},
	}
	for i := range tasks {
		task := coretest.Task(func(s *core.TaskSpec) {
			s.Overlap, s.MaxRuns, s.Priority = core.OverlapQueueAll, perTask, i
			s.RetryPolicy = core.RetryPolicy{Attempts: 3, Delay: 1, Backoff: core.BackoffFixed}
			if i%2 == 0 {
				s.ConcurrencyKey, s.MaxConcurrency = "shared", 2
			}
		})
		task, err := h.any().CreateTask(t.Context(), coretest.DueAt(task, time.Now()), nil)
		require.NoError(t, err)
		h.tasks = append(h.tasks, task)
	}
	return h
}

// any is one of the nodes.
func (h *hammer) any() *sqlstore.Store { return h.nodes[rand.IntN(len(h.nodes))] }

func (h *hammer) plan() error {
	for !h.ended.Load() {
		report, err := h.any().PlanDue(h.t.Context(), 4, func(now time.Time, d core.DueTask) core.Plan {
			due := *d.Task.NextRun
			p := core.Plan{State: d.Task.Plan, Executions: []core.Execution{
				core.NewExecution(d.Task, core.TriggerSchedule, due, due, now),
			}}
			p.State.LastNominal = &due
			if p.State.Runs++; p.State.Runs < d.Task.MaxRuns {
				next := due.Add(time.Millisecond)
				p.NextRun, p.State.NextNominal = &next, &next
			}
			return p
		})
		if err != nil {
			return err
		}
		h.planned.Add(int64(len(report.Planned)))
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (h *hammer) work(owner string) error {
	for !h.ended.Load() {
		report, err := h.any().Ready(h.t.Context(), 5, nil)
		if err != nil {
			return err
		}
		var ids []string
		var marks []core.QueueMark
		for _, e := range report.Executions {
			ids, marks = append(ids, e.ID), append(marks, core.QueueMark{ID: e.ID})
		}
		// Several workers see the same ones: as a queue does that delivers twice.
		if _, err := h.any().MarkQueued(h.t.Context(), marks); err != nil {
			return err
		}
		if rand.IntN(8) == 0 { // a worker that vanishes with what it claimed
			if _, err := h.any().Claim(h.t.Context(), ids, "node-gone", time.Millisecond); err != nil {
				return err
			}
			continue
		}
		claimed, err := h.any().Claim(h.t.Context(), ids, owner, time.Hour)
		if err != nil {
			return err
		}
		if err := h.finish(claimed); err != nil {
			return err
		}
		if err := h.unstick(); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// unstick claims what was marked as queued after it had been claimed, failed
// and become due again: here the mark stands for no message.
func (h *hammer) unstick() error {
	queued, err := h.any().Executions(h.t.Context(), core.ExecutionFilter{Statuses: []core.Status{core.StatusQueued}}, core.Page{Limit: 5})
	if err != nil || len(queued) == 0 {
		return err
	}
	ids := make([]string, len(queued))
	for i, e := range queued {
		ids[i] = e.ID
	}
	claimed, err := h.any().Claim(h.t.Context(), ids, "node-x", time.Hour)
	if err != nil {
		return err
	}
	return h.finish(claimed)
}

func (h *hammer) finish(claimed []core.Execution) error {
	var done []core.Completion
	for _, e := range claimed {
		if err := h.enter(e); err != nil {
			return err
		}
		settle := func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{Plugin: "p@1"}, now) }
		switch rand.IntN(4) {
		case 0:
			settle = func(now time.Time, e *core.Execution) {
				e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable}, "p@1", 0, now)
			}
		case 1:
			settle = func(now time.Time, e *core.Execution) { e.HandBack(now) }
		}
		done = append(done, core.Completion{
			Lease:  core.Lease{ExecutionID: e.ID, Token: e.Token},
			Log:    core.AttemptLog{Attempt: e.Attempt, Lines: []core.LogLine{{Message: "hi"}}},
			Settle: settle,
		})
	}
	if len(done) == 0 {
		return nil
	}
	time.Sleep(time.Millisecond) // the plugin works
	for _, e := range claimed {
		h.leave(e)
	}
	finished, err := h.any().Finish(h.t.Context(), append(done, done...)) // a completion that comes twice counts once
	if err != nil {
		return err
	}
	for i := range claimed {
		if !finished[i].Applied || finished[len(claimed)+i].Applied {
			return fmt.Errorf("execution %s was finished %v and again %v", claimed[i].ID, finished[i].Applied, finished[len(claimed)+i].Applied)
		}
	}
	return nil
}

// enter notes that an attempt runs. It is called while the store says so too.
func (h *hammer) enter(e core.Execution) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if other := h.running[e.TaskID]; other != 0 {
		return fmt.Errorf("two executions of task %s run, with tokens %d and %d", e.TaskID, other, e.Token)
	}
	if h.tokens[e.Token] || e.Token <= h.last[e.ID] {
		return fmt.Errorf("token %d of execution %s is not new; the last was %d", e.Token, e.ID, h.last[e.ID])
	}
	h.running[e.TaskID], h.tokens[e.Token], h.last[e.ID] = e.Token, true, e.Token
	return nil
}

func (h *hammer) leave(e core.Execution) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running, e.TaskID)
}

func (h *hammer) reap() error {
	for !h.ended.Load() {
		_, err := h.any().Reap(h.t.Context(), 10, func(now time.Time, e *core.Execution) { e.LoseLease(now) })
		if err != nil {
			return err
		}
		time.Sleep(3 * time.Millisecond)
	}
	return nil
}

// cancel cancels now and then, and ends the test when nothing is left to do.
func (h *hammer) cancel() error {
	defer h.ended.Store(true)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		task := h.tasks[rand.IntN(len(h.tasks))]
		if _, err := h.any().Cancel(h.t.Context(), core.Cancellation{TaskID: task.ID, Reason: "test"}); err != nil {
			return err
		}
		stats, err := h.any().Stats(h.t.Context())
		if err != nil {
			return err
		}
		if h.planned.Load() >= h.want && len(stats.Waiting) == 0 {
			return nil
		}
	}
	return fmt.Errorf("work is left: %d of %d planned", h.planned.Load(), h.want)
}

// check looks at the history: each occurrence ended, and none twice.
func (h *hammer) check(want int) {
	seen := map[string]bool{}
	for page := (core.Page{Limit: 50}); ; {
		list, err := h.any().Executions(h.t.Context(), core.ExecutionFilter{}, page)
		require.NoError(h.t, err)
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			require.True(h.t, e.Status.Final())
			occurrence := e.TaskID + e.NominalTime.String()
			require.False(h.t, seen[occurrence], "an occurrence came twice")
			seen[occurrence] = true
		}
		page.After = list[len(list)-1].ID
	}
	require.Len(h.t, seen, want)
}
