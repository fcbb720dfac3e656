package sqlstore

import (
	"encoding/json"

	"github.com/nexuscore/scheduler/core"
)

// taskColumns lists the columns of tasks in the order of taskRow.args.
const taskColumns = `id, name, type, schedule_type, cron_expression, timezone, data, enabled, next_run, last_run,
	created_at, updated_at, description, schedule_id, timing, policy, labels, next_nominal, last_nominal, runs, failures,
	since, depends_on, pause_reason, version`

const taskColumnCount = 25

// taskSelect lists what taskRow reads. The starts of what still runs are not
// noted on the task yet: see noteRuns.
const taskSelect = taskColumns + `,
	(SELECT MAX(attempt_start) FROM executions WHERE task_id = tasks.id AND ` + hereRunning + `) AS running_since`

// taskRow is a row of tasks. The columns that are copies out of timing
// (schedule_type, cron_expression, timezone) are written and never read.
type taskRow struct {
	ID             string                      `db:"id"`
	Name           string                      `db:"name"`
	Type           string                      `db:"type"`
	ScheduleType   core.ScheduleType           `db:"schedule_type"`
	CronExpression *string                     `db:"cron_expression"`
	Timezone       *string                     `db:"timezone"`
	Data           rawJSON                     `db:"data"`
	Enabled        bool                        `db:"enabled"`
	NextRun        timestamp                   `db:"next_run"`
	LastRun        timestamp                   `db:"last_run"`
	CreatedAt      timestamp                   `db:"created_at"`
	UpdatedAt      timestamp                   `db:"updated_at"`
	Description    string                      `db:"description"`
	ScheduleID     *string                     `db:"schedule_id"`
	Timing         document[core.Timing]       `db:"timing"`
	Policy         document[core.Policy]       `db:"policy"`
	Labels         document[map[string]string] `db:"labels"`
	NextNominal    timestamp                   `db:"next_nominal"`
	LastNominal    timestamp                   `db:"last_nominal"`
	Runs           int                         `db:"runs"`
	Failures       int                         `db:"failures"`
	Since          timestamp                   `db:"since"`
	DependsOn      document[[]string]          `db:"depends_on"`
	PauseReason    *string                     `db:"pause_reason"`
	Version        int64                       `db:"version"`
	RunningSince   timestamp                   `db:"running_since"`
}

func (r taskRow) lastRun() timestamp {
	if r.RunningSince.After(r.LastRun.Time) {
		return r.RunningSince
	}
	return r.LastRun
}

func (r taskRow) task() core.Task {
	return core.Task{
		ID: r.ID,
		TaskSpec: core.TaskSpec{
			Name: r.Name, Description: r.Description, Type: r.Type,
			Timing: r.Timing.value, ScheduleID: r.ScheduleID, Policy: r.Policy.value,
			DependsOn: r.DependsOn.value, Data: json.RawMessage(r.Data), Labels: r.Labels.value, Enabled: r.Enabled,
		},
		NextRun: r.NextRun.pointer(), LastRun: r.lastRun().pointer(), PauseReason: r.PauseReason,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time, Version: r.Version,
		Plan: core.PlanState{
			NextNominal: r.NextNominal.pointer(), LastNominal: r.LastNominal.pointer(), Runs: r.Runs, Failures: r.Failures,
			Since: r.Since.pointer(),
		},
	}
}

// taskArgs lists the values of a task in the order of taskColumns.
func taskArgs(t core.Task) []any {
	return []any{
		t.ID, t.Name, t.Type, t.ScheduleType, nullable(t.CronExpression), nullable(t.Timezone),
		rawJSON(t.Data), t.Enabled, stampOf(t.NextRun), stampOf(t.LastRun),
		stamp(t.CreatedAt), stamp(t.UpdatedAt), t.Description, t.ScheduleID,
		document[core.Timing]{t.Timing}, document[core.Policy]{t.Policy}, document[map[string]string]{t.Labels},
		stampOf(t.Plan.NextNominal), stampOf(t.Plan.LastNominal), t.Plan.Runs, t.Plan.Failures,
		stampOf(t.Plan.Since), document[[]string]{t.DependsOn}, t.PauseReason, t.Version,
	}
}

func tasksOf(rows []taskRow) []core.Task {
	tasks := make([]core.Task, len(rows))
	for i, r := range rows {
		tasks[i] = r.task()
	}
	return tasks
}

// scheduleColumns lists the columns of schedules in the order of scheduleArgs.
const scheduleColumns = `id, name, description, timing, version, created_at, updated_at`

const scheduleColumnCount = 7

type scheduleRow struct {
	ID          string                `db:"id"`
	Name        string                `db:"name"`
	Description string                `db:"description"`
	Timing      document[core.Timing] `db:"timing"`
	Version     int64                 `db:"version"`
	CreatedAt   timestamp             `db:"created_at"`
	UpdatedAt   timestamp             `db:"updated_at"`
}

func (r scheduleRow) schedule() core.Schedule {
	return core.Schedule{
		ID:           r.ID,
		ScheduleSpec: core.ScheduleSpec{Name: r.Name, Description: r.Description, Timing: r.Timing.value},
		CreatedAt:    r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time, Version: r.Version,
	}
}

func scheduleArgs(s core.Schedule) []any {
	return []any{
		s.ID, s.Name, s.Description, document[core.Timing]{s.Timing}, s.Version,
		stamp(s.CreatedAt), stamp(s.UpdatedAt),
	}
}
