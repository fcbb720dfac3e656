package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkClusterDueToStart measures how late executions start on Postgres,
// Redis and RabbitMQ: so many recurring tasks a second, spread over it, of a
// plugin that does nothing, for half a minute.
func BenchmarkClusterDueToStart(b *testing.B) {
	for _, rate := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d-a-second", rate), func(b *testing.B) {
			for b.Loop() {
				c := newCluster(b)
				n := c.node("LOG_LEVEL=warn", "MAX_CONCURRENT_TASKS=100")
				n.program = "scheduler"
				c.start(n)
				begin := time.Now().Add(30 * time.Second).Truncate(time.Second)
				n.createMany(rate, func(i int) object {
					at := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
					return object{"name": "each second", "type": "noop", "intervalMs": 1000, "startAt": at, "overlap": "allow"}
				})
				require.True(b, time.Now().Before(begin), "the tasks took too long to create")
				time.Sleep(time.Until(begin.Add(35 * time.Second)))
				var count int
				var median, p99 float64
				require.NoError(b, c.db.QueryRow(`
					SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY late), percentile_cont(0.99) WITHIN GROUP (ORDER BY late)
					FROM (SELECT extract(epoch FROM start_time - nominal_time) * 1000 AS late FROM task_history
						WHERE nominal_time >= $1 AND nominal_time < $2) AS starts`,
					begin, begin.Add(30*time.Second)).Scan(&count, &median, &p99))
				b.ReportMetric(float64(count)/30, "executions/s")
				b.ReportMetric(median, "p50-ms")
				b.ReportMetric(p99, "p99-ms")
				b.ReportMetric(0, "ns/op")
				require.NoError(b, n.terminate())
			}
		})
	}
}

// BenchmarkTakeover measures how long it takes after kill -9 of one of three
// nodes until what it ran has started again elsewhere.
func BenchmarkTakeover(b *testing.B) {
	for b.Loop() {
		c := newCluster(b)
		var nodes []*node
		for range 3 {
			nodes = append(nodes, c.node("LOG_LEVEL=warn", "MAX_CONCURRENT_TASKS=60"))
		}
		c.start(nodes...)
		const tasks = 60
		nodes[0].createMany(tasks, func(int) object {
			return once(0, object{"begin": true, "beforeMs": 120_000}, nil)
		})
		running := func(where string) int {
			return c.count(`SELECT count(*) FROM executions WHERE status = 'running' AND ` + where)
		}
		c.eventually("all run", patience, func() bool { return running("true") == tasks })
		lost := running("worker = 'a'")
		require.Positive(b, lost)
		killed := nodes[0].crash()
		c.eventually("all run again", patience, func() bool { return running("attempt = 2") == lost })
		var median, last float64
		require.NoError(b, c.db.QueryRow(`
			SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took), max(took)
			FROM (SELECT extract(epoch FROM attempt_start - $1) AS took FROM executions WHERE attempt = 2) AS starts`, killed).Scan(&median, &last))
		b.ReportMetric(float64(lost), "executions")
		b.ReportMetric(median, "p50-s")
		b.ReportMetric(last, "max-s")
		b.ReportMetric(0, "ns/op")
		for _, n := range nodes[1:] {
			n.kill()
		}
	}
}
