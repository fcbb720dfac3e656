package app_test

import (
	"cmp"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/config"
)

// BenchmarkBurnDown measures a node that finds 100,000 executions due (BURN_DOWN
// changes that) on Postgres, Redis and RabbitMQ, from pending to history:
// executions a second, and processor time of each part for one execution; with
// nobody who listens to the events, and with a queue that takes them all.
func BenchmarkBurnDown(b *testing.B) {
	b.Run("unheard", func(b *testing.B) { burnDown(b, func(map[string]string) {}) })
	b.Run("heard", func(b *testing.B) { burnDown(b, func(env map[string]string) { listen(b, env) }) })
}

// listen binds a queue to all events of a node.
func listen(b *testing.B, env map[string]string) {
	conn, err := amqp.Dial(env["RABBITMQ_URL"])
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, conn.Close()) })
	ch, err := conn.Channel()
	require.NoError(b, err)
	exchange := env["QUEUE_PREFIX"] + ".events"
	require.NoError(b, ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(b, err)
	require.NoError(b, ch.QueueBind(q.Name, "#", exchange, false, nil))
}

func burnDown(b *testing.B, prepare func(env map[string]string)) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("BURN_DOWN"), "100000"))
	require.NoError(b, err)
	env := clusterEnv(b)
	prepare(env)
	go app.KeepHeadroom(b.Context())
	for b.Loop() {
		var stops []func()
		cfg, err := config.Load(func(name string) string { return env[name] })
		require.NoError(b, err)
		parts, err := app.EngineConfig(b.Context(), cfg, []string{"test"}, func(stop func()) { stops = append(stops, stop) })
		require.NoError(b, err)
		makeDue(b, parts.Store, n)
		require.Eventually(b, func() bool { // until then executions would go through the queue in process
			_, free, err := parts.Queue.Depth(b.Context())
			return err == nil && free == cfg.MaxQueueSize
		}, time.Minute, 10*time.Millisecond)
		observer := counting{ended: make(chan struct{}, n)}
		parts.Invoker, parts.Observer, parts.Owner = noop{}, observer, cfg.NodeID
		parts.Concurrency = cfg.MaxConcurrentTasks
		e, err := engine.New(parts)
		require.NoError(b, err)

		before, begin := processorTimes(b), time.Now()
		require.NoError(b, e.Start())
		for range n {
			<-observer.ended
		}
		took, after := time.Since(begin), processorTimes(b)
		b.ReportMetric(float64(n)/took.Seconds(), "executions/s")
		for part := range after {
			b.ReportMetric(float64((after[part]-before[part]).Microseconds())/float64(n), part+"-µs")
		}
		e.Stop(b.Context())
		for _, stop := range stops {
			defer stop()
		}
	}
	b.ReportMetric(0, "ns/op")
}

// clusterEnv is the environment of a node with a database of its own.
func clusterEnv(b testing.TB) map[string]string {
	server := os.Getenv("TEST_DATABASE_URL")
	if server == "" {
		if _, ok := b.(*testing.B); !ok && !testing.Short() {
			b.Fatal("TEST_DATABASE_URL is not set: run `make test`, or with -short")
		}
		b.Skip("TEST_DATABASE_URL is not set; make bench starts the services")
	}
	name := "scheduler_test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	db, err := sql.Open("postgres", server)
	require.NoError(b, err)
	b.Cleanup(func() {
		_, err := db.Exec(`DROP DATABASE ` + name + ` WITH (FORCE)`)
		require.NoError(b, err)
		require.NoError(b, db.Close())
	})
	_, err = db.Exec(`CREATE DATABASE ` + name)
	require.NoError(b, err)
	own, err := url.Parse(server)
	require.NoError(b, err)
	own.Path = "/" + name
	return map[string]string{
		"DATABASE_URL": own.String(), "REDIS_URL": os.Getenv("TEST_REDIS_URL"), "RABBITMQ_URL": os.Getenv("TEST_RABBITMQ_URL"),
		"QUEUE_PREFIX": name, "DATA_DIR": b.TempDir(), "MAX_CONCURRENT_TASKS": "1000", "MAX_QUEUE_SIZE": "10000",
	}
}

// makeDue makes n executions that wait, of a hundred tasks.
func makeDue(b *testing.B, store core.Store, n int) {
	const tasks = 100
	for range tasks {
		task := coretest.Task(coretest.Overlap(core.OverlapAllow))
		_, err := store.CreateTask(b.Context(), coretest.DueAt(task, coretest.Epoch()), nil)
		require.NoError(b, err)
	}
	_, err := store.PlanDue(b.Context(), tasks, func(now time.Time, d core.DueTask) core.Plan {
		plan := core.Plan{State: d.Task.Plan}
		for range n / tasks {
			plan.Executions = append(plan.Executions, core.NewExecution(d.Task, core.TriggerManual, now, now, now))
		}
		return plan
	})
	require.NoError(b, err)
}

// processorTimes tells how much processor time each part has used: this process
// and, on this machine, the services by their programs' names. It reads what
// proc(5) says of stat.
func processorTimes(b *testing.B) map[string]time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	programs := map[string]string{"postgres": "postgres", "redis-server": "redis", "beam.smp": "rabbitmq"}
	var own syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &own))
	times := map[string]time.Duration{"own": time.Duration(own.Utime.Nano() + own.Stime.Nano())}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(b, err)
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		name, rest, _ := strings.Cut(string(stat), ") ")
		part, ok := programs[name[strings.IndexByte(name, '(')+1:]]
		if !ok {
			continue
		}
		var user, system int64
		fields := strings.Fields(rest)
		_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
		require.NoError(b, err)
		times[part] += time.Duration(user+system) * tick
	}
	return times
}
