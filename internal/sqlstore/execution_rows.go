package sqlstore

import (
	"encoding/json"
	"fmt"

	"github.com/nexuscore/scheduler/core"
)

// executionColumns lists what executions and task_history have in common, in
// the order of executionArgs.
const executionColumns = `id, task_id, task_name, type, status, trigger, nominal_time, due_at, start_time, end_time,
	duration, attempt, max_attempts, attempts, error, error_code, result, worker, plugin, retry_of,
	created_at, policy, data, hours, awaits, token, cancel_requested, lease_until, attempt_start, late_at`

const executionColumnCount = 30

// Executions are shown with their progress, which only those have that have not
// ended.
const (
	shownLiveColumns  = executionColumns + `, progress`
	shownEndedColumns = executionColumns + `, CAST(NULL AS json) AS progress`
)

// gateColumns lists what executions has beside them, in the order of gateArgs:
// copies out of the policy, for indexes.
const gateColumns = `rank, exclusive_task, concurrency_key, max_concurrency, judge_at, rate_key`

const gateColumnCount = 6

// Conditions that partial indexes are made of. SQLite uses such an index only
// where the query repeats its condition word for word.
const (
	isReady    = `status IN ('pending', 'retrying')`
	isAwaiting = `awaits IS NOT NULL`
	isRunning  = `status = 'running'`
	isFree     = `awaits IS NULL`
	isQueued   = `status = 'queued'`
	holdsSlot  = `status IN ('queued', 'running')`
	isWaiting  = `status IN ('pending', 'queued', 'retrying')`
	hasRetryOf = `retry_of IS NOT NULL`
	isWatched  = `late_at IS NOT NULL AND (start_time IS NULL OR start_time >= late_at)`

	isPutOff = `tries > 0` // of outbox
)

// The same conditions for rows that are found by their ids or tasks, in a form
// that no partial index serves. Until somebody has counted the rows, Postgres believes
// that such an index is short, and would read all that runs, and all that has
// just stopped to, in order to find what was named.
const (
	hereReady   = `COALESCE(status, '') IN ('pending', 'retrying')`
	hereRunning = `COALESCE(status, '') = 'running'`
	hereQueued  = `COALESCE(status, '') = 'queued'`
	hereWaiting = `COALESCE(status, '') IN ('pending', 'queued', 'retrying')`
)

// executionRow is a row of executions or task_history.
type executionRow struct {
	ID              string                   `db:"id"`
	TaskID          string                   `db:"task_id"`
	TaskName        string                   `db:"task_name"`
	Type            string                   `db:"type"`
	Status          core.Status              `db:"status"`
	Trigger         core.Trigger             `db:"trigger"`
	NominalTime     timestamp                `db:"nominal_time"`
	DueAt           timestamp                `db:"due_at"`
	StartTime       timestamp                `db:"start_time"`
	EndTime         timestamp                `db:"end_time"`
	Duration        *core.Millis             `db:"duration"`
	Attempt         int                      `db:"attempt"`
	MaxAttempts     int                      `db:"max_attempts"`
	Attempts        document[[]core.Attempt] `db:"attempts"`
	Error           *string                  `db:"error"`
	ErrorCode       *core.Code               `db:"error_code"`
	Result          rawJSON                  `db:"result"`
	Worker          string                   `db:"worker"`
	Plugin          string                   `db:"plugin"`
	RetryOf         *string                  `db:"retry_of"`
	CreatedAt       timestamp                `db:"created_at"`
	Policy          policyText               `db:"policy"`
	Data            rawJSON                  `db:"data"`
	Hours           *document[core.Hours]    `db:"hours"`
	Awaits          *document[core.Awaited]  `db:"awaits"`
	Token           int64                    `db:"token"`
	CancelRequested bool                     `db:"cancel_requested"`
	LeaseUntil      timestamp                `db:"lease_until"`
	AttemptStart    timestamp                `db:"attempt_start"`
	LateAt          timestamp                `db:"late_at"`
	Progress        *document[core.Progress] `db:"progress"` // where it is asked for
}

func (r executionRow) execution() (core.Execution, error) { return r.withPolicy(policies{}) }

func (r executionRow) withPolicy(known policies) (core.Execution, error) {
	policy, err := known.read(r.Policy)
	if err != nil {
		return core.Execution{}, fmt.Errorf("policy of execution %s: %w", r.ID, err)
	}
	return core.Execution{
		ID: r.ID, TaskID: r.TaskID, TaskName: r.TaskName, Type: r.Type, Status: r.Status, Trigger: r.Trigger,
		NominalTime: r.NominalTime.Time, DueAt: r.DueAt.Time,
		StartTime: r.StartTime.pointer(), EndTime: r.EndTime.pointer(), Duration: r.Duration,
		Attempt: r.Attempt, MaxAttempts: r.MaxAttempts, Attempts: r.Attempts.value,
		Error: r.Error, ErrorCode: r.ErrorCode, Result: json.RawMessage(r.Result),
		Worker: r.Worker, Plugin: r.Plugin, RetryOf: r.RetryOf, CreatedAt: r.CreatedAt.Time,
		Policy: policy, Data: json.RawMessage(r.Data), Hours: valueIn(r.Hours), Awaits: valueIn(r.Awaits), Token: r.Token, CancelRequested: r.CancelRequested,
		LeaseUntil: r.LeaseUntil.Time, AttemptStart: r.AttemptStart.Time, LateAt: r.LateAt.pointer(), Progress: valueIn(r.Progress),
	}, nil
}

func executionsOf(rows []executionRow) ([]core.Execution, error) {
	known, executions := policies{}, make([]core.Execution, len(rows))
	for i, r := range rows {
		var err error
		if executions[i], err = r.withPolicy(known); err != nil {
			return nil, err
		}
	}
	return executions, nil
}

func executionArgs(e core.Execution) []any {
	return []any{
		e.ID, e.TaskID, e.TaskName, e.Type, e.Status, e.Trigger, stamp(e.NominalTime), stamp(e.DueAt),
		stampOf(e.StartTime), stampOf(e.EndTime), e.Duration, e.Attempt, e.MaxAttempts,
		document[[]core.Attempt]{e.Attempts}, e.Error, e.ErrorCode, rawJSON(e.Result), e.Worker, e.Plugin, e.RetryOf,
		stamp(e.CreatedAt), document[core.Policy]{e.Policy}, rawJSON(e.Data), documentOf(e.Hours), documentOf(e.Awaits), e.Token, e.CancelRequested,
		stamp(e.LeaseUntil), stamp(e.AttemptStart), stampOf(e.LateAt),
	}
}

// judgeAt is when to look at a new execution's dependencies: at once.
func judgeAt(e core.Execution) timestamp {
	if e.Awaits == nil {
		return timestamp{}
	}
	return stamp(e.CreatedAt)
}

func gateArgs(e core.Execution) []any {
	var exclusive any
	if e.Policy.Overlap.Exclusive() {
		exclusive = e.TaskID
	}
	return []any{
		stamp(e.Rank()), exclusive, nullable(e.Policy.ConcurrencyKey), e.Policy.MaxConcurrency,
		judgeAt(e), nullable(e.RateKey()),
	}
}

// logRow is a row of execution_logs.
type logRow struct {
	Attempt int                      `db:"attempt"`
	Lines   document[[]core.LogLine] `db:"lines"`
	Dropped int                      `db:"dropped"`
}

func idsOf(executions []core.Execution) []string {
	ids := make([]string, len(executions))
	for i, e := range executions {
		ids[i] = e.ID
	}
	return ids
}
