package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkStart measures from the start of the process until it is ready:
// cold, with plugins to compile, and warm, with their code in the disk cache.
func BenchmarkStart(b *testing.B) {
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			s := newService(b)
			require.NoError(b, os.Remove(filepath.Join(s.dir, "cache", "wasm")))
			s.start()
			s.kill()
		}
	})
	b.Run("warm", func(b *testing.B) {
		s := startService(b)
		for b.Loop() {
			s.kill()
			s.start()
		}
	})
}

// BenchmarkDueToStart measures how late executions start: 100 one-shot tasks a
// second for 30 seconds, of a plugin that does nothing.
func BenchmarkDueToStart(b *testing.B) {
	s := startService(b, "LOG_LEVEL=warn")
	for b.Loop() {
		begin := time.Now().Add(20 * time.Second)
		s.createMany(3000, func(i int) object {
			return object{"name": "one", "type": "noop", "runAt": begin.Add(time.Duration(i) * 10 * time.Millisecond)}
		})
		require.True(b, time.Now().Before(begin), "the tasks took too long to create")
		time.Sleep(time.Until(begin.Add(32 * time.Second)))
		s.eventually("all have run", time.Minute, func() bool {
			return len(s.history("/history?status=pending,queued,running,retrying")) == 0
		})
		var late []time.Duration
		for _, e := range s.history("/history?from=" + begin.Add(-time.Second).UTC().Format(time.RFC3339)) {
			late = append(late, at(b, e, "startTime").Sub(at(b, e, "nominalTime")))
		}
		require.GreaterOrEqual(b, len(late), 2900)
		slices.Sort(late)
		b.ReportMetric(ms(late[len(late)/2]), "p50-ms")
		b.ReportMetric(ms(late[len(late)*99/100]), "p99-ms")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkThroughput measures executions a second of a plugin that does
// nothing: 3,000 tasks come due at the same instant, ten run at once.
func BenchmarkThroughput(b *testing.B) {
	s := startService(b, "LOG_LEVEL=warn", "MAX_CONCURRENT_TASKS=10")
	for b.Loop() {
		const n = 3000
		due := time.Now().Add(15 * time.Second)
		s.createMany(n, func(int) object { return object{"name": "one", "type": "noop", "runAt": due} })
		require.True(b, time.Now().Before(due), "the tasks took too long to create")
		time.Sleep(time.Until(due))
		s.eventually("all have run", 2*time.Minute, func() bool {
			time.Sleep(200 * time.Millisecond)
			items := s.call(200, "GET", "/history?status=pending,queued,running,retrying&limit=1", nil).body["items"].([]any)
			return len(items) == 0
		})
		last := due
		for _, e := range s.history("/history?status=succeeded&from=" + due.Add(-time.Second).UTC().Format(time.RFC3339)) {
			if end := at(b, e, "endTime"); end.After(last) {
				last = end
			}
		}
		b.ReportMetric(n/last.Sub(due).Seconds(), "executions/s")
		b.ReportMetric(0, "ns/op")
	}
}

var resident = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// BenchmarkIdleMemory measures the resident memory of a server with two plugins
// that has run something and then nothing for ten seconds.
func BenchmarkIdleMemory(b *testing.B) {
	s := startService(b)
	for b.Loop() {
		id := s.create(reminder("one", nil))
		s.call(200, "POST", "/tasks/"+id+"/execute?wait=10s", nil)
		time.Sleep(10 * time.Second)
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		require.NoError(b, err)
		kb, err := strconv.Atoi(string(resident.FindSubmatch(raw)[1]))
		require.NoError(b, err)
		b.ReportMetric(float64(kb)/1024, "MiB")
		b.ReportMetric(0, "ns/op")
	}
}

// createMany creates n tasks with a few connections.
func (s *service) createMany(n int, task func(i int) object) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 8 {
		wg.Go(func() {
			for i := range next {
				if r, err := s.try("POST", "/tasks", task(i)); err != nil || r.status != 201 {
					s.t.Errorf("create: %v %v", err, r.body)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func at(t testing.TB, e object, field string) time.Time {
	v, err := time.Parse(time.RFC3339Nano, e[field].(string))
	require.NoError(t, err)
	return v
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
