package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/faultproxy"
)

// cluster is a database, a prefix and an outside world of a test's own, with the
// nodes that work on them. The test looks at the services beside the proxies
// that its nodes go through.
type cluster struct {
	t       testing.TB
	url     string // of the database
	db      *sql.DB
	broker  *amqp.Connection
	cache   *redis.Client
	prefix  string // of names in RabbitMQ and Redis
	plain   bool   // the nodes have the database and nothing else
	outside *journal
	nodes   []*node

	requests int // that load has made, for their keys

	mu    sync.Mutex
	acked acknowledged
}

// acknowledged is what the service has promised.
type acknowledged struct {
	tasks      []string
	executions []string
	handedBack int // attempts that ended without being counted: nodes were told to stop, or limits put work off
}

// node is one process of the service, with a proxy before each service it uses.
type node struct {
	*service
	id                        string
	postgres, redis, rabbitmq *faultproxy.Proxy
}

// toOutside lets a plugin reach what stands for the outside world.
const toOutside = `config: {outside: "${NOTIFICATION_SERVICE_URL}"}, grants: {http: ["POST ${NOTIFICATION_SERVICE_URL}/**"], privateNetworks: [127.0.0.1/32]}`

const effectPlugin = `plugins:
  - {type: effect, runtime: wasm, source: effect.wasm, limits: {concurrency: 200}, ` + toOutside + `}
  - {type: noop, runtime: wasm, source: noop.wasm, limits: {concurrency: 200}}
`

// patience is how long a test waits for what must happen, on a busy machine.
const patience = time.Minute

// takeover is the promise about executions whose node is gone.
const takeover = 15 * time.Second

// serviceURL is the address of a server that the test command has started.
func serviceURL(t testing.TB, name string) string {
	t.Helper()
	address := os.Getenv(name)
	if address == "" && testing.Short() {
		t.Skip("needs Postgres, Redis and RabbitMQ")
	}
	require.NotEmpty(t, address, "%s is not set; use make test, which starts the servers", name)
	return address
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	server := serviceURL(t, "TEST_DATABASE_URL")
	id := strings.ReplaceAll(core.NewID(), "-", "")
	c := &cluster{t: t, prefix: "e2e-" + id[len(id)-16:], outside: newJournal(t)}
	admin, err := sql.Open("postgres", server)
	require.NoError(t, err)
	_, err = admin.Exec(`CREATE DATABASE "` + c.prefix + `"`)
	require.NoError(t, err)
	c.url = changed(t, server, func(u *url.URL) { u.Path = "/" + c.prefix })
	c.db, err = sql.Open("postgres", c.url)
	require.NoError(t, err)
	c.broker, err = amqp.Dial(serviceURL(t, "TEST_RABBITMQ_URL"))
	require.NoError(t, err)
	options, err := redis.ParseURL(serviceURL(t, "TEST_REDIS_URL"))
	require.NoError(t, err)
	c.cache = redis.NewClient(options)
	t.Cleanup(func() {
		c.clean()
		require.NoError(t, c.db.Close())
		_, err := admin.Exec(`DROP DATABASE "` + c.prefix + `" WITH (FORCE)`)
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	return c
}

// changed is a URL with a part of it changed.
func changed(t testing.TB, address string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	change(u)
	return u.String()
}

// clean removes what the nodes have left at the servers.
func (c *cluster) clean() {
	c.flush()
	require.NoError(c.t, c.cache.Close())
	ch, err := c.broker.Channel()
	require.NoError(c.t, err)
	for _, name := range []string{"work.effect", "work.noop", "work.guest", "work.other", "work-dead", "commands", "commands.retry", "commands.dead"} {
		_, err := ch.QueueDelete(c.prefix+"."+name, false, false, false)
		require.NoError(c.t, err)
	}
	for _, name := range []string{"dead", "events"} {
		require.NoError(c.t, ch.ExchangeDelete(c.prefix+"."+name, false, false))
	}
	require.NoError(c.t, c.broker.Close())
}

// flush forgets everything that the cluster has in Redis.
func (c *cluster) flush() {
	ctx := context.Background() // the test's own has ended when its things are removed
	keys, err := c.cache.Keys(ctx, c.prefix+"*").Result()
	require.NoError(c.t, err)
	if len(keys) > 0 {
		require.NoError(c.t, c.cache.Del(ctx, keys...).Err())
	}
}

// node adds a node that is not started. env are variables such as "PORT=1".
func (c *cluster) node(env ...string) *node {
	c.t.Helper()
	n := &node{id: string(rune('a' + len(c.nodes)))}
	env = append([]string{"LOG_LEVEL=info", "LOG_FORMAT=text", "NODE_ID=" + n.id, "QUEUE_PREFIX=" + c.prefix, "MAINTENANCE_INTERVAL=1000",
		"NOTIFICATION_SERVICE_URL=" + c.outside.URL}, env...)
	proxied := func(name, address, port string) *faultproxy.Proxy {
		var p *faultproxy.Proxy
		address = changed(c.t, address, func(u *url.URL) {
			if u.Port() == "" {
				u.Host = net.JoinHostPort(u.Hostname(), port)
			}
			var err error
			p, err = faultproxy.Start(u.Host)
			require.NoError(c.t, err)
			u.Host = p.Addr()
		})
		c.t.Cleanup(func() { require.NoError(c.t, p.Close()) })
		env = append(env, name+"="+address)
		return p
	}
	n.postgres = proxied("DATABASE_URL", c.url, "5432")
	if !c.plain {
		n.redis = proxied("REDIS_URL", serviceURL(c.t, "TEST_REDIS_URL"), "6379")
		n.rabbitmq = proxied("RABBITMQ_URL", serviceURL(c.t, "TEST_RABBITMQ_URL"), "5672")
	}
	n.service = newService(c.t, env...)
	n.program = "scheduler-failpoints"
	n.writePlugins(effectPlugin)
	c.nodes = append(c.nodes, n)
	return n
}

// start starts nodes at the same time and waits until all are ready.
func (c *cluster) start(nodes ...*node) {
	c.t.Helper()
	for _, n := range nodes {
		n.launch()
	}
	for _, n := range nodes {
		n.awaitReady()
	}
}

// three starts a cluster of three nodes.
func (c *cluster) three() (a, b, other *node) {
	c.t.Helper()
	a, b, other = c.node(), c.node(), c.node()
	c.start(a, b, other)
	return a, b, other
}

// dies waits until a node that has been told to crash has done so, and returns
// when that was.
func (n *node) dies() time.Time {
	n.t.Helper()
	select {
	case <-n.gone:
	case <-time.After(patience):
		n.t.Fatalf("node %s did not crash:\n%s", n.id, n.log)
	}
	n.cmd = nil
	return time.Now()
}

// crash kills a node and returns when that was.
func (n *node) crash() time.Time {
	n.kill()
	return time.Now()
}

// stop freezes a node until resume.
func (n *node) stop() {
	n.t.Helper()
	require.NoError(n.t, n.cmd.Process.Signal(syscall.SIGSTOP))
	n.eventually("node "+n.id+" is frozen", patience, func() bool {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
		return err == nil && strings.Contains(string(raw), ") T ")
	})
}

func (n *node) resume() {
	n.t.Helper()
	require.NoError(n.t, n.cmd.Process.Signal(syscall.SIGCONT))
}

// create makes a task and remembers that it was promised.
func (c *cluster) create(n *node, task object, header ...string) string {
	c.t.Helper()
	id := n.call(201, "POST", "/tasks", task, header...).body["id"].(string)
	c.promised(id, "")
	return id
}

// execute runs a task by hand and remembers that it was promised.
func (c *cluster) execute(n *node, task string) string {
	c.t.Helper()
	id := n.call(202, "POST", "/tasks/"+task+"/execute", nil).body["id"].(string)
	c.promised("", id)
	return id
}

// promised remembers what was acknowledged.
func (c *cluster) promised(task, execution string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if task != "" {
		c.acked.tasks = append(c.acked.tasks, task)
	}
	if execution != "" {
		c.acked.executions = append(c.acked.executions, execution)
	}
}

// eventually polls until a condition holds; a failure shows every node's log.
func (c *cluster) eventually(what string, within time.Duration, holds func() bool) {
	c.t.Helper()
	eventually(c.t, what, within, holds, func() string {
		return fmt.Sprintf("%v", c.records())
	})
}

// once is a task of the type effect that is due after a while.
func once(after time.Duration, data, more object) object {
	task := object{
		"name": "once", "type": "effect", "scheduleType": "once", "runAt": time.Now().Add(after), "data": data,
		"retryPolicy": object{"attempts": 5, "delay": 100, "backoff": "fixed", "jitter": false},
	}
	for k, v := range more {
		task[k] = v
	}
	return task
}

// manual is such a task without a schedule.
func manual(data, more object) object {
	task := once(0, data, more)
	delete(task, "runAt")
	task["scheduleType"] = "manual"
	return task
}

// every is such a task that is due each second.
func every(data, more object) object {
	task := once(0, data, more)
	delete(task, "runAt")
	task["scheduleType"], task["intervalMs"], task["overlap"] = "recurring", 1000, "allow"
	task["misfire"] = object{"policy": "all"}
	return task
}

// pluginsOf is a plugins file with some types.
func (n *node) pluginsOf(types ...string) {
	n.t.Helper()
	text := "plugins:\n"
	for _, name := range types {
		program, grants := name, ""
		if name == "other" {
			program = "noop"
		}
		if name == "effect" {
			grants = ", " + toOutside
		}
		text += fmt.Sprintf("  - {type: %s, runtime: wasm, source: %s.wasm%s}\n", name, program, grants)
	}
	n.writePlugins(text)
}
