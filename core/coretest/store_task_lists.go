package coretest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) taskLists(t *testing.T) {
	s.run(t, "an empty store lists nothing", emptyTaskList)
	s.run(t, "tasks are listed newest first", taskOrder)
	s.run(t, "pages neither repeat nor leave out while tasks come and go", taskPages)
	s.run(t, "each filter selects", taskFilters)
	s.run(t, "the query is plain text", taskQuery)
}

func emptyTaskList(f *fixture) {
	require.Empty(f, f.listTasks(core.TaskFilter{}, core.Page{Limit: 10}))
	require.Empty(f, f.listTasks(core.TaskFilter{}, core.Page{Limit: 10, After: core.NewID()}))
}

func taskOrder(f *fixture) {
	var want []string
	for range 5 {
		want = append(want, f.putTask().ID)
	}
	slices.Reverse(want)
	require.Equal(f, want, taskIDsOf(f.listTasks(core.TaskFilter{}, core.Page{Limit: 10})))
	require.Equal(f, want[:2], taskIDsOf(f.listTasks(core.TaskFilter{}, core.Page{Limit: 2})))
}

func taskPages(f *fixture) {
	var want []string
	for i := range 9 {
		want = append(want, f.putTask(Named(fmt.Sprint("task ", i))).ID)
	}
	slices.Reverse(want)

	var got []string
	page := core.Page{Limit: 2}
	for {
		tasks := f.listTasks(core.TaskFilter{}, page)
		if len(tasks) == 0 {
			break
		}
		got = append(got, taskIDsOf(tasks)...)
		page.After = got[len(got)-1]
		f.putTask(Named("newer than every page"))
		if len(got) == 4 { // the last item of a page may vanish before the next page is read
			_, err := f.DeleteTask(f.Context(), page.After, core.AnyVersion)
			require.NoError(f, err)
		}
	}
	require.Equal(f, want, got)
}

func taskFilters(f *fixture) {
	sc, err := f.CreateSchedule(f.Context(), Schedule(), nil)
	require.NoError(f, err)
	plain := f.putTask().ID
	typed := f.putTask(func(s *core.TaskSpec) { s.Type = "message" }).ID
	disabled := f.putTask(func(s *core.TaskSpec) { s.Enabled = false }).ID
	labelled := f.putTask(func(s *core.TaskSpec) { s.Labels = map[string]string{"team": "x", "tier": "1"} }).ID
	relabelled := f.putTask(func(s *core.TaskSpec) { s.Labels = map[string]string{"team": "y", "tier": "1"} }).ID
	scheduled := f.putTask(func(s *core.TaskSpec) { s.ScheduleID = &sc.ID }).ID
	named := f.putTask(Named("Stream Reminder")).ID
	yes, no := true, false

	for name, c := range map[string]struct {
		filter core.TaskFilter
		want   []string
	}{
		"nothing":         {core.TaskFilter{}, []string{named, scheduled, relabelled, labelled, disabled, typed, plain}},
		"type":            {core.TaskFilter{Type: "message"}, []string{typed}},
		"enabled":         {core.TaskFilter{Enabled: &yes}, []string{named, scheduled, relabelled, labelled, typed, plain}},
		"disabled":        {core.TaskFilter{Enabled: &no}, []string{disabled}},
		"label":           {core.TaskFilter{Labels: map[string]string{"tier": "1"}}, []string{relabelled, labelled}},
		"all labels":      {core.TaskFilter{Labels: map[string]string{"tier": "1", "team": "x"}}, []string{labelled}},
		"no such label":   {core.TaskFilter{Labels: map[string]string{"tier": ""}}, nil},
		"schedule":        {core.TaskFilter{ScheduleID: sc.ID}, []string{scheduled}},
		"query":           {core.TaskFilter{Query: "aM rEm"}, []string{named}},
		"several at once": {core.TaskFilter{Type: "test", Enabled: &yes, Query: "reminder"}, []string{named}},
		"contradiction":   {core.TaskFilter{Type: "message", Query: "reminder"}, nil},
	} {
		require.ElementsMatch(f, c.want, taskIDsOf(f.listTasks(c.filter, core.Page{Limit: 10})), "filter by %s", name)
	}
}

func taskQuery(f *fixture) {
	percent := f.putTask(Named("100% sure")).ID
	under := f.putTask(Named("a_b")).ID
	slash := f.putTask(Named(`back\slash`)).ID
	quote := f.putTask(Named("it's")).ID
	f.putTask(Named("axb, 1000 sure"))

	for query, want := range map[string]string{"0%": percent, "a_b": under, `k\s`: slash, "t's": quote} {
		require.Equal(f, []string{want}, taskIDsOf(f.listTasks(core.TaskFilter{Query: query}, core.Page{Limit: 10})), "query %q", query)
	}
}

func (f *fixture) listTasks(filter core.TaskFilter, p core.Page) []core.Task {
	f.Helper()
	tasks, err := f.Tasks(f.Context(), filter, p)
	require.NoError(f, err)
	return tasks
}
