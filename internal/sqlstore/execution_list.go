package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/nexuscore/scheduler/core"
)

// Executions implements core.ExecutionStore.
func (s *Store) Executions(ctx context.Context, f core.ExecutionFilter, p core.Page) ([]core.Execution, error) {
	query, args := s.dialect.executionsQuery(f, p)
	if query == "" {
		return []core.Execution{}, nil
	}
	var rows []executionRow
	if err := s.read().list(ctx, &rows, query, args...); err != nil {
		return nil, s.wrap("list executions", err)
	}
	executions, err := executionsOf(rows)
	return executions, s.wrap("list executions", err)
}

// executionsQuery joins arms that each read one page from the end of one index:
// an arm for each table, or for each state when the filter names states. So the
// cost is that of a few pages however long the history is.
func (d dialect) executionsQuery(f core.ExecutionFilter, p core.Page) (string, []any) {
	var arms []string
	var args []any
	add := func(table string, statuses []string) {
		where, values := executionConditions(f, p, statuses)
		arms = append(arms, `SELECT * FROM (`+d.arm(f, table, where)+`) AS page`)
		args = append(append(args, values...), p.Limit)
	}
	live, ended := splitStatuses(f.Statuses)
	for _, statuses := range armsOf(f, live) {
		add(`executions`, statuses)
	}
	for _, statuses := range armsOf(f, ended) {
		add(`task_history`, statuses)
	}
	if len(arms) == 0 {
		return "", nil
	}
	return strings.Join(arms, ` UNION ALL `) + ` ORDER BY id DESC LIMIT ?`, append(args, p.Limit)
}

// arm selects one page of a table. A history that only a time bounds is the one
// case that has no index in the order of ids: walking back by id until a page
// is full could mean walking to the beginning. There the ids come from the index
// of the times, which holds nothing else, and the rows follow.
func (d dialect) arm(f core.ExecutionFilter, table, where string) string {
	const page = ` ORDER BY id DESC LIMIT ?`
	columns := shownLiveColumns
	if table == `task_history` {
		columns = shownEndedColumns
	}
	timed := f.From != nil || f.To != nil
	if table != `task_history` || !timed || f.TaskID != "" || f.Type != "" || len(f.Statuses) > 0 {
		return `SELECT ` + columns + ` FROM ` + table + where + page
	}
	return `SELECT ` + columns + ` FROM task_history
		WHERE id IN (SELECT id FROM task_history` + d.byCreation + where + page + `)`
}

// splitStatuses tells which states to look for in which table; nil is all of
// them, empty is none.
func splitStatuses(statuses []core.Status) (live, ended []string) {
	if len(statuses) == 0 {
		return nil, nil
	}
	live, ended = []string{}, []string{}
	for _, s := range slices.Compact(slices.Sorted(slices.Values(statuses))) { // each once: an arm may not come twice
		if s.Final() {
			ended = append(ended, string(s))
		} else {
			live = append(live, string(s))
		}
	}
	return live, ended
}

// armsOf says which states each arm of a table looks for. A task's executions
// are read by the task's index, and the states filtered on the way.
func armsOf(f core.ExecutionFilter, statuses []string) [][]string {
	switch {
	case statuses == nil:
		return [][]string{nil}
	case len(statuses) == 0:
		return nil
	case f.TaskID != "":
		return [][]string{statuses}
	}
	arms := make([][]string, len(statuses))
	for i, s := range statuses {
		arms[i] = []string{s}
	}
	return arms
}

func executionConditions(f core.ExecutionFilter, p core.Page, statuses []string) (where string, args []any) {
	var conditions []string
	add := func(condition string, value any) {
		conditions, args = append(conditions, condition), append(args, value)
	}
	if p.After != "" {
		add(`id < ?`, p.After)
	}
	if f.TaskID != "" {
		add(`task_id = ?`, f.TaskID)
	}
	// A task's executions are few beside those of a type or in a state, which
	// the planner of SQLite cannot know: an expression keeps it off their indexes.
	kind, status := `type`, `status`
	if f.TaskID != "" {
		kind, status = `type || ''`, `status || ''`
	}
	if f.Type != "" {
		add(kind+` = ?`, f.Type)
	}
	switch {
	case len(statuses) == 1:
		add(status+` = ?`, statuses[0])
	case len(statuses) > 1:
		add(status+` IN (?)`, statuses)
	}
	if f.Trigger != "" {
		add(`trigger = ?`, f.Trigger)
	}
	if f.From != nil {
		add(`created_at >= ?`, stamp(*f.From))
	}
	if f.To != nil {
		add(`created_at < ?`, stamp(*f.To))
	}
	if len(conditions) == 0 {
		return "", nil
	}
	return ` WHERE ` + strings.Join(conditions, ` AND `), args
}
