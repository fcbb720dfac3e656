package coretest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) executionLists(t *testing.T) {
	s.run(t, "an empty store lists nothing", emptyExecutionList)
	s.run(t, "live and finished executions are listed together, newest first", executionOrder)
	s.run(t, "pages neither repeat nor leave out while executions come and end", executionPages)
	s.run(t, "each filter selects", executionFilters)
	s.run(t, "from is included and to is not", executionTimes)
}

func (f *fixture) list(filter core.ExecutionFilter, p core.Page) []string {
	f.Helper()
	es, err := f.Executions(f.Context(), filter, p)
	require.NoError(f, err)
	return idsOf(es)
}

func emptyExecutionList(f *fixture) {
	require.Empty(f, f.list(core.ExecutionFilter{}, core.Page{Limit: 10}))
	require.Empty(f, f.list(core.ExecutionFilter{TaskID: core.NewID()}, core.Page{Limit: 10, After: core.NewID()}))
}

func executionOrder(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	var want []string
	for range 3 {
		want = append(want, f.putFinished(task).ID, f.put(task).ID, f.start(f.put(task))[0].ID)
	}
	slices.Reverse(want)
	require.Equal(f, want, f.list(core.ExecutionFilter{}, core.Page{Limit: 20}))
	require.Equal(f, want[:4], f.list(core.ExecutionFilter{}, core.Page{Limit: 4}))

	es, err := f.Executions(f.Context(), core.ExecutionFilter{}, core.Page{Limit: 20})
	require.NoError(f, err)
	for _, e := range es {
		requireSameExecution(f, f.get(e.ID), e)
	}
}

func executionPages(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	var waiting []core.Execution
	var want []string
	for i := range 9 {
		if i%2 == 0 {
			want = append(want, f.putFinished(task).ID)
			continue
		}
		waiting = append(waiting, f.put(task))
		want = append(want, waiting[len(waiting)-1].ID)
	}
	slices.Reverse(want)

	var got []string
	for page := (core.Page{Limit: 2}); ; page.After = got[len(got)-1] {
		ids := f.list(core.ExecutionFilter{}, page)
		if len(ids) == 0 {
			break
		}
		got = append(got, ids...)
		f.put(task) // newer than every page
		if len(waiting) > 0 {
			f.settle(f.start(waiting[0])[0], succeed) // moves from live to history
			waiting = waiting[1:]
		}
	}
	require.Equal(f, want, got)
}

func executionFilters(f *fixture) {
	task, other := f.putTask(Overlap(core.OverlapAllow)), f.putTask(func(s *core.TaskSpec) { s.Type = "message" })
	ended := f.putFinished(task).ID
	failed := f.putFailed(task).ID
	running := f.start(f.put(task))[0].ID
	pending := f.put(task, func(e *core.Execution) { e.Trigger = core.TriggerBackfill }).ID
	foreign := f.put(other).ID

	for name, c := range map[string]struct {
		filter core.ExecutionFilter
		want   []string
	}{
		"nothing":       {core.ExecutionFilter{}, []string{foreign, pending, running, failed, ended}},
		"task":          {core.ExecutionFilter{TaskID: task.ID}, []string{pending, running, failed, ended}},
		"type":          {core.ExecutionFilter{Type: "message"}, []string{foreign}},
		"live state":    {core.ExecutionFilter{Statuses: []core.Status{core.StatusPending}}, []string{foreign, pending}},
		"final state":   {core.ExecutionFilter{Statuses: []core.Status{core.StatusFailed}}, []string{failed}},
		"states":        {core.ExecutionFilter{Statuses: []core.Status{core.StatusRunning, core.StatusSucceeded}}, []string{running, ended}},
		"trigger":       {core.ExecutionFilter{Trigger: core.TriggerBackfill}, []string{pending}},
		"several":       {core.ExecutionFilter{TaskID: task.ID, Type: "test", Statuses: core.Statuses(), Trigger: core.TriggerManual}, []string{running, failed, ended}},
		"contradiction": {core.ExecutionFilter{TaskID: task.ID, Type: "message"}, []string{}},
	} {
		require.Equal(f, c.want, f.list(c.filter, core.Page{Limit: 10}), "filter by %s", name)
	}
	require.Equal(f, []string{failed}, f.list(core.ExecutionFilter{TaskID: task.ID}, core.Page{Limit: 1, After: running}))
}

func executionTimes(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	created := func(at time.Time) func(*core.Execution) { return func(e *core.Execution) { e.CreatedAt = at } }
	from, to := Epoch(), Epoch().Add(time.Minute)
	f.put(task, created(from.Add(-time.Microsecond)))
	first, last := f.put(task, created(from)), f.put(task, created(to.Add(-time.Microsecond)))
	end := f.put(task, created(to))
	f.settle(f.start(first)[0], succeed)

	require.Equal(f, []string{last.ID, first.ID}, f.list(core.ExecutionFilter{From: &from, To: &to}, core.Page{Limit: 10}))
	require.Equal(f, []string{end.ID, last.ID, first.ID}, f.list(core.ExecutionFilter{From: &from}, core.Page{Limit: 10}))
	require.Len(f, f.list(core.ExecutionFilter{To: &to}, core.Page{Limit: 10}), 3)
}
