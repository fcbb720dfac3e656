package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// workRows are the rows about the life of one execution: a node dies at each
// step of it.
func workRows() []row {
	return []row{
		// Killed after the request was read, before the commit: the caller gets no
		// answer, nothing is stored, and the same request makes the task elsewhere.
		{"01-before-commit-of-a-request", beforeCommit, false},
		// Killed after the commit, before the answer: the request repeated with its
		// key gets the first result.
		{"02-after-commit-before-the-answer", afterCommit, false},
		// Killed between the look at what is due and the write: another node plans
		// it, once.
		{"03-after-select-before-insert", crash{point: "plan.within=crash", attempts: first, effects: 1}.run, false},
		// Killed between the insert of the execution and the advance of the task,
		// which are one transaction: undone, planned again, one execution.
		{"04-after-insert-before-advance", insideThePlan, false},
		// Killed when the plan is committed and nothing published.
		{"05-after-commit-before-publish", crash{point: "plan.after=crash", attempts: first, effects: 1}.run, false},
		{"05-after-commit-before-publish-plain", crash{point: "plan.after=crash", attempts: first, effects: 1}.run, true},
		// Killed when it is marked as queued and not yet published: it is offered
		// again half a lease after the mark.
		{"05-after-mark-before-publish", crash{point: "publish.before=crash", attempts: first, effects: 1}.run, false},
		// Killed after the broker took the events, before they are marked as sent:
		// told again with the same ids.
		{"06-after-confirm-before-mark", toldTwice, false},
		// The broker has the bundle and the confirm is lost: published twice, run
		// once.
		{"07-confirm-lost", publishedTwice, false},
		// Killed after the delivery, before the claim: redelivered.
		{"08-after-delivery-before-claim", crash{point: "claim.before=crash", attempts: first, effects: 1}.run, false},
		{"08-after-delivery-before-claim-plain", crash{point: "claim.before=crash", attempts: first, effects: 1}.run, true},
		// Killed after the claim, before the plugin starts: the lease ends, second
		// attempt.
		{"09-after-claim-before-plugin", crash{point: "claim.after=crash", attempts: second, effects: 1}.run, false},
		{"09-after-claim-before-plugin-plain", crash{point: "claim.after=crash", attempts: second, effects: 1}.run, true},
		// Killed while the plugin runs, before its effect.
		{"10-before-the-effect", killedAt("begin", object{"begin": true, "beforeMs": 60_000},
			crash{attempts: second, effects: 1}), false},
		// Killed after the effect, before the result is stored: at least once is
		// twice here, with one idempotency key; at most once is lost.
		{"11-after-the-effect-at-least-once", killedAt("effect", object{"afterMs": 60_000},
			crash{attempts: second, effects: 2}), false},
		{"11-after-the-effect-at-most-once", killedAt("effect", object{"afterMs": 60_000},
			crash{more: object{"delivery": "at_most_once"}, status: "lost", attempts: []string{"lost"}, effects: 1}), false},
		// Killed after the result is stored, before the bundle is acknowledged: the
		// redelivery is ignored.
		{"12-after-result-before-ack", resultBeforeAck, false},
		// Killed while result, history and events are written, which are one
		// transaction: undone, as in row 11.
		{"13-inside-the-completion", insideTheCompletion, false},
		// Killed before and after the failed attempt and its retry are written: one
		// next attempt each time.
		{"14-before-the-retry-is-planned", crash{point: "finish.before=crash", data: object{"failures": 1},
			attempts: []string{"lost", "succeeded"}, effects: 2}.run, false},
		{"14-after-the-retry-is-planned", crash{point: "finish.after=crash", data: object{"failures": 1},
			attempts: []string{"failed", "succeeded"}, effects: 2}.run, false},
		// Cancel and completion at the same time: one of them, and the answer of the
		// cancellation agrees.
		{"15-cancel-against-complete", cancelRace, false},
		// The same retry asked for twice at once: one new execution.
		{"16-double-retry", doubleRetry, false},
		// Two dependencies end while their dependent is looked at: it runs once.
		{"17-dependencies-end-at-once", fanIn, false},
	}
}

func beforeCommit(c *cluster) {
	a, b := c.node("SCHED_FAILPOINTS=create.before=crash"), c.node()
	c.start(a, b)
	task := once(time.Second, nil, nil)
	_, err := a.try("POST", "/tasks", task, "Idempotency-Key", "k")
	require.Error(c.t, err)
	a.dies()
	require.Zero(c.t, c.count(`SELECT count(*) FROM tasks`))
	id := c.create(b, task, "Idempotency-Key", "k")
	c.settle(patience)
	require.Equal(c.t, first, c.only(id).ends())
}

func afterCommit(c *cluster) {
	a, b := c.node("SCHED_FAILPOINTS=create.after=crash"), c.node("SCHED_FAILPOINTS=submit.after=error")
	c.start(a, b)
	task := once(time.Second, nil, nil)
	_, err := a.try("POST", "/tasks", task, "Idempotency-Key", "k")
	require.Error(c.t, err)
	a.dies()
	id := c.create(b, task, "Idempotency-Key", "k")
	require.Equal(c.t, 1, c.count(`SELECT count(*) FROM tasks`))
	// The same for an execution, with an error instead of a death.
	hand := c.create(b, manual(nil, nil))
	r, err := b.try("POST", "/tasks/"+hand+"/execute", nil, "Idempotency-Key", "e")
	require.NoError(c.t, err)
	require.GreaterOrEqual(c.t, r.status, 500)
	require.Equal(c.t, 202, b.call(202, "POST", "/tasks/"+hand+"/execute", nil, "Idempotency-Key", "e").status)
	c.settle(patience)
	require.Equal(c.t, first, c.only(id).ends())
	require.Equal(c.t, first, c.only(hand).ends())
}

func insideThePlan(c *cluster) {
	a, b, other := c.node(), c.node(), c.node()
	c.start(a)
	task := c.create(a, once(time.Second, nil, nil))
	g := c.gate("UPDATE", "tasks")
	g.await()
	died := a.crash()
	g.turnAway()
	require.Zero(c.t, c.count(`SELECT count(*) FROM executions`))
	g.open()
	c.start(b, other)
	c.settle(patience)
	crash{attempts: first, effects: 1}.check(c, task, died)
}

func toldTwice(c *cluster) {
	told := c.listen()
	a, b, other := c.node("SCHED_FAILPOINTS=settle.before=crash"), c.node(), c.node()
	c.start(a)
	task := c.create(a, once(time.Second, nil, nil))
	a.dies()
	c.start(b, other)
	c.settle(patience)
	// It died with the first event that it told, which may be about its plugins.
	c.eventually("an event is told again", patience, func() bool {
		ids := told.ids()
		return len(ids) > len(slices.Compact(slices.Sorted(slices.Values(ids))))
	})
	c.eventually("the end is told", patience, func() bool { return len(told.of(c.only(task).id)) > 0 })
	for _, e := range told.of(c.only(task).id) {
		require.Equal(c.t, told.of(c.only(task).id)[0].ID, e.ID)
	}
	require.Len(c.t, c.outside.marks("effect", ""), 1)
}

func publishedTwice(c *cluster) {
	a, b, other := c.node("SCHED_FAILPOINTS=publish.after=error"), c.node(), c.node()
	c.start(a)
	task := c.create(a, once(time.Second, object{"afterMs": 2000}, nil))
	a.eventually("the confirm is lost", patience, func() bool { return strings.Contains(a.log.String(), "failpoint publish.after: error") })
	c.start(b, other)
	c.settle(patience)
	require.Equal(c.t, first, c.only(task).ends())
	require.Len(c.t, c.outside.marks("effect", ""), 1)
}

// killedAt is a row in which a node is killed when the outside world sees a
// mark, while two others live.
func killedAt(mark string, data object, want crash) func(c *cluster) {
	return func(c *cluster) {
		a, b, other := c.three()
		task := c.create(a, once(time.Second, data, want.more))
		c.eventually("the mark is made", patience, func() bool { return len(c.outside.marks(mark, "")) == 1 })
		died := time.Now()
		for _, n := range []*node{a, b, other} {
			if n.id == c.only(task).worker {
				died = n.crash()
			}
		}
		c.settle(patience)
		want.check(c, task, died)
		c.requireOneKey(c.only(task).id)
	}
}

// requireOneKey demands that the outside can tell that effects are the same.
func (c *cluster) requireOneKey(execution string) {
	c.t.Helper()
	keys := map[string]bool{}
	for _, e := range c.outside.marks("effect", execution) {
		keys[e.key] = true
	}
	require.Len(c.t, keys, 1)
}

func resultBeforeAck(c *cluster) {
	a, b, other := c.node("SCHED_FAILPOINTS=ack.before=sleep(60000)"), c.node(), c.node()
	c.start(a)
	task := c.create(a, once(time.Second, nil, nil))
	c.eventually("the result is stored", patience, func() bool {
		return c.count(`SELECT count(*) FROM task_history WHERE status = 'succeeded'`) == 1
	})
	died := a.crash()
	c.start(b, other)
	next := c.create(b, once(0, nil, nil)) // comes behind what is redelivered
	c.settle(patience)
	crash{attempts: first, effects: 1}.check(c, task, died)
	require.Equal(c.t, first, c.only(next).ends())
}

func insideTheCompletion(c *cluster) {
	a, b, other := c.node(), c.node(), c.node()
	c.start(a)
	g := c.gate("INSERT", "task_history")
	task := c.create(a, once(time.Second, nil, nil))
	g.await()
	died := a.crash()
	g.turnAway()
	require.Equal(c.t, 1, c.count(`SELECT count(*) FROM executions WHERE status = 'running'`))
	require.Zero(c.t, c.count(`SELECT count(*) FROM outbox`))
	g.open()
	c.start(b, other)
	c.settle(patience)
	crash{attempts: second, effects: 2}.check(c, task, died)
}

func cancelRace(c *cluster) {
	a, b, other := c.three()
	nodes := []*node{a, b, other}
	var all sync.WaitGroup
	for i := range 24 {
		task := c.create(a, manual(object{"afterMs": 40 * (i % 8)}, nil))
		all.Go(func() {
			n := nodes[i%3]
			r, err := n.try("POST", "/tasks/"+task+"/execute", nil)
			if err != nil || r.status != 202 {
				c.t.Errorf("execute: %v %v", err, r.body)
				return
			}
			id := r.body["id"].(string)
			c.promised("", id)
			wait(c.t.Context(), time.Duration(20*i)*time.Millisecond)
			r, err = nodes[(i+1)%3].try("POST", "/executions/"+id+"/cancel", nil)
			if err != nil || r.status != 200 && r.status != 409 {
				c.t.Errorf("cancel: %v %v", err, r.body)
			}
		})
	}
	all.Wait()
	c.settle(patience)
	ends := map[string]int{}
	for _, r := range c.records() {
		ends[r.status]++
		require.Contains(c.t, []string{"succeeded", "cancelled"}, r.status, "%v", r)
		require.LessOrEqual(c.t, len(r.attempts), 1, "%v", r)
	}
	c.t.Logf("%v", ends)
}

// wait waits, for a moment that is the point of a test.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func doubleRetry(c *cluster) {
	a, b, other := c.three()
	nodes := []*node{a, b, other}
	task := c.create(a, manual(object{"failures": 5, "afterMs": 2000}, object{"retryPolicy": object{"attempts": 1}}))
	failed := c.execute(a, task)
	c.settle(patience)
	var mu sync.Mutex
	answers := map[any]int{}
	var all sync.WaitGroup
	for i := range 9 {
		all.Go(func() {
			r, err := nodes[i%3].try("POST", "/history/"+failed+"/retry", nil)
			if err != nil {
				c.t.Errorf("retry: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[r.body["id"]]++
		})
	}
	all.Wait()
	c.settle(patience)
	require.Len(c.t, answers, 1, "everybody is told of the same execution")
	require.Len(c.t, c.records(task), 2)
}

func fanIn(c *cluster) {
	a, b, other := c.three()
	const rounds = 5
	var children []string
	for range rounds {
		x, y := c.create(a, manual(nil, nil)), c.create(a, manual(nil, nil))
		children = append(children, c.create(a, object{
			"name": "child", "type": "effect", "scheduleType": "dependency", "dependsOn": []string{x, y},
			"retryPolicy": object{"attempts": 5, "delay": 100},
		}))
		var both sync.WaitGroup
		both.Go(func() { _, _ = b.try("POST", "/tasks/"+x+"/execute", nil) })
		both.Go(func() { _, _ = other.try("POST", "/tasks/"+y+"/execute", nil) })
		both.Wait()
	}
	c.eventually("the children have run", patience, func() bool {
		return c.count(`SELECT count(*) FROM task_history WHERE trigger = 'dependency' AND status = 'succeeded'`) >= rounds
	})
	c.settle(patience)
	for _, child := range children {
		require.Equal(c.t, first, c.only(child).ends())
	}
}
