package coretest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) planConcurrently(t *testing.T) {
	s.run(t, "several planners plan each occurrence once", plannersPlanOnce)
	s.run(t, "a task that is changed while it is planned loses neither", planAndUpdate)
}

const hammerers = 4

func plannersPlanOnce(f *fixture) {
	const tasks, occurrences = 10, 4
	for range tasks {
		f.putDueTask(Epoch())
	}
	f.clock.Advance((occurrences - 1) * time.Minute)

	var log planLog
	together(hammerers, func(int) {
		for {
			report, err := f.PlanDue(f.Context(), 3, planOnce(time.Minute))
			log.add(report.Planned, err)
			if err != nil || report.Wait != 0 {
				return
			}
		}
	})
	require.NoError(f, log.err)
	require.Len(f, log.planned, tasks*occurrences)
	for occurrence, times := range log.planned {
		require.Equal(f, 1, times, "occurrence %s", occurrence)
	}
	stored, err := f.Executions(f.Context(), core.ExecutionFilter{}, core.Page{Limit: 200})
	require.NoError(f, err)
	require.Len(f, stored, tasks*occurrences)
}

func planAndUpdate(f *fixture) {
	const occurrences, writers, each = 20, 2, 10
	task := f.putDueTask(Epoch())
	f.clock.Advance((occurrences - 1) * time.Minute)

	var log planLog
	together(2*writers, func(i int) {
		if i < writers {
			for n := range each {
				_, err := f.UpdateTask(f.Context(), task.ID, core.AnyVersion, label(fmt.Sprintf("w%d-%d", i, n)))
				log.add(nil, err)
			}
			return
		}
		for {
			report, err := f.PlanDue(f.Context(), 1, planOnce(time.Minute))
			log.add(report.Planned, err)
			if err != nil || report.Wait != 0 {
				return
			}
		}
	})
	require.NoError(f, log.err)
	require.Len(f, log.planned, occurrences)
	got := f.getTask(task.ID)
	require.Len(f, got.Labels, writers*each, "a plan undid an update")
	require.Equal(f, occurrences, got.Plan.Runs, "an update undid a plan")
	require.Equal(f, Epoch().Add(occurrences*time.Minute), *got.NextRun)
}

// planLog counts how often each occurrence was planned.
type planLog struct {
	mu      sync.Mutex
	planned map[string]int
	err     error
}

func (l *planLog) add(planned []core.Execution, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.planned == nil {
		l.planned = map[string]int{}
	}
	for _, e := range planned {
		l.planned[e.TaskID+" at "+e.NominalTime.Format(time.RFC3339)]++
	}
	if l.err == nil {
		l.err = err
	}
}
