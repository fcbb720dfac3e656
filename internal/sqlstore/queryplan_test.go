package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

func openPlain(t testing.TB) *Store {
	t.Helper()
	s, err := OpenSQLite(t.Context(), SQLiteConfig{
		Path: filepath.Join(t.TempDir(), "scheduler.db"), Clock: coretest.NewClock(t),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// queryPlan is what SQLite is going to do, one step a line.
func queryPlan(t testing.TB, s *Store, query string, args ...any) string {
	t.Helper()
	query, args, err := expandIn(query, args)
	require.NoError(t, err)
	var steps []struct {
		ID, Parent, NotUsed int
		Detail              string
	}
	require.NoError(t, s.writer.Select(&steps, `EXPLAIN QUERY PLAN `+query, args...))
	var b strings.Builder
	for _, step := range steps {
		fmt.Fprintln(&b, step.Detail)
	}
	return b.String()
}

// A list that reads all of the history, or sorts it, is fast on the day it is
// written and slow a year later.
func TestListsOfExecutionsWalkAnIndex(t *testing.T) {
	s := openPlain(t)
	after := core.Page{Limit: 50, After: core.NewID()}
	from := coretest.Epoch()
	for name, c := range map[string]struct {
		filter core.ExecutionFilter
		page   core.Page
		index  string // of task_history
	}{
		"all":               {core.ExecutionFilter{}, core.Page{Limit: 50}, "sqlite_autoindex_task_history_1"},
		"next page":         {core.ExecutionFilter{}, after, "sqlite_autoindex_task_history_1 (id<?)"},
		"of a task":         {core.ExecutionFilter{TaskID: "t"}, after, "task_history_task_idx (task_id=? AND id<?)"},
		"failed":            {core.ExecutionFilter{Statuses: []core.Status{core.StatusFailed}}, after, "task_history_status_idx (status=? AND id<?)"},
		"failed and lost":   {core.ExecutionFilter{Statuses: []core.Status{core.StatusFailed, core.StatusLost}}, after, "task_history_status_idx (status=? AND id<?)"},
		"of a type":         {core.ExecutionFilter{Type: "x"}, after, "task_history_type_idx (type=? AND id<?)"},
		"failed of a task":  {core.ExecutionFilter{TaskID: "t", Statuses: []core.Status{core.StatusFailed}}, after, "task_history_task_idx (task_id=? AND id<?)"},
		"of a task's type":  {core.ExecutionFilter{TaskID: "t", Type: "x"}, after, "task_history_task_idx (task_id=? AND id<?)"},
		"of a task's ends":  {core.ExecutionFilter{TaskID: "t", Statuses: []core.Status{core.StatusFailed, core.StatusLost}}, after, "task_history_task_idx (task_id=? AND id<?)"},
		"of a task, lately": {core.ExecutionFilter{TaskID: "t", From: &from}, after, "task_history_task_idx (task_id=? AND id<?)"},
	} {
		t.Run(name, func(t *testing.T) {
			query, args := s.dialect.executionsQuery(c.filter, c.page)
			plan := queryPlan(t, s, query, args...)
			require.Contains(t, plan, "task_history USING INDEX "+c.index, plan)
			require.NotContains(t, plan, "SCAN task_history\n", plan)
			// The arms together are sorted, a page each; the table is not.
			require.NotRegexp(t, `task_history USING [^\n]*\nUSE TEMP B-TREE`, plan)
		})
	}
}

// Between two times the ids are sorted, but they come from the index alone.
func TestListsBetweenTimesReadTheIndexOfTimes(t *testing.T) {
	s := openPlain(t)
	from, to := coretest.Epoch(), coretest.Epoch().Add(time.Hour)
	for _, f := range []core.ExecutionFilter{{From: &from}, {To: &to}, {From: &from, To: &to}} {
		query, args := s.dialect.executionsQuery(f, core.Page{Limit: 50, After: core.NewID()})
		plan := queryPlan(t, s, query, args...)
		require.Contains(t, plan, "USING COVERING INDEX task_history_created_idx (created_at", plan)
		require.Contains(t, plan, "SEARCH task_history USING INDEX sqlite_autoindex_task_history_1 (id=?)", plan)
	}
}

// recorder notes the statements that run through it.
type recorder struct {
	sqlx.ExtContext
	statements []statement
}

type statement struct {
	query string
	args  []any
}

func (r *recorder) note(query string, args []any) {
	r.statements = append(r.statements, statement{query, args})
}

func (r *recorder) QueryxContext(ctx context.Context, query string, args ...any) (*sqlx.Rows, error) {
	r.note(query, args)
	return r.ExtContext.QueryxContext(ctx, query, args...)
}

func (r *recorder) QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row {
	r.note(query, args)
	return r.ExtContext.QueryRowxContext(ctx, query, args...)
}

func (r *recorder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.note(query, args)
	return r.ExtContext.ExecContext(ctx, query, args...)
}

// Every statement that the engine repeats must cost what it returns, and not
// what the tables hold. The statements are those the code really sends.
func TestTheEngineReadsNoWholeTable(t *testing.T) {
	s := openPlain(t)
	for name, step := range engineSteps(t, s) {
		t.Run(name, func(t *testing.T) {
			for _, sent := range record(t, s, step) {
				plan := queryPlan(t, s, sent.query, sent.args...)
				// Partial indexes hold the few rows that matter, so that walking one is fine.
				plan = regexp.MustCompile(`SCAN executions USING (COVERING )?INDEX executions_(ready|slots)_idx`).ReplaceAllString(plan, "")
				require.NotRegexp(t, `SCAN (tasks|executions|task_history|execution_logs|idempotency_keys|outbox)`, plan, sent.query)
				require.NotContains(t, plan, "TEMP B-TREE", sent.query)
			}
		})
	}
}

// engineSteps are the steps that the engine repeats, on a store with one due
// task and one execution of it.
func engineSteps(t *testing.T, s *Store) map[string]func(ctx context.Context, c conn) error {
	t.Helper()
	task, err := s.CreateTask(t.Context(), coretest.DueAt(coretest.Task(), coretest.Epoch()), nil)
	require.NoError(t, err)
	e := coretest.Execution(task, func(e *core.Execution) { e.RetryOf = &e.TaskID })
	_, _, err = s.CreateExecution(t.Context(), e, nil)
	require.NoError(t, err)
	return map[string]func(ctx context.Context, c conn) error{
		"plan": func(ctx context.Context, c conn) error {
			decisions, err := c.decideDue(ctx, 10, func(time.Time, core.DueTask) core.Plan { return core.Plan{} })
			require.Len(t, decisions, 1)
			_, advanced := c.advance(ctx, decisions)
			_, waited := c.untilNextTask(ctx)
			return errors.Join(err, advanced, waited)
		},
		"cancel": func(ctx context.Context, c conn) error {
			_, _, err := c.cancelLive(ctx, []string{task.ID}, "")
			return err
		},
		"retry": func(ctx context.Context, c conn) error {
			_, _, err := c.liveRetry(ctx, e.RetryOf)
			return err
		},
		"ready": func(ctx context.Context, c conn) error {
			_, _, err := c.readyInOrder(ctx, 10, nil)
			_, waited := c.untilNextReady(ctx)
			return errors.Join(err, waited)
		},
		"claim": func(ctx context.Context, c conn) error {
			open, _, err := c.sortByGate(ctx, []string{e.ID})
			require.Len(t, open, 1)
			_, started := c.start(ctx, open, "node-a", time.Second)
			_, extended := c.extend(ctx, []core.Lease{{ExecutionID: e.ID}}, c.now)
			return errors.Join(err, started, extended)
		},
		"finish": func(ctx context.Context, c conn) error {
			_, err := c.running(ctx, []core.Completion{{Lease: core.Lease{ExecutionID: e.ID}}})
			ended := coretest.Execution(task)
			ended.Dismiss(core.StatusSkipped, "", c.now)
			return errors.Join(err, c.save(ctx, []core.Execution{ended, e}))
		},
		"reap": func(ctx context.Context, c conn) error {
			_, err := c.expired(ctx, 10)
			return err
		},
		"prune": func(ctx context.Context, c conn) error {
			_, err := c.pruneHistory(ctx, "task_history", c.now, 10)
			_, keys := c.pruneKeys(ctx, c.now, 10)
			_, messages := c.pruneOutbox(ctx, c.now, 10)
			return errors.Join(err, keys, messages)
		},
		"outbox": func(ctx context.Context, c conn) error {
			_, _, err := c.dueMessages(ctx, core.MessageAlert, 10)
			_, waited := c.untilNextMessage(ctx, core.MessageAlert)
			return errors.Join(err, waited, c.settle(ctx, []int64{1}, []core.Postponed{{Seq: 2}}))
		},
		"late": func(ctx context.Context, c conn) error {
			_, err := c.lateExecutions(ctx, 10)
			_, waited := c.untilNextLate(ctx)
			late := e
			late.LateAt = &c.now
			return errors.Join(err, waited, c.postLate(ctx, []core.Execution{late}))
		},
		"retime": func(ctx context.Context, c conn) error {
			return c.retimeTasks(ctx, core.Schedule{}, nil)
		},
	}
}

// record runs a step and takes it back.
func record(t *testing.T, s *Store, step func(ctx context.Context, c conn) error) []statement {
	t.Helper()
	tx, err := s.writer.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	r := &recorder{ExtContext: tx}
	require.NoError(t, step(t.Context(), conn{db: r, dialect: s.dialect, now: coretest.Epoch(), limit: s.typeLimit()}))
	require.NoError(t, tx.Rollback())
	require.NotEmpty(t, r.statements)
	return r.statements
}
