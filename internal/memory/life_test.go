package memory_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

// node is a scheduler in small: one loop that plans, dispatches and reaps, and
// workers, some of which die with what they hold.
type node struct {
	store   core.Store
	queue   core.Queue
	owner   string
	stop    context.CancelFunc
	running sync.WaitGroup
	fail    func(error)
}

const (
	lifeTTL  = 10 * time.Second
	lifeStep = time.Second
)

func (n *node) start(ctx context.Context) {
	ctx, n.stop = context.WithCancel(ctx)
	n.running.Go(func() { n.drive(ctx) })
	for range 3 {
		n.running.Go(func() { n.work(ctx) })
	}
}

func (n *node) end() {
	n.stop()
	n.running.Wait()
}

func (n *node) drive(ctx context.Context) {
	tick := time.NewTicker(lifeStep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := n.step(ctx); err != nil && ctx.Err() == nil {
			n.fail(err)
			return
		}
	}
}

func (n *node) step(ctx context.Context) error {
	if _, err := n.store.PlanDue(ctx, 10, planMinute); err != nil {
		return err
	}
	settle := func(now time.Time, e *core.Execution) { e.LoseLease(now) }
	if _, err := n.store.Reap(ctx, 10, settle); err != nil {
		return err
	}
	report, err := n.store.Ready(ctx, 10, nil)
	if err != nil {
		return err
	}
	var items []core.QueueItem
	var marks []core.QueueMark
	for _, e := range report.Executions {
		items = append(items, core.QueueItem{ExecutionID: e.ID, Type: e.Type, Priority: e.Priority})
		marks = append(marks, core.QueueMark{ID: e.ID})
	}
	// Marked first: a claim that a gate sends back must not be marked again.
	if _, err := n.store.MarkQueued(ctx, marks); err != nil {
		return err
	}
	return n.queue.Publish(context.WithoutCancel(ctx), items)
}

// work claims what comes. An attempt takes half a second; a node that is stopped
// meanwhile neither finishes it nor acknowledges anything.
func (n *node) work(ctx context.Context) {
	for {
		d, err := n.queue.Receive(ctx, 2)
		if err != nil {
			return
		}
		ids := make([]string, len(d.Items))
		for i, item := range d.Items {
			ids[i] = item.ExecutionID
		}
		claimed, err := n.store.Claim(ctx, ids, n.owner, lifeTTL)
		if err != nil {
			return
		}
		if err := d.Ack(ctx); err != nil {
			n.fail(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lifeStep / 2):
		}
		done := make([]core.Completion, len(claimed))
		for i, e := range claimed {
			done[i] = core.Completion{Lease: core.Lease{ExecutionID: e.ID, Token: e.Token}, Settle: func(now time.Time, e *core.Execution) {
				e.Succeed(core.Outcome{}, now)
			}}
		}
		if _, err := n.store.Finish(context.WithoutCancel(ctx), done); err != nil {
			n.fail(err)
		}
	}
}

func planMinute(now time.Time, d core.DueTask) core.Plan {
	nominal := *d.Task.Plan.NextNominal
	next := nominal.Add(time.Minute)
	return core.Plan{
		NextRun: &next, State: core.PlanState{NextNominal: &next, LastNominal: &nominal},
		Executions: []core.Execution{core.NewExecution(d.Task, core.TriggerSchedule, nominal, nominal, now)},
	}
}

// Nodes come and go for an hour; afterwards every occurrence has ended well,
// once, and nothing is left running.
func TestNodesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tasks = 12
		store, queue := memory.NewStore(core.SystemClock{}), memory.NewQueue(100)
		begin := core.Instant(time.Now())
		for i := range tasks {
			task := coretest.Task(coretest.Overlap(core.OverlapQueueAll), coretest.Slots(fmt.Sprint("key ", i%4), 2),
				func(s *core.TaskSpec) { s.RetryPolicy.Attempts = 100 })
			_, err := store.CreateTask(t.Context(), coretest.DueAt(task, begin), nil)
			require.NoError(t, err)
		}
		fail := func(err error) { t.Error(err) }
		nodes := make([]*node, 3)
		for i := range nodes {
			nodes[i] = &node{store: store, queue: queue, owner: fmt.Sprint("node-", i), fail: fail}
			nodes[i].start(t.Context())
		}
		for turn := range 60 {
			time.Sleep(time.Minute + 70*time.Millisecond) // wanders through the phases of the work
			n := nodes[turn%len(nodes)]
			n.end()
			time.Sleep(lifeStep)
			n.start(t.Context())
		}
		time.Sleep(5*time.Minute + 50*time.Second) // nothing is stopped; what was lost is made up for
		for _, n := range nodes {
			n.end()
		}
		requireAllEnded(t, store, 60*tasks)
		require.NoError(t, queue.Close())
	})
}

// requireAllEnded fails unless each of at least so many occurrences succeeded
// once, although some attempts were lost.
func requireAllEnded(t *testing.T, store core.Store, atLeast int) {
	t.Helper()
	seen, lost, page := map[string]bool{}, 0, core.Page{Limit: 200}
	for {
		es, err := store.Executions(t.Context(), core.ExecutionFilter{}, page)
		require.NoError(t, err)
		if len(es) == 0 {
			break
		}
		for _, e := range es {
			require.Equal(t, core.StatusSucceeded, e.Status, "execution %s, due at %s", e.ID, e.DueAt)
			occurrence := e.TaskID + " at " + e.NominalTime.String()
			require.False(t, seen[occurrence], "planned twice: %s", occurrence)
			seen[occurrence] = true
			lost += len(e.Attempts) - 1
		}
		page.After = es[len(es)-1].ID
	}
	require.GreaterOrEqual(t, len(seen), atLeast)
	require.Positive(t, lost, "no node died at work: the test proves nothing")
}
