package coretest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) claimConcurrently(t *testing.T) {
	s.run(t, "each execution is claimed by one worker", claimOnce)
	s.run(t, "an exclusive task never runs twice at a time", exclusiveHammer)
	s.run(t, "a concurrency key never has more than its slots", keyHammer)
}

func claimOnce(f *fixture) {
	const executions = 20
	es := make([]core.Execution, executions)
	for i := range es {
		es[i] = f.putFree()
	}
	claims, errs := make([][]core.Execution, hammerers), make([]error, hammerers)
	together(hammerers, func(i int) {
		claims[i], errs[i] = f.Claim(f.Context(), idsOf(es), testOwner, testTTL)
	})
	var ids []string
	tokens := map[int64]bool{}
	for i := range claims {
		require.NoError(f, errs[i])
		for _, e := range claims[i] {
			ids = append(ids, e.ID)
			tokens[e.Token] = true
		}
	}
	require.ElementsMatch(f, idsOf(es), ids)
	require.Len(f, tokens, executions, "two claims share a token")
}

func exclusiveHammer(f *fixture) {
	task := f.putTask(Overlap(core.OverlapQueueAll))
	es := make([]core.Execution, 10)
	for i := range es {
		es[i] = f.put(task)
	}
	f.hammer(es, 1)
}

func keyHammer(f *fixture) {
	es := make([]core.Execution, 12)
	for i := range es {
		es[i] = f.put(f.putTask(Slots("shared", 2)))
	}
	f.hammer(es, 2)
}

// hammer lets several workers claim and finish executions until all have ended,
// and fails when more than allowed ran at a time.
func (f *fixture) hammer(es []core.Execution, allowed int32) {
	f.Helper()
	var running, most, ended atomic.Int32
	errs := make([]error, hammerers)
	deadline := time.Now().Add(time.Minute)
	together(hammerers, func(i int) {
		for int(ended.Load()) < len(es) && errs[i] == nil && time.Now().Before(deadline) {
			var claimed []core.Execution
			claimed, errs[i] = f.Claim(f.Context(), idsOf(es), testOwner, testTTL)
			if errs[i] != nil || len(claimed) == 0 {
				continue
			}
			raise(&most, running.Add(int32(len(claimed))))
			done := make([]core.Completion, len(claimed))
			for n, e := range claimed {
				done[n] = completion(e, succeed)
			}
			running.Add(-int32(len(claimed))) // before the store may start the next
			_, errs[i] = f.Finish(f.Context(), done)
			ended.Add(int32(len(claimed)))
		}
	})
	for _, err := range errs {
		require.NoError(f, err)
	}
	require.EqualValues(f, len(es), ended.Load(), "work is left: a gate did not open again")
	require.LessOrEqual(f, most.Load(), allowed)
	for _, e := range es {
		require.Equal(f, core.StatusSucceeded, f.get(e.ID).Status)
	}
}

// raise sets the maximum to n if it is greater.
func raise(most *atomic.Int32, n int32) {
	for {
		old := most.Load()
		if n <= old || most.CompareAndSwap(old, n) {
			return
		}
	}
}
