package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outsideRows are the rows about plugins that misbehave, nodes that freeze and a
// database that does.
func outsideRows() []row {
	return []row{
		// Modules that loop, recurse, take memory, and flood: each ends at its limit,
		// its neighbours run on time and the nodes are well.
		{"21-hostile-modules", hostileModules, false},
		// Frozen for longer than its lease and thawed, before and after the effect:
		// it runs elsewhere, and what the zombie writes changes nothing.
		{"22-frozen-before-the-effect", frozenAt("begin", object{"begin": true, "beforeMs": 3000}), false},
		{"22-frozen-after-the-effect", frozenAt("effect", object{"afterMs": 3000}), false},
		{"22-frozen-after-the-effect-plain", frozenAt("effect", object{"afterMs": 3000}), true},
		// Thawed while the second attempt runs: the first one's result is refused, and
		// the second one is not disturbed.
		{"22-thawed-beside-the-second-attempt", thawedBeside, false},
		// Postgres ends all sessions again and again: requests succeed or are
		// refused with UNAVAILABLE, and each task runs once.
		{"23-sessions-ended", sessionsEnded, false},
		// Postgres is gone for three seconds, as by a restart.
		{"23-postgres-restarts", postgresRestarts, false},
		// The answer of a commit is lost: request, plan, claim and completion.
		{"24-answers-of-commits-lost", answersLost, false},
		// The connection is cut while the plan is being committed.
		{"24-cut-inside-a-commit", cutInsideACommit, false},
		// Postgres takes no writes: not ready, nothing is claimed; it recovers alone.
		{"25-postgres-takes-no-writes", takesNoWrites, false},
		// Somebody locks the hot table: it waits or tries again, and nothing is lost.
		{"26-locked-table", lockedTable, false},
		// Redis is cut off, hangs, or forgets everything.
		{"27-redis-cut", redisTrouble(func(n *node) { n.redis.Cut() }), false},
		{"27-redis-blackhole", redisTrouble(func(n *node) { n.redis.Blackhole() }), false},
		{"27-redis-flushed", redisFlushed, false},
		// One node does not reach the database: the others take its work over.
		{"29-cut-off-from-the-database", withoutDatabase, false},
		// One node does not reach the broker: it goes on by polling.
		{"29-cut-off-from-the-broker", withoutBroker, false},
	}
}

func hostileModules(c *cluster) {
	a, b := c.node(), c.node()
	for _, n := range []*node{a, b} {
		n.writePlugins(effectPlugin + "  - {type: guest, runtime: wasm, source: guest.wasm, limits: " +
			"{memory: 32MiB, timeout: 30s, cpu: 1s, output: 64KiB, logs: 16KiB, logLines: 1000, hostCalls: 50}}\n")
	}
	c.start(a, b)
	neighbour := c.create(a, every(nil, nil))
	want := map[string]string{}
	for _, h := range []struct {
		order object
		code  string
	}{
		{object{"do": "loop"}, "PLUGIN_CPU_LIMIT"},
		{object{"do": "recurse", "n": 60}, "PLUGIN_CPU_LIMIT"},
		{object{"do": "deadlock"}, "TIMEOUT"},
		{object{"do": "memory", "n": 200}, "PLUGIN_MEMORY_LIMIT"},
		{object{"do": "output", "n": 1 << 20}, "PLUGIN_OUTPUT_LIMIT"},
		{object{"do": "log", "text": "flood", "n": 5_000}, "PLUGIN_LOG_LIMIT"},
		{object{"do": "call", "text": "config", "n": 1000}, "PLUGIN_CALL_LIMIT"},
		{object{"do": "panic", "text": "now"}, "PLUGIN_TRAP"},
	} {
		for _, n := range []*node{a, b} {
			task := c.create(n, object{"name": "hostile", "type": "guest", "scheduleType": "manual", "data": h.order, "retryPolicy": object{"attempts": 1}})
			want[c.execute(n, task)] = h.code
		}
	}
	c.eventually("the hostile ones have ended", patience, func() bool {
		return c.count(`SELECT count(*) FROM task_history WHERE type = 'guest'`) == len(want)
	})
	for _, n := range []*node{a, b} {
		require.Equal(c.t, "ok", n.call(200, "GET", "/health", nil).body["status"])
	}
	c.pause(a, neighbour)
	c.settle(patience)
	for _, r := range c.records() {
		if r.kind == "guest" {
			require.Equal(c.t, want[r.id], r.code, "%v", r)
			continue
		}
		require.Less(c.t, r.attempts[0].StartTime.Sub(r.nominal), 3*time.Second, "the neighbour was late: %v", r)
	}
}

// pause ends a recurring task.
func (c *cluster) pause(n *node, task string) {
	c.t.Helper()
	n.call(200, "POST", "/tasks/"+task+"/pause", object{"reason": "the test ends"})
}

// frozenAt is a row in which the node that runs the execution is frozen when
// the outside sees a mark, until another node has ended it.
func frozenAt(mark string, data object) func(c *cluster) {
	return func(c *cluster) {
		nodes := make([]*node, 3)
		nodes[0], nodes[1], nodes[2] = c.three()
		task := c.create(nodes[0], once(time.Second, data, nil))
		c.eventually("the mark is made", patience, func() bool { return len(c.outside.marks(mark, "")) == 1 })
		owner := c.only(task).worker
		i := slices.IndexFunc(nodes, func(n *node) bool { return n.id == owner })
		frozen := nodes[i]
		frozen.stop()
		since := time.Now()
		c.eventually("it has ended elsewhere", patience, func() bool { return !c.only(task).live })
		before := c.only(task)
		crash{attempts: second, effects: len(c.outside.marks("effect", before.id))}.check(c, task, since)
		frozen.resume()
		frozen.eventually("the zombie has dropped it", patience, func() bool { return frozen.running() == 0 })
		require.Equal(c.t, before, c.only(task), "the zombie has written")
		c.settle(patience)
		for _, e := range c.outside.marks("effect", before.id) {
			require.Contains(c.t, []int{1, 2}, e.Attempt)
		}
		c.runOn(frozen) // it goes on working
	}
}

func thawedBeside(c *cluster) {
	nodes := make([]*node, 3)
	nodes[0], nodes[1], nodes[2] = c.three()
	const later = 4 * time.Second
	task := c.create(nodes[0], once(time.Second, object{"afterMs": 3000, "laterMs": later.Milliseconds()}, nil))
	c.eventually("the first effect", patience, func() bool { return len(c.outside.marks("effect", "")) == 1 })
	owner := c.only(task).worker
	frozen := nodes[slices.IndexFunc(nodes, func(n *node) bool { return n.id == owner })]
	frozen.stop()
	c.eventually("the second effect", patience, func() bool { return len(c.outside.marks("effect", "")) == 2 })
	frozen.resume()
	frozen.eventually("the zombie has dropped it", later, func() bool { return frozen.running() == 0 })
	c.settle(patience)
	e := c.only(task)
	require.Equal(c.t, second, e.ends())
	require.NotEqual(c.t, owner, e.worker)
	require.GreaterOrEqual(c.t, e.attempts[1].EndTime.Sub(e.attempts[1].StartTime), later)
}

// running is how many executions a node runs.
func (n *node) running() int {
	n.t.Helper()
	r, err := n.try("GET", "/health", nil)
	if err != nil {
		return -1
	}
	return int(r.body["checks"].(object)["executor"].(object)["details"].(object)["running"].(float64))
}

// check is a part of a node's health page.
func (n *node) check(part string) object {
	n.t.Helper()
	r, err := n.try("GET", "/health", nil)
	require.NoError(n.t, err)
	return r.body["checks"].(object)[part].(object)
}

// runOn demands that a node carries a request out.
func (c *cluster) runOn(n *node) {
	c.t.Helper()
	task := c.create(n, manual(nil, nil))
	e := n.call(200, "POST", "/tasks/"+task+"/execute?wait=30s", nil).body
	require.Equal(c.t, "succeeded", e["status"])
	c.promised("", e["id"].(string))
}

// load creates once tasks on all nodes for a while, each request repeated with
// its key until it is answered. It returns how often which status was answered.
func (c *cluster) load(nodes []*node, n int, pause time.Duration) map[int]int {
	c.t.Helper()
	statuses := map[int]int{}
	for i := range n {
		task := once(time.Duration(i%10)*100*time.Millisecond, nil, nil)
		c.requests++
		key := fmt.Sprintf("load-%d", c.requests)
		c.eventually("a request is answered", patience, func() bool {
			r, err := nodes[i%len(nodes)].try("POST", "/tasks", task, "Idempotency-Key", key)
			if err != nil {
				return false
			}
			statuses[r.status]++
			if r.status == http.StatusCreated {
				c.promised(r.body["id"].(string), "")
			}
			return r.status == http.StatusCreated
		})
		wait(c.t.Context(), pause)
	}
	return statuses
}

func sessionsEnded(c *cluster) {
	a, b, other := c.three()
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(300 * time.Millisecond):
				c.endSessions()
			}
		}
	}()
	statuses := c.load([]*node{a, b, other}, 60, 50*time.Millisecond)
	close(done)
	<-ended
	c.settle(patience)
	requireClean(c.t, statuses)
}

// requireClean demands that requests were carried out or refused for now. An
// internal error stands for a commit whose answer was lost, which is rare.
func requireClean(t testing.TB, statuses map[int]int) {
	t.Helper()
	for status := range statuses {
		require.Contains(t, []int{201, 500, 503}, status, "%v", statuses)
	}
	require.LessOrEqual(t, statuses[500], 3, "%v", statuses)
}

// endSessions ends all sessions of the nodes, in the middle of what they do.
func (c *cluster) endSessions() {
	if _, err := c.db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'nexuscore-scheduler'`); err != nil {
		c.t.Errorf("end sessions: %v", err)
	}
}

func postgresRestarts(c *cluster) {
	a, b, other := c.three()
	nodes := []*node{a, b, other}
	second := c.create(a, every(nil, nil))
	time.AfterFunc(time.Second, func() {
		for _, n := range nodes {
			n.postgres.Cut()
		}
	})
	time.AfterFunc(4*time.Second, func() {
		for _, n := range nodes {
			n.postgres.Heal()
		}
	})
	statuses := c.load(nodes, 60, 50*time.Millisecond)
	requireClean(c.t, statuses)
	require.Positive(c.t, statuses[503], "it was not noticed")
	c.eventually("it runs each second again", patience, func() bool {
		all := c.records(second)
		return len(all) > 8 && time.Since(all[len(all)-1].nominal) < 3*time.Second
	})
	c.pause(a, second)
	c.settle(patience)
}

func answersLost(c *cluster) {
	a := c.node("SCHED_FAILPOINTS=create.after=error,plan.after=error")
	b := c.node("SCHED_FAILPOINTS=claim.after=error,plan.after=error@2")
	other := c.node("SCHED_FAILPOINTS=finish.after=error,plan.after=error")
	c.start(a, b, other)
	statuses := c.load([]*node{a, b, other}, 45, 20*time.Millisecond)
	c.settle(patience + 2*time.Minute)
	requireClean(c.t, statuses)
	for _, r := range c.records() {
		require.Equal(c.t, "succeeded", r.status, "%v", r)
	}
	require.Contains(c.t, a.log.String(), "failpoint create.after")
}

func cutInsideACommit(c *cluster) {
	a, b, other := c.node(), c.node(), c.node()
	c.start(a)
	task := c.create(a, once(time.Second, nil, nil))
	g := c.gate("UPDATE", "tasks")
	g.await()
	a.postgres.Cut() // the transaction ends either way, and nobody tells the node
	g.open()
	c.start(b, other)
	a.postgres.Heal()
	c.settle(patience)
	require.Equal(c.t, "succeeded", c.only(task).status)
}

func takesNoWrites(c *cluster) {
	a, b, other := c.three()
	task := c.create(a, once(3*time.Second, nil, nil))
	// What a full disk does to every write, without filling one.
	_, err := c.db.Exec(`
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			RAISE 'could not extend file' USING ERRCODE = 'disk_full';
		END $$;
		CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON tasks FOR EACH STATEMENT EXECUTE FUNCTION refuse();
		CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON executions FOR EACH STATEMENT EXECUTE FUNCTION refuse()`)
	require.NoError(c.t, err)
	r, err := b.try("POST", "/tasks", once(0, nil, nil))
	require.NoError(c.t, err)
	require.Equal(c.t, 503, r.status, "%v", r.body)
	c.eventually("no node is ready", patience, func() bool {
		for _, n := range []*node{a, b, other} {
			r, err := n.try("GET", "/health/ready", nil)
			if err != nil || r.status != 503 {
				return false
			}
		}
		return true
	})
	require.Empty(c.t, c.records(task))
	_, err = c.db.Exec(`DROP FUNCTION refuse() CASCADE`)
	require.NoError(c.t, err)
	c.settle(patience)
	c.eventually("all nodes are ready", patience, func() bool {
		r, err := a.try("GET", "/health/ready", nil)
		return err == nil && r.status == 200
	})
}

func lockedTable(c *cluster) {
	a, b, other := c.three()
	tx, err := c.db.Begin()
	require.NoError(c.t, err)
	_, err = tx.Exec(`LOCK TABLE executions IN ACCESS EXCLUSIVE MODE`)
	require.NoError(c.t, err)
	unlocked := make(chan error, 1)
	time.AfterFunc(6*time.Second, func() { unlocked <- tx.Commit() })
	statuses := c.load([]*node{a, b, other}, 20, 0)
	require.NoError(c.t, <-unlocked)
	c.settle(patience)
	requireClean(c.t, statuses)
}

// redisTrouble is a row in which Redis is lost for all nodes at once, in the
// middle of work that is limited, exclusive and due each second.
func redisTrouble(trouble func(n *node)) func(c *cluster) {
	return func(c *cluster) {
		a, b, other := c.three()
		nodes := []*node{a, b, other}
		second := c.create(a, every(nil, nil))
		var limited []string
		for range 20 {
			limited = append(limited, c.create(a, once(time.Second, nil, object{"rateLimit": object{"key": "shared", "limit": 3, "perMs": 1000}})))
		}
		wait(c.t.Context(), 2*time.Second)
		for _, n := range nodes {
			trouble(n)
		}
		a.eventually("health says who does its work", patience, func() bool {
			check := a.check("redis")
			return check["status"] == "down" && check["details"].(object)["inUse"] == "postgres"
		})
		require.Equal(c.t, "degraded", a.call(200, "GET", "/health", nil).body["status"])
		c.runOn(b)
		c.eventually("the limited ones have run", patience, func() bool {
			return !slices.ContainsFunc(limited, func(id string) bool { all := c.records(id); return len(all) == 0 || all[0].live })
		})
		for _, n := range nodes {
			n.redis.Heal()
		}
		a.eventually("health is well again", patience, func() bool { return a.check("redis")["status"] == "ok" })
		c.runOn(b)
		c.pause(a, second)
		c.settle(patience)
		c.requireRate(limited, 3)
	}
}

// requireRate demands of executions that at most limit of them started in a
// second, and once as many more for the change of sides.
func (c *cluster) requireRate(tasks []string, limit int) {
	c.t.Helper()
	var starts []time.Time
	for _, r := range c.records(tasks...) {
		starts = append(starts, r.attempts[0].StartTime)
	}
	slices.SortFunc(starts, time.Time.Compare)
	took := starts[len(starts)-1].Sub(starts[0])
	require.LessOrEqual(c.t, len(starts), int(float64(limit)*(took.Seconds()+1))+limit, "%d started within %s", len(starts), took)
}

func redisFlushed(c *cluster) {
	a, b, other := c.three()
	c.create(a, manual(nil, nil))
	second := c.create(a, every(object{"afterMs": 1500}, object{"overlap": "queue_all", "concurrencyKey": "k"}))
	for range 8 {
		wait(c.t.Context(), 500*time.Millisecond)
		c.flush()
	}
	c.runOn(b)
	c.runOn(other)
	c.pause(a, second)
	c.settle(patience)
	c.requireNoOverlap(second)
}

// requireNoOverlap demands that no two executions of a task ran at once.
func (c *cluster) requireNoOverlap(task string) {
	c.t.Helper()
	all := c.records(task)
	slices.SortFunc(all, func(a, b record) int { return a.attempts[0].StartTime.Compare(b.attempts[0].StartTime) })
	for i := 1; i < len(all); i++ {
		require.False(c.t, all[i].attempts[0].StartTime.Before(all[i-1].attempts[0].EndTime), "at once: %v and %v", all[i-1], all[i])
	}
}

func withoutDatabase(c *cluster) {
	nodes := make([]*node, 3)
	nodes[0], nodes[1], nodes[2] = c.three()
	task := c.create(nodes[0], once(time.Second, object{"begin": true, "beforeMs": 60_000}, nil))
	c.eventually("it runs", patience, func() bool { return len(c.outside.marks("begin", "")) == 1 })
	owner := c.only(task).worker
	lonely := nodes[slices.IndexFunc(nodes, func(n *node) bool { return n.id == owner })]
	lonely.postgres.Cut()
	since := time.Now()
	lonely.eventually("health says so", patience, func() bool {
		r, err := lonely.try("GET", "/health", nil)
		return err == nil && r.status == 503 && r.body["checks"].(object)["database"].(object)["status"] == "down"
	})
	require.Equal(c.t, 503, lonely.call(503, "GET", "/tasks", nil).status)
	c.settle(patience)
	crash{attempts: second, effects: 1}.check(c, task, since)
	lonely.postgres.Heal()
	lonely.eventually("it has dropped its run", patience, func() bool { return lonely.running() == 0 })
	lonely.eventually("it is well again", patience, func() bool {
		r, err := lonely.try("GET", "/health/ready", nil)
		return err == nil && r.status == 200
	})
	c.runOn(lonely)
	require.Len(c.t, c.outside.marks("effect", c.only(task).id), 1)
}

func withoutBroker(c *cluster) {
	a, b, other := c.three()
	a.rabbitmq.Cut()
	a.eventually("health says so", patience, func() bool {
		check := a.check("queue")
		return check["status"] == "down" && strings.Contains(fmt.Sprint(check["details"]), "memory")
	})
	require.Equal(c.t, "degraded", a.call(200, "GET", "/health", nil).body["status"])
	require.Equal(c.t, "ok", b.call(200, "GET", "/health", nil).body["status"])
	c.load([]*node{a, b, other}, 30, 0)
	c.runOn(a)
	a.rabbitmq.Heal()
	a.eventually("it is well again", patience, func() bool { return a.check("queue")["status"] == "ok" })
	c.runOn(a)
	c.settle(patience)
}
