package hosttest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// running is what a run says about itself.
func (s *suite) running() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"progress":                          s.testProgress,
		"progress beyond measure":           s.testProgressRefused,
		"a checkpoint is for the next one":  s.testCheckpoint,
		"a checkpoint that is too large":    s.testLargeCheckpoint,
		"a zombie ends at its checkpoint":   s.testZombie,
		"what a run says of itself is paid": s.testPaid,
	}
}

// attempt makes an attempt of an execution; later attempts have later tokens.
func attempt(t testing.TB, taskType, execution string, n int, o order) core.Invocation {
	t.Helper()
	in := invocation(t, taskType, o)
	in.ExecutionID, in.Attempt, in.Token = execution, n, int64(n)
	return in
}

func (s *suite) testProgress(t *testing.T) {
	var mu sync.Mutex
	var said []string
	in := invocation(t, roomy, order{Do: "progress", Text: "größer", N: 4})
	in.Report = func(p core.Progress) {
		mu.Lock()
		defer mu.Unlock()
		require.False(t, p.At.IsZero())
		said = append(said, fmt.Sprint(p.Percent, " ", p.Message))
	}
	out, err := s.host.Invoke(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, []string{"0 größer", "25 größer", "50 größer", "75 größer", "100 größer"}, said)
	require.True(t, out.Effects.Empty(), "it is no effect")
	s.do(t, roomy, order{Do: "progress", Text: "nobody listens", N: 1})
}

func (s *suite) testProgressRefused(t *testing.T) {
	_, f := s.fail(t, roomy, order{Do: "progress", N: 1, Text: string(make([]byte, 201))})
	expect(t, f, core.CodeExecutionFailed, core.ClassPermanent)
	require.Contains(t, f.Message, "200")
}

func (s *suite) testCheckpoint(t *testing.T) {
	for n := 1; n <= 2; n++ {
		_, err := s.host.Invoke(t.Context(), attempt(t, roomy, "resumed", n, order{Do: "resume", N: 3}))
		expect(t, failure(t, err), core.CodeExecutionFailed, core.ClassRetryable)
	}
	out, err := s.host.Invoke(t.Context(), attempt(t, roomy, "resumed", 3, order{Do: "resume", N: 3}))
	require.NoError(t, err)
	require.Equal(t, "3", string(out.Result))
	require.True(t, out.Effects.Empty(), "it is no effect")
	other, err := s.host.Invoke(t.Context(), attempt(t, roomy, "another", 1, order{Do: "resume", N: 1}))
	require.NoError(t, err)
	require.Equal(t, "1", string(other.Result), "each execution has its own")
}

func (s *suite) testLargeCheckpoint(t *testing.T) {
	_, err := s.host.Invoke(t.Context(), attempt(t, roomy, "large", 1, order{Do: "save", N: 64<<10 - 1})) // and two quotation marks
	f := failure(t, err)
	expect(t, f, core.CodeExecutionFailed, core.ClassPermanent)
	require.Contains(t, f.Message, "65536")
	_, err = s.host.Invoke(t.Context(), attempt(t, roomy, "large", 1, order{Do: "save", N: 64<<10 - 2}))
	require.NoError(t, err)
}

// testZombie lets an attempt speak after another one has begun. It cannot hide
// what it hears.
func (s *suite) testZombie(t *testing.T) {
	_, err := s.host.Invoke(t.Context(), attempt(t, roomy, "taken", 2, order{Do: "resume", N: 1}))
	require.NoError(t, err)
	for _, o := range []order{{Do: "resume", N: 1}, {Do: "save", Text: "swallow", N: 1}} {
		_, err = s.host.Invoke(t.Context(), attempt(t, roomy, "taken", 1, o))
		expect(t, failure(t, err), core.CodeLeaseLost, core.ClassRetryable)
	}
}

func (s *suite) testPaid(t *testing.T) {
	for _, op := range []string{"progress", "checkpoint.get"} {
		_, err := s.host.Invoke(t.Context(), attempt(t, tight, "paid", 1, order{Do: "call", Text: op, N: 11}))
		expect(t, failure(t, err), core.CodePluginCallLimit, core.ClassRetryable)
		_, err = s.host.Invoke(t.Context(), attempt(t, tight, "paid", 1, order{Do: "call", Text: op, N: 10}))
		require.NoError(t, err)
	}
}
