-- +goose Up

-- Instants are RFC 3339 text in UTC with six decimals, always 27 characters:
-- 2026-03-08T02:30:00.000000Z. They compare as text and read well in a shell.
-- Ids are UUIDs version 7, so that ORDER BY id is the order of creation.

CREATE TABLE schedules (
    id          TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL DEFAULT '',
    timing      TEXT    NOT NULL, -- JSON: all that decides when
    version     INTEGER NOT NULL DEFAULT 1,
    created_at  TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at  TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    CONSTRAINT schedules_pkey PRIMARY KEY (id),
    CONSTRAINT schedules_timing_check CHECK (json_valid(timing))
) STRICT;

-- Dates on which the tasks that name them do not run. Tasks and schedules name
-- them inside timing.
CREATE TABLE calendars (
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    spec       TEXT    NOT NULL, -- JSON: the dates and what happens on them
    version    INTEGER NOT NULL DEFAULT 1,
    created_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    CONSTRAINT calendars_pkey PRIMARY KEY (id),
    CONSTRAINT calendars_name_key UNIQUE (name),
    CONSTRAINT calendars_spec_check CHECK (json_valid(spec))
) STRICT;

CREATE TABLE tasks (
    id              TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    type            TEXT    NOT NULL,
    schedule_type   TEXT    NOT NULL, -- with cron_expression and timezone: copies out of timing, for people and reports
    cron_expression TEXT,
    timezone        TEXT,
    data            TEXT    NOT NULL DEFAULT '{}',
    enabled         INTEGER NOT NULL DEFAULT 1,
    next_run        TEXT,
    last_run        TEXT,
    created_at      TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at      TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    description     TEXT    NOT NULL DEFAULT '',
    schedule_id     TEXT,
    timing          TEXT    NOT NULL, -- JSON: all that decides when
    policy          TEXT    NOT NULL, -- JSON: how its executions are run
    labels          TEXT    NOT NULL DEFAULT '{}',
    next_nominal    TEXT,             -- the instant the schedule asks for; next_run adds windows and jitter
    last_nominal    TEXT,
    runs            INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0, -- in a row
    since           TEXT,             -- dependencies must be later than this
    depends_on      TEXT    NOT NULL DEFAULT '[]', -- JSON array, in the user's order; task_dependencies is for look-ups
    pause_reason    TEXT,             -- NULL when it is not paused; a paused task has no next_run
    version         INTEGER NOT NULL DEFAULT 1,
    CONSTRAINT tasks_pkey PRIMARY KEY (id),
    CONSTRAINT tasks_schedule_fkey FOREIGN KEY (schedule_id) REFERENCES schedules (id) ON DELETE RESTRICT,
    CONSTRAINT tasks_schedule_type_check CHECK (schedule_type IN ('once', 'recurring', 'cron', 'manual', 'dependency')),
    CONSTRAINT tasks_enabled_check CHECK (enabled IN (0, 1)),
    CONSTRAINT tasks_data_check CHECK (json_valid(data)),
    CONSTRAINT tasks_timing_check CHECK (json_valid(timing)),
    CONSTRAINT tasks_policy_check CHECK (json_valid(policy)),
    CONSTRAINT tasks_labels_check CHECK (json_valid(labels))
) STRICT;

-- PlanDue: the due tasks, longest due first, and when the next one is due.
CREATE INDEX idx_tasks_next_run ON tasks (next_run)
    WHERE enabled = 1 AND next_run IS NOT NULL;

-- UpdateSchedule and DeleteSchedule: the tasks of a schedule, by id; also the
-- foreign key's own check.
CREATE INDEX tasks_schedule_idx ON tasks (schedule_id, id)
    WHERE schedule_id IS NOT NULL;

-- Executions that have not ended. The table stays small: what ends moves to
-- task_history in the same transaction. It has no foreign key to tasks: a
-- running execution of a deleted task is asked to end and still writes its end.
CREATE TABLE executions (
    id               TEXT    NOT NULL,
    task_id          TEXT    NOT NULL,
    task_name        TEXT    NOT NULL,
    type             TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    trigger          TEXT    NOT NULL,
    nominal_time     TEXT    NOT NULL,
    due_at           TEXT    NOT NULL,
    start_time       TEXT,
    end_time         TEXT,
    duration         INTEGER,           -- milliseconds
    attempt          INTEGER NOT NULL,
    max_attempts     INTEGER NOT NULL,
    attempts         TEXT    NOT NULL,  -- JSON: the attempts that ended
    error            TEXT,
    error_code       TEXT,
    result           TEXT,
    worker           TEXT    NOT NULL,
    plugin           TEXT    NOT NULL,
    retry_of         TEXT,
    created_at       TEXT    NOT NULL,
    policy           TEXT    NOT NULL,  -- JSON: in force when it was planned
    data             TEXT    NOT NULL,
    hours            TEXT,              -- JSON: when it may start; NULL is at any time
    awaits           TEXT,              -- JSON: the dependencies it waits for; NULL is none, or no more
    token            INTEGER NOT NULL,  -- fencing token of the last claim
    cancel_requested INTEGER NOT NULL,
    limit_paid       INTEGER NOT NULL,
    lease_until      TEXT,
    attempt_start    TEXT,
    judge_at         TEXT,              -- when to look at its dependencies: at once, when one has ended, when patience ends
    queued_at        TEXT,              -- when it was handed to the queue
    rank             TEXT    NOT NULL,  -- the order among waiting ones; with the columns below for indexes
    exclusive_task   TEXT,              -- the task's id when at most one of its executions may run
    concurrency_key  TEXT,
    max_concurrency  INTEGER NOT NULL,
    CONSTRAINT executions_pkey PRIMARY KEY (id),
    CONSTRAINT executions_status_check CHECK (status IN ('pending', 'queued', 'running', 'retrying')),
    CONSTRAINT executions_trigger_check CHECK (trigger IN ('schedule', 'manual', 'retry', 'dependency', 'backfill')),
    CONSTRAINT executions_running_check CHECK (status <> 'running' OR (token > 0 AND lease_until IS NOT NULL AND attempt > 0)),
    CONSTRAINT executions_cancel_requested_check CHECK (cancel_requested IN (0, 1))
) STRICT;

-- Ready: what may be handed to the queue, in its order.
CREATE INDEX executions_ready_idx ON executions (rank, id, due_at)
    WHERE status IN ('pending', 'retrying') AND awaits IS NULL;

-- Ready: when the next one is due.
CREATE INDEX executions_due_idx ON executions (due_at)
    WHERE status IN ('pending', 'retrying') AND awaits IS NULL;

-- Judge: whose dependencies to look at, and when the next ones.
CREATE INDEX executions_judge_idx ON executions (judge_at)
    WHERE awaits IS NOT NULL AND judge_at IS NOT NULL;

-- A dependency has ended: the executions of a task that wait.
CREATE INDEX executions_awaits_idx ON executions (task_id)
    WHERE awaits IS NOT NULL;

-- UnqueueStale: what was handed to the queue long ago.
CREATE INDEX executions_queued_idx ON executions (queued_at)
    WHERE status = 'queued';

-- Reap: expired leases, oldest first.
CREATE INDEX executions_lease_idx ON executions (lease_until)
    WHERE status = 'running';

-- PlanDue, CreateExecution, Cancel and DeleteTask: the live executions of a
-- task by state; Stats: how many are in each state; Executions of a task.
CREATE INDEX executions_task_idx ON executions (task_id, status, id);

-- Ready and Claim: which tasks hold a slot, and how many of each concurrency
-- key are taken.
CREATE INDEX executions_slots_idx ON executions (concurrency_key, status, task_id, type)
    WHERE status IN ('queued', 'running');

-- Claim: an exclusive task runs once at a time, whatever the code believes.
CREATE UNIQUE INDEX executions_exclusive_running_key ON executions (exclusive_task)
    WHERE exclusive_task IS NOT NULL AND status = 'running';

-- PlanDue: one occurrence becomes one execution.
CREATE UNIQUE INDEX executions_occurrence_key ON executions (task_id, nominal_time)
    WHERE trigger = 'schedule';

-- CreateExecution: a finished execution is retried once at a time.
CREATE UNIQUE INDEX executions_retry_of_key ON executions (retry_of)
    WHERE retry_of IS NOT NULL;

-- Executions that have ended; rows are added and pruned, never changed. It has
-- no foreign key to tasks: history outlives its task.
CREATE TABLE task_history (
    id               TEXT    NOT NULL,
    task_id          TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    start_time       TEXT,
    end_time         TEXT    NOT NULL,
    duration         INTEGER,           -- milliseconds
    error            TEXT,
    result           TEXT,
    created_at       TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    task_name        TEXT    NOT NULL,
    type             TEXT    NOT NULL,
    trigger          TEXT    NOT NULL,
    nominal_time     TEXT    NOT NULL,
    due_at           TEXT    NOT NULL,
    attempt          INTEGER NOT NULL,
    max_attempts     INTEGER NOT NULL,
    attempts         TEXT    NOT NULL,
    error_code       TEXT,
    worker           TEXT    NOT NULL,
    plugin           TEXT    NOT NULL,
    retry_of         TEXT,
    policy           TEXT    NOT NULL,  -- with data: what a retry runs again
    data             TEXT    NOT NULL,
    hours            TEXT,
    awaits           TEXT,
    token            INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL,
    limit_paid       INTEGER NOT NULL,
    lease_until      TEXT,
    attempt_start    TEXT,
    CONSTRAINT task_history_pkey PRIMARY KEY (id),
    CONSTRAINT task_history_status_check CHECK (status IN ('succeeded', 'failed', 'cancelled', 'lost', 'skipped', 'missed'))
) STRICT;

-- Reports by start of the attempts of a task.
CREATE INDEX idx_task_history_task_id_start_time ON task_history (task_id, start_time);

-- Occurred: which occurrences of a task have been executed.
CREATE INDEX task_history_nominal_idx ON task_history (task_id, nominal_time)
    WHERE status = 'succeeded';

-- Dependencies: when a task last ended well, and badly.
CREATE INDEX task_history_end_idx ON task_history (task_id, status, end_time);

-- Executions: the history of a task, newest first.
CREATE INDEX task_history_task_idx ON task_history (task_id, id);

-- Executions: the history in a state (failed above all), newest first.
CREATE INDEX task_history_status_idx ON task_history (status, id);

-- Executions: the history of a task type, newest first.
CREATE INDEX task_history_type_idx ON task_history (type, id);

-- Executions: the history between two instants; Prune: what is oldest.
CREATE INDEX task_history_created_idx ON task_history (created_at, id);

-- What plugins logged. An attempt that was handed back runs again under its
-- number, so the number alone is no key. No foreign key: the execution moves
-- from executions to task_history.
CREATE TABLE execution_logs (
    id           INTEGER NOT NULL,
    execution_id TEXT    NOT NULL,
    attempt      INTEGER NOT NULL,
    lines        TEXT    NOT NULL, -- JSON array
    dropped      INTEGER NOT NULL,
    CONSTRAINT execution_logs_pkey PRIMARY KEY (id)
) STRICT;

-- ExecutionLogs, and Prune of the execution's logs.
CREATE INDEX execution_logs_execution_idx ON execution_logs (execution_id, id);

CREATE TABLE task_dependencies (
    id         TEXT NOT NULL,
    task_id    TEXT NOT NULL,
    depends_on TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    CONSTRAINT task_dependencies_pkey PRIMARY KEY (id),
    CONSTRAINT task_dependencies_task_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT task_dependencies_depends_on_fkey FOREIGN KEY (depends_on) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT task_dependencies_key UNIQUE (task_id, depends_on),
    CONSTRAINT task_dependencies_self_check CHECK (task_id <> depends_on)
) STRICT;

-- The dependents of a task, and the foreign key's own check.
CREATE INDEX task_dependencies_depends_on_idx ON task_dependencies (depends_on);

-- Leases on names. A lease on a task dies with it.
CREATE TABLE task_locks (
    id         TEXT    NOT NULL,
    task_id    TEXT,
    lock_until TEXT    NOT NULL,
    created_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    name       TEXT    NOT NULL,
    owner      TEXT    NOT NULL,
    token      INTEGER NOT NULL,
    CONSTRAINT task_locks_pkey PRIMARY KEY (id),
    CONSTRAINT task_locks_name_key UNIQUE (name),
    CONSTRAINT task_locks_task_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
) STRICT;

-- Expired leases.
CREATE INDEX idx_task_locks_lock_until ON task_locks (lock_until);

-- The foreign key's own check when a task is deleted.
CREATE INDEX task_locks_task_idx ON task_locks (task_id)
    WHERE task_id IS NOT NULL;

CREATE TABLE idempotency_keys (
    key         TEXT NOT NULL, -- scope and the caller's key
    fingerprint TEXT NOT NULL, -- digest of the request
    resource_id TEXT NOT NULL, -- what the request made
    created_at  TEXT NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;

-- Prune: the oldest keys.
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

-- The last fencing token that was given out: one row for the whole database,
-- so that a later token is always the greater one.
CREATE TABLE fencing (
    name  TEXT    NOT NULL,
    token INTEGER NOT NULL,
    CONSTRAINT fencing_pkey PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;

INSERT INTO fencing (name, token) VALUES ('claim', 0);

-- +goose Down

DROP TABLE fencing;
DROP TABLE idempotency_keys;
DROP TABLE task_locks;
DROP TABLE task_dependencies;
DROP TABLE execution_logs;
DROP TABLE task_history;
DROP TABLE executions;
DROP TABLE tasks;
DROP TABLE calendars;
DROP TABLE schedules;
