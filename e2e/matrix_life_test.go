package e2e

import (
	"net/http"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// brokerRows are the rows about RabbitMQ.
func brokerRows() []row {
	return []row{
		// RabbitMQ and Redis are away when the nodes start: they start, work by
		// polling, and use both when they come.
		{"28-brokers-down-at-start", downAtStart, false},
		// RabbitMQ is away for a while under load: work goes on by polling and
		// health says so.
		{"28-rabbitmq-down-under-load", brokerTrouble(func(n *node) { n.rabbitmq.Cut() }), false},
		{"28-rabbitmq-blackhole-under-load", brokerTrouble(func(n *node) { n.rabbitmq.Blackhole() }), false},
		// Somebody deletes the work queue, with what is in it.
		{"28-queue-deleted", queueDeleted, false},
		// The queue exists with other arguments: health says what to do, work goes on.
		{"28-queue-with-other-arguments", otherArguments, false},
		// The queue takes one bundle: what does not fit waits in the database.
		{"28-full-queue", fullQueue, false},
	}
}

// lifeRows are the rows about starting, stopping, migrating and plugins.
func lifeRows() []row {
	return []row{
		// SIGTERM while it runs, with less grace than it needs: handed back at once
		// without spending the attempt.
		{"31-sigterm-hands-back", handsBack, false},
		{"31-sigterm-hands-back-plain", handsBack, true},
		// SIGTERM while executions wait in the node's own queue: others take them.
		{"31-sigterm-leaves-a-queue-plain", leavesAQueue, true},
		// A second SIGTERM ends the node at once: as if it were killed.
		{"31-second-sigterm", secondSIGTERM, false},
		// SIGTERM while the node migrates and starts, at several moments.
		{"31-sigterm-while-starting", sigtermWhileStarting, false},
		// Killed in the middle of the migration: the next node migrates.
		{"32-migration-killed", migrationKilled, false},
		// Three nodes start on an empty database at once: one migrates.
		{"32-nodes-migrate-at-once", migrateAtOnce, false},
		// The plugin is replaced while it runs: the run ends with the old one, the
		// next runs with the new one.
		{"33-plugin-replaced", pluginReplaced, false},
		// The plugin is removed everywhere: what runs ends, what comes after fails
		// and says why.
		{"33-plugin-removed", pluginRemoved, false},
		// Ten thousand tasks are due in the same second: each runs once, and those
		// of the lowest priority are not left for last for ever.
		{"34-herd", herd, false},
	}
}

func downAtStart(c *cluster) {
	a, b, other := c.node(), c.node(), c.node()
	nodes := []*node{a, b, other}
	for _, n := range nodes {
		n.redis.Cut()
		n.rabbitmq.Cut()
	}
	c.start(nodes...)
	require.Equal(c.t, "degraded", a.call(200, "GET", "/health", nil).body["status"])
	c.load(nodes, 15, 0)
	c.runOn(a)
	for _, n := range nodes {
		n.redis.Heal()
		n.rabbitmq.Heal()
	}
	for _, n := range nodes {
		n.eventually("all is well", patience, func() bool {
			r, err := n.try("GET", "/health", nil)
			return err == nil && r.body["status"] == "ok"
		})
	}
	c.load(nodes, 15, 0)
	c.settle(patience)
}

func brokerTrouble(trouble func(n *node)) func(c *cluster) {
	return func(c *cluster) {
		a, b, other := c.three()
		nodes := []*node{a, b, other}
		second := c.create(a, every(nil, nil))
		c.load(nodes, 15, 0)
		for _, n := range nodes {
			trouble(n)
		}
		a.eventually("health says which queue is in use", patience, func() bool {
			check := a.check("queue")
			return check["status"] == "down" && check["details"].(object)["inUse"] == "memory"
		})
		require.Equal(c.t, "degraded", a.call(200, "GET", "/health", nil).body["status"])
		c.load(nodes, 15, 0)
		c.runOn(b)
		for _, n := range nodes {
			n.rabbitmq.Heal()
		}
		for _, n := range nodes {
			n.eventually("the queue is back", patience, func() bool { return n.check("queue")["status"] == "ok" })
		}
		c.load(nodes, 15, 0)
		c.pause(a, second)
		c.settle(patience)
	}
}

// channel opens a channel beside the proxies.
func (c *cluster) channel() *amqp.Channel {
	c.t.Helper()
	ch, err := c.broker.Channel()
	require.NoError(c.t, err)
	return ch
}

func queueDeleted(c *cluster) {
	a, b, other := c.three()
	nodes := []*node{a, b, other}
	ch := c.channel()
	for range 5 {
		c.load(nodes, 6, 0)
		_, err := ch.QueueDelete(c.prefix+".work.effect", false, false, false)
		require.NoError(c.t, err)
	}
	c.runOn(a)
	c.settle(patience)
}

func otherArguments(c *cluster) {
	name := c.prefix + ".work.effect"
	_, err := c.channel().QueueDeclare(name, true, false, false, false, amqp.Table{"x-max-length": 7})
	require.NoError(c.t, err)
	a, b, other := c.three()
	c.load([]*node{a, b, other}, 15, 0)
	c.runOn(a)
	require.Equal(c.t, "degraded", a.call(200, "GET", "/health", nil).body["status"])
	_, err = c.channel().QueueDelete(name, false, false, false)
	require.NoError(c.t, err)
	for _, n := range []*node{a, b, other} {
		n.eventually("the queue is right", patience, func() bool { return n.check("queue")["status"] == "ok" })
	}
	c.load([]*node{a, b, other}, 15, 0)
	c.settle(patience + time.Minute)
}

func fullQueue(c *cluster) {
	const small = "MAX_QUEUE_SIZE=1"
	a, b, other := c.node(small, "MAX_CONCURRENT_TASKS=2"), c.node(small, "MAX_CONCURRENT_TASKS=2"), c.node(small, "MAX_CONCURRENT_TASKS=2")
	c.start(a, b, other)
	due := time.Now().Add(2 * time.Second)
	for range 120 {
		c.create(a, once(0, object{"afterMs": 20}, object{"runAt": due}))
	}
	c.settle(patience)
	require.Equal(c.t, "ok", a.call(200, "GET", "/health", nil).body["status"])
}

// ownerOf waits until the one execution of a task has begun, and returns the
// node that runs it and the others.
func (c *cluster) ownerOf(task string) (owner *node, others []*node) {
	c.t.Helper()
	c.eventually("it runs", patience, func() bool { return len(c.outside.marks("begin", "")) == 1 })
	id := c.only(task).worker
	for _, n := range c.nodes {
		if n.id == id {
			owner = n
		} else {
			others = append(others, n)
		}
	}
	require.NotNil(c.t, owner, id)
	return owner, others
}

// sigterm tells a node to end.
func (n *node) sigterm() {
	n.t.Helper()
	require.NoError(n.t, n.cmd.Process.Signal(syscall.SIGTERM))
}

func handsBack(c *cluster) {
	const grace = "SHUTDOWN_GRACE=500"
	c.start(c.node(grace), c.node(grace), c.node(grace))
	task := c.create(c.nodes[0], once(time.Second, object{"begin": true, "beforeMs": 60_000}, nil))
	owner, others := c.ownerOf(task)
	c.acked.handedBack = 1
	since := time.Now()
	owner.sigterm()
	c.eventually("it begins elsewhere", 8*time.Second, func() bool { return len(c.outside.marks("begin", "")) == 2 }) // sooner than a lease ends
	require.NoError(c.t, owner.hasEnded(since, 15*time.Second))
	require.Equal(c.t, 1, c.only(task).attempt)
	others[0].call(200, "POST", "/tasks/"+task+"/cancel", nil)
	c.settle(patience)
}

func leavesAQueue(c *cluster) {
	a := c.node("SHUTDOWN_GRACE=500", "MAX_CONCURRENT_TASKS=1")
	c.start(a)
	c.create(a, once(time.Second, object{"begin": true, "beforeMs": 60_000}, object{"delivery": "at_most_once", "priority": 9}))
	c.ownerOf(c.acked.tasks[0])
	for range 5 {
		c.create(a, once(0, nil, nil))
	}
	c.eventually("its queue is full", patience, func() bool {
		return c.count(`SELECT count(*) FROM executions WHERE status = 'queued'`) == 2
	})
	c.start(c.node(), c.node())
	since := time.Now()
	a.sigterm()
	require.NoError(c.t, a.hasEnded(since, 15*time.Second))
	c.settle(takeover)
}

// hasEnded waits until a node that was told to end has ended.
func (n *node) hasEnded(since time.Time, within time.Duration) error {
	n.t.Helper()
	select {
	case <-n.gone:
	case <-time.After(time.Until(since.Add(within))):
		n.t.Fatalf("node %s has not ended within %s:\n%s", n.id, within, n.log)
	}
	n.cmd = nil
	return n.err
}

func secondSIGTERM(c *cluster) {
	c.three()
	task := c.create(c.nodes[0], once(time.Second, object{"begin": true, "beforeMs": 60_000}, nil))
	owner, _ := c.ownerOf(task)
	since := time.Now()
	owner.sigterm()
	owner.eventually("it drains", patience, func() bool {
		r, err := owner.try("GET", "/health/ready", nil)
		return err == nil && r.status == http.StatusServiceUnavailable
	})
	owner.sigterm()
	require.Error(c.t, owner.hasEnded(since, 10*time.Second))
	c.settle(patience)
	crash{attempts: second, effects: 1}.check(c, task, since)
}

func sigtermWhileStarting(c *cluster) {
	for _, after := range []time.Duration{0, 20, 60, 120, 180, 240} {
		n := c.node()
		n.launch()
		wait(c.t.Context(), after*time.Millisecond)
		n.sigterm()
		_ = n.hasEnded(time.Now(), 15*time.Second) // by the signal itself, when nobody listened to it yet
	}
	n := c.node()
	c.start(n)
	c.runOn(n)
	c.settle(patience)
}

func migrationKilled(c *cluster) {
	a := c.node()
	a.postgres.Slow(10 * time.Millisecond)
	a.launch()
	c.eventually("it migrates", patience, func() bool {
		return c.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND xact_start IS NOT NULL`) > 0
	})
	a.kill()
	b, other := c.node(), c.node()
	c.start(b, other)
	c.runOn(b)
	c.settle(patience)
}

func migrateAtOnce(c *cluster) {
	a, b, other := c.three()
	require.Zero(c.t, c.count(`SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version`))
	c.load([]*node{a, b, other}, 9, 0)
	c.settle(patience)
}

func pluginReplaced(c *cluster) {
	a := c.node()
	c.start(a)
	task := c.create(a, once(time.Second, object{"begin": true, "beforeMs": 2000}, nil))
	c.ownerOf(task)
	a.pluginsOf("effect", "noop", "other") // effect with another limit, so a new generation
	a.call(200, "POST", "/plugins/reload", nil)
	require.True(c.t, c.only(task).live, "the reload took too long for this test")
	c.runOn(a)
	c.settle(patience)
	require.Equal(c.t, first, c.only(task).ends())
}

func pluginRemoved(c *cluster) {
	a, b := c.node(), c.node()
	c.start(a, b)
	running := c.create(a, once(time.Second, object{"begin": true, "beforeMs": 3000}, nil))
	later := c.create(a, once(4*time.Second, nil, object{"retryPolicy": object{"attempts": 1}}))
	c.ownerOf(running)
	for _, n := range []*node{a, b} {
		n.pluginsOf("noop")
		n.call(200, "POST", "/plugins/reload", nil)
	}
	c.settle(patience + time.Minute)
	require.Equal(c.t, first, c.only(running).ends())
	require.Equal(c.t, "failed", c.only(later).status)
	require.Equal(c.t, "PLUGIN_UNAVAILABLE", c.only(later).code)
}

func herd(c *cluster) {
	const size = 10_000
	slots := "MAX_CONCURRENT_TASKS=50"
	a, b, other := c.node(slots), c.node(slots), c.node(slots)
	c.start(a, b, other)
	due := time.Now().Add(5 * time.Second)
	model := c.create(a, object{"name": "herd", "type": "noop", "runAt": due, "priority": 9})
	low := c.create(a, object{"name": "low", "type": "noop", "runAt": due, "priority": 0})
	_, err := c.db.Exec(`
		INSERT INTO tasks SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid()::text))).*
		FROM tasks t, generate_series(3, $2) WHERE t.id = $1`, model, size)
	require.NoError(c.t, err)
	c.settle(3 * time.Minute)
	require.Equal(c.t, size, c.count(`SELECT count(*) FROM task_history WHERE status = 'succeeded'`))
	require.Equal(c.t, size, c.count(`SELECT count(DISTINCT task_id) FROM task_history`))
	took := c.count(`SELECT (extract(epoch FROM max(end_time) - min(nominal_time)) * 1000)::int FROM task_history`)
	slow := c.count(`SELECT (extract(epoch FROM start_time - nominal_time) * 1000)::int FROM task_history WHERE task_id = $1`, low)
	c.t.Logf("%d executions took %d ms; the lowest priority started after %d ms", size, took, slow)
	require.Less(c.t, slow, 100_000, "ninety seconds are the most that it may be overtaken for")
}
