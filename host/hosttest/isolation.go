package hosttest

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// isolation is what one run must not see of the world and of others.
func (s *suite) isolation() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"files are refused": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "file", Text: "/etc/passwd"})
			expect(t, f, core.CodePluginDenied, core.ClassDenied)
		},
		"no environment, arguments or directories, and a real clock": s.testOutside,
		"eight at once": s.testConcurrency,
		"one at a time": s.testQueueing,
	}
}

// cleanliness is what a run must not see of an earlier one.
func (s *suite) cleanliness() map[string]func(*testing.T) {
	if s.shared {
		return nil
	}
	return map[string]func(*testing.T){
		"globals are clean in every run": func(t *testing.T) {
			for range 5 {
				require.Equal(t, "1", string(s.do(t, roomy, order{Do: "count"}).Result))
			}
		},
		"goroutines end with their run": func(t *testing.T) {
			for range 3 {
				require.Equal(t, "0", string(s.do(t, roomy, order{Do: "goroutine"}).Result))
			}
		},
	}
}

func (s *suite) testOutside(t *testing.T) {
	var got struct{ Environ, Root, Year int }
	require.NoError(t, json.Unmarshal(s.do(t, roomy, order{Do: "outside"}).Result, &got))
	require.Zero(t, got.Environ)
	require.Zero(t, got.Root)
	require.InDelta(t, time.Now().Year(), got.Year, 1)
}

func (s *suite) testConcurrency(t *testing.T) {
	var all sync.WaitGroup
	results := make([]string, 8)
	errs := make([]error, len(results))
	for i := range results {
		in := invocation(t, roomy, order{Do: "echo", Text: fmt.Sprint("run ", i)})
		all.Go(func() {
			for range 3 {
				out, err := s.host.Invoke(t.Context(), in)
				results[i], errs[i] = string(out.Result), err
			}
		})
	}
	all.Wait()
	for i, result := range results {
		require.NoError(t, errs[i])
		require.Equal(t, fmt.Sprintf("%q", fmt.Sprint("run ", i)), result)
	}
}

// testQueueing holds the plugin's only place and sees the next run wait for it
// until its deadline.
func (s *suite) testQueueing(t *testing.T) {
	var all sync.WaitGroup
	defer all.Wait()
	held := invocation(t, brief, order{Do: "loop"}) // ends at the plugin's timeout
	all.Go(func() { _, _ = s.host.Invoke(t.Context(), held) })
	require.Eventually(t, func() bool { return s.active(brief) == 1 }, 10*time.Second, time.Millisecond)

	waiting := invocation(t, brief, order{Do: "echo"})
	waiting.Deadline = time.Now().Add(time.Millisecond)
	_, err := s.host.Invoke(t.Context(), waiting)
	expect(t, failure(t, err), core.CodeTimeout, core.ClassTimeout)
}

func (s *suite) active(taskType string) int64 {
	for _, p := range s.host.Plugins() {
		if p.Type == taskType {
			return p.Calls.Active
		}
	}
	return -1
}
