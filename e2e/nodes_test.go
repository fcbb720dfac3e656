package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// withAndWithout runs a test on all services and on Postgres alone.
func withAndWithout(t *testing.T, test func(t *testing.T, c *cluster)) {
	t.Parallel() // they mostly wait
	for name, plain := range map[string]bool{"all services": false, "postgres alone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.plain = plain
			test(t, c)
		})
	}
}

func TestTwoNodesShareTheWork(t *testing.T) {
	withAndWithout(t, func(t *testing.T, c *cluster) {
		const slots, size = "MAX_CONCURRENT_TASKS=3", 60
		a, b := c.node(slots), c.node(slots)
		c.start(a, b)
		due := time.Now().Add(2 * time.Second)
		for range size {
			c.create(a, once(0, object{"afterMs": 100}, object{"runAt": due}))
		}
		c.settle(patience)
		ran := map[string]int{}
		for _, r := range c.records() {
			ran[r.worker]++
		}
		t.Logf("%v", ran)
		require.GreaterOrEqual(t, ran["a"], size/5)
		require.GreaterOrEqual(t, ran["b"], size/5)
	})
}

func TestATypeRunsOnlyWhereItIsLoaded(t *testing.T) {
	withAndWithout(t, func(t *testing.T, c *cluster) {
		a, b := c.node(), c.node()
		b.pluginsOf("effect", "noop", "other")
		c.start(b, a)
		a.knows("b")
		due := time.Now().Add(time.Second)
		for i := range 40 {
			c.create(b, object{"name": "x", "type": []string{"other", "noop"}[i%2], "runAt": due})
		}
		c.settle(patience)
		ran := map[string]int{}
		for _, r := range c.records() {
			require.Equal(t, "succeeded", r.status, "%v", r)
			ran[r.kind+" on "+r.worker]++
		}
		t.Logf("%v", ran)
		require.Equal(t, 20, ran["other on b"])
	})
}

// knows waits until a node lists another one with its plugins.
func (n *node) knows(other string) {
	n.t.Helper()
	n.eventually("node "+n.id+" knows of "+other, patience, func() bool {
		for _, item := range n.call(200, "GET", "/nodes", nil).body["items"].([]any) {
			if item.(object)["id"] == other {
				return len(item.(object)["plugins"].([]any)) > 0
			}
		}
		return false
	})
}

func TestATypeThatNobodyHasFailsAndSaysWhy(t *testing.T) {
	withAndWithout(t, func(t *testing.T, c *cluster) {
		a, b := c.node(), c.node()
		b.pluginsOf("effect", "noop", "other")
		c.start(a, b)
		task := c.create(b, object{"name": "x", "type": "other", "runAt": time.Now().Add(4 * time.Second), "retryPolicy": object{"attempts": 1}})
		require.NoError(t, b.terminate())
		c.settle(patience + time.Minute)
		e := c.only(task)
		require.Equal(t, "failed", e.status, "%v", e)
		require.Equal(t, "PLUGIN_UNAVAILABLE", e.code)
		require.Equal(t, "a", e.worker)
	})
}

func TestPostgresIsAwayForTenSeconds(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, b, other := c.three()
	nodes := []*node{a, b, other}
	second := c.create(a, every(nil, nil))
	for i := range 10 {
		c.create(b, once(time.Duration(1+i)*time.Second, nil, nil))
	}
	since := time.Now()
	for _, n := range nodes {
		n.postgres.Blackhole()
	}
	for _, n := range nodes {
		asked := time.Now()
		r := n.call(503, "GET", "/health", nil)
		require.Equal(t, "down", r.body["checks"].(object)["database"].(object)["status"])
		require.Less(t, time.Since(asked), 5*time.Second, "the answer came late")
	}
	for _, n := range nodes { // now it refuses connections
		n.postgres.Heal()
		n.postgres.Cut()
	}
	for _, n := range nodes {
		r := n.call(503, "GET", "/tasks?limit=1", nil)
		require.Equal(t, "UNAVAILABLE", r.body["error"].(object)["code"])
		n.call(200, "GET", "/health/live", nil)
	}
	wait(t.Context(), time.Until(since.Add(10*time.Second)))
	for _, n := range nodes {
		n.postgres.Heal()
	}
	for _, n := range nodes {
		n.eventually("it is ready again", patience, func() bool {
			r, err := n.try("GET", "/health/ready", nil)
			return err == nil && r.status == 200
		})
	}
	c.runOn(b)
	c.eventually("it runs each second again", patience, func() bool {
		all := c.records(second)
		return len(all) > 12 && time.Since(all[len(all)-1].nominal) < 3*time.Second
	})
	c.pause(a, second)
	c.settle(patience)
}

func TestNodesAreListedAndForgotten(t *testing.T) {
	withAndWithout(t, func(t *testing.T, c *cluster) {
		a, b, other := c.three()
		list := func() []string {
			var ids []string
			for _, item := range a.call(200, "GET", "/nodes", nil).body["items"].([]any) {
				ids = append(ids, item.(object)["id"].(string))
			}
			return ids
		}
		a.eventually("all are listed", patience, func() bool { return len(list()) == 3 })
		for _, item := range a.call(200, "GET", "/nodes", nil).body["items"].([]any) {
			n := item.(object)
			require.Len(t, n["plugins"], 2)
			require.EqualValues(t, 10, n["load"].(object)["slots"])
		}
		require.NoError(t, b.terminate())
		require.Equal(t, []string{"a", "c"}, list(), "who leaves is forgotten at once")
		killed := other.crash()
		a.eventually("who was killed is forgotten", patience, func() bool { return len(list()) == 1 })
		require.Less(t, time.Since(killed), 32*time.Second)
	})
}

// Every end of an execution is told as a CloudEvent, with one id however often.
func TestEventsAreTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	told := c.listen()
	a, b, other := c.three()
	c.load([]*node{a, b, other}, 12, 0)
	other.crash()
	failing := c.create(a, manual(object{"failures": 9}, object{"retryPolicy": object{"attempts": 1}}))
	c.execute(b, failing)
	c.settle(patience)
	for _, r := range c.records() {
		c.eventually("the end is told", patience, func() bool { return len(told.of(r.id)) > 0 })
		ids := map[string]bool{}
		for _, e := range told.of(r.id) {
			ids[e.ID] = true
			require.Equal(t, "1.0", e.SpecVersion)
			require.Equal(t, "application/cloudevents+json", e.contentType)
			require.Equal(t, "/nexuscore/scheduler", e.Source)
			require.Equal(t, "nexuscore.execution."+r.status, e.Type)
		}
		require.Len(t, ids, 1, "%v", told.of(r.id))
	}
}

// command sends a message to the commands queue and returns the reply.
func (c *cluster) command(name, key string, body any) (status int, answer object) {
	c.t.Helper()
	ch := c.channel()
	defer func() { require.NoError(c.t, ch.Close()) }()
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(c.t, err)
	replies, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(c.t, err)
	raw, err := json.Marshal(body)
	require.NoError(c.t, err)
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	message := amqp.Publishing{Type: name, MessageId: key, CorrelationId: key, ReplyTo: q.Name, Body: raw, DeliveryMode: amqp.Persistent}
	for end := time.After(patience); ; {
		require.NoError(c.t, ch.PublishWithContext(c.t.Context(), "", c.prefix+".commands", true, false, message))
		select {
		case <-returns: // no node has made the queue yet
			wait(c.t.Context(), 50*time.Millisecond)
		case d := <-replies:
			require.Equal(c.t, key, d.CorrelationId)
			var got struct {
				Status int
				Body   object
			}
			require.NoError(c.t, json.Unmarshal(d.Body, &got))
			return got.Status, got.Body
		case <-end:
			c.t.Fatalf("no reply to %s", name)
		}
	}
}

func TestCommandsByMessage(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, b, _ := c.three()
	status, task := c.command("create_task", "k1", manual(nil, nil))
	require.Equal(t, 201, status, "%v", task)
	id := task["id"].(string)
	c.promised(id, "")
	status, again := c.command("create_task", "k1", manual(nil, nil))
	require.Equal(t, 201, status)
	require.Equal(t, id, again["id"], "the same key gives the same task")
	require.Equal(t, id, a.call(200, "GET", "/tasks/"+id, nil).body["id"])

	for i := range 2 {
		status, e := c.command("execute_task", "k2", object{"id": id})
		require.Equal(t, 202, status, "%v", e)
		c.promised("", e["id"].(string))
		require.Equal(t, c.acked.executions[0], e["id"], "time %d", i)
	}
	// What REST refuses is refused here, with the same envelope.
	bad := object{"name": "x", "type": "effect", "cronExpression": "no cron"}
	status, refusal := c.command("create_task", "k3", bad)
	rest := b.call(422, "POST", "/tasks", bad)
	require.Equal(t, rest.status, status)
	require.Equal(t, withoutMoment(rest.body), withoutMoment(refusal))
	status, refusal = c.command("invent_task", "k4", bad)
	require.Equal(t, 404, status)
	require.Equal(t, "NOT_FOUND", refusal["error"].(object)["code"])
	c.settle(patience)
	require.Len(t, c.records(id), 1)
}

// withoutMoment is an error envelope without what differs each time.
func withoutMoment(envelope object) string {
	e := envelope["error"].(object)
	details := e["details"].(object)
	delete(details, "requestId")
	return fmt.Sprint(e["code"], e["message"], details)
}
