-- +goose Up

-- Ids are UUIDs version 7 as text that compares byte by byte, so that ORDER BY
-- id is the order of creation and an id that is no UUID is merely not found.
-- Documents that are handed on as they came are json, which keeps every byte;
-- those that are looked into are jsonb.

CREATE TABLE schedules (
    id          text COLLATE "C" NOT NULL,
    name        text             NOT NULL,
    description text             NOT NULL DEFAULT '',
    timing      jsonb            NOT NULL, -- all that decides when
    version     bigint           NOT NULL DEFAULT 1,
    created_at  timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at  timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schedules_pkey PRIMARY KEY (id)
);

-- Dates on which the tasks that name them do not run. Tasks and schedules name
-- them inside timing.
CREATE TABLE calendars (
    id         text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    spec       json             NOT NULL, -- the dates and what happens on them
    version    bigint           NOT NULL DEFAULT 1,
    created_at timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT calendars_pkey PRIMARY KEY (id),
    CONSTRAINT calendars_name_key UNIQUE (name)
);

-- Every plan and every claim updates a row here. Room in the pages lets most
-- updates stay in theirs, and the vacuum comes by number and not by share, so
-- that it comes in time however large the table is.
CREATE TABLE tasks (
    id              text COLLATE "C" NOT NULL,
    name            text             NOT NULL,
    type            text COLLATE "C" NOT NULL,
    schedule_type   text             NOT NULL, -- with cron_expression and timezone: copies out of timing, for people and reports
    cron_expression text,
    timezone        text,
    data            json             NOT NULL DEFAULT '{}',
    enabled         boolean          NOT NULL DEFAULT true,
    next_run        timestamptz,
    last_run        timestamptz,
    created_at      timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at      timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    description     text             NOT NULL DEFAULT '',
    schedule_id     text COLLATE "C",
    timing          jsonb            NOT NULL, -- all that decides when
    policy          json             NOT NULL, -- how its executions are run
    labels          jsonb            NOT NULL DEFAULT '{}',
    next_nominal    timestamptz,               -- the instant the schedule asks for; next_run adds windows and jitter
    last_nominal    timestamptz,
    runs            bigint           NOT NULL DEFAULT 0,
    failures        bigint           NOT NULL DEFAULT 0, -- in a row
    since           timestamptz,               -- dependencies must be later than this
    depends_on      json             NOT NULL DEFAULT '[]', -- in the user's order; task_dependencies is for look-ups
    pause_reason    text,                      -- NULL when it is not paused; a paused task has no next_run
    version         bigint           NOT NULL DEFAULT 1,
    CONSTRAINT tasks_pkey PRIMARY KEY (id),
    CONSTRAINT tasks_schedule_fkey FOREIGN KEY (schedule_id) REFERENCES schedules (id) ON DELETE RESTRICT,
    CONSTRAINT tasks_schedule_type_check CHECK (schedule_type IN ('once', 'recurring', 'cron', 'manual', 'dependency'))
) WITH (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0
);

-- PlanDue: the due tasks, longest due first, and when the next one is due.
CREATE INDEX idx_tasks_next_run ON tasks (next_run)
    WHERE enabled AND next_run IS NOT NULL;

-- UpdateSchedule and DeleteSchedule: the tasks of a schedule, by id; also the
-- foreign key's own check.
CREATE INDEX tasks_schedule_idx ON tasks (schedule_id, id)
    WHERE schedule_id IS NOT NULL;

-- Executions that have not ended. The table stays small: what ends moves to
-- task_history in the same transaction. It has no foreign key to tasks: a
-- running execution of a deleted task is asked to end and still writes its end.
-- A row lives for seconds and is written three times, so the vacuum comes early.
CREATE TABLE executions (
    id               text COLLATE "C" NOT NULL,
    task_id          text COLLATE "C" NOT NULL,
    task_name        text             NOT NULL,
    type             text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL,
    trigger          text COLLATE "C" NOT NULL,
    nominal_time     timestamptz      NOT NULL,
    due_at           timestamptz      NOT NULL,
    start_time       timestamptz,
    end_time         timestamptz,
    duration         bigint,                    -- milliseconds
    attempt          bigint           NOT NULL,
    max_attempts     bigint           NOT NULL,
    attempts         json             NOT NULL, -- the attempts that ended
    error            text,
    error_code       text,
    result           json,
    worker           text             NOT NULL,
    plugin           text             NOT NULL,
    retry_of         text COLLATE "C",
    created_at       timestamptz      NOT NULL,
    policy           json             NOT NULL, -- in force when it was planned
    data             json             NOT NULL,
    hours            json,                      -- when it may start; NULL is at any time
    awaits           json,                      -- the dependencies it waits for; NULL is none, or no more
    token            bigint           NOT NULL, -- fencing token of the last claim
    cancel_requested boolean          NOT NULL,
    limit_paid       boolean          NOT NULL,
    lease_until      timestamptz,
    attempt_start    timestamptz,
    late_at          timestamptz,               -- when people are told that it has not started
    judge_at         timestamptz,               -- when to look at its dependencies: at once, when one has ended, when patience ends
    queued_at        timestamptz,               -- when it was handed to the queue
    rank             timestamptz      NOT NULL, -- the order among waiting ones; with the columns below for indexes
    exclusive_task   text COLLATE "C",          -- the task's id when at most one of its executions may run
    concurrency_key  text COLLATE "C",
    max_concurrency  bigint           NOT NULL,
    CONSTRAINT executions_pkey PRIMARY KEY (id),
    CONSTRAINT executions_status_check CHECK (status IN ('pending', 'queued', 'running', 'retrying')),
    CONSTRAINT executions_trigger_check CHECK (trigger IN ('schedule', 'manual', 'retry', 'dependency', 'backfill')),
    CONSTRAINT executions_running_check CHECK (status <> 'running' OR (token > 0 AND lease_until IS NOT NULL AND attempt > 0))
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);

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

-- RaiseLate: what is late, and when the next one is.
CREATE INDEX executions_late_idx ON executions (late_at)
    WHERE late_at IS NOT NULL;

-- Reap: expired leases, oldest first.
CREATE INDEX executions_lease_idx ON executions (lease_until)
    WHERE status = 'running';

-- PlanDue, CreateExecution, Cancel and DeleteTask: the live executions of a
-- task by state; Claim: whether an exclusive task runs; Stats: how many are in
-- each state; Executions of a task.
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
-- no foreign key to tasks: history outlives its task. A partition holds the
-- executions made in one week; the service makes them ahead and drops the oldest.
CREATE TABLE task_history (
    id               text COLLATE "C" NOT NULL,
    task_id          text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL,
    start_time       timestamptz,
    end_time         timestamptz      NOT NULL,
    duration         bigint,                    -- milliseconds
    error            text,
    result           json,
    created_at       timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    task_name        text             NOT NULL,
    type             text COLLATE "C" NOT NULL,
    trigger          text COLLATE "C" NOT NULL,
    nominal_time     timestamptz      NOT NULL,
    due_at           timestamptz      NOT NULL,
    attempt          bigint           NOT NULL,
    max_attempts     bigint           NOT NULL,
    attempts         json             NOT NULL,
    error_code       text,
    worker           text             NOT NULL,
    plugin           text             NOT NULL,
    retry_of         text COLLATE "C",
    policy           json             NOT NULL, -- with data: what a retry runs again
    data             json             NOT NULL,
    hours            json,
    awaits           json,
    token            bigint           NOT NULL,
    cancel_requested boolean          NOT NULL,
    limit_paid       boolean          NOT NULL,
    lease_until      timestamptz,
    attempt_start    timestamptz,
    late_at          timestamptz,
    CONSTRAINT task_history_pkey PRIMARY KEY (id),
    CONSTRAINT task_history_status_check CHECK (status IN ('succeeded', 'failed', 'cancelled', 'lost', 'skipped', 'missed'))
) PARTITION BY RANGE (id);

-- Takes what no other partition does: the node's clock was far off, or nobody
-- has made the partition yet.
CREATE TABLE task_history_default PARTITION OF task_history DEFAULT;

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

CREATE SEQUENCE execution_logs_id_seq;

-- What plugins logged. An attempt that was handed back runs again under its
-- number, so the number alone is no key. No foreign key: the execution moves
-- from executions to task_history. Partitioned as task_history is, so that both
-- go together.
CREATE TABLE execution_logs (
    id           bigint           NOT NULL DEFAULT nextval('execution_logs_id_seq'),
    execution_id text COLLATE "C" NOT NULL,
    attempt      bigint           NOT NULL,
    lines        json             NOT NULL,
    dropped      bigint           NOT NULL,
    CONSTRAINT execution_logs_pkey PRIMARY KEY (execution_id, id) -- ExecutionLogs, and Prune of the execution's logs
) PARTITION BY RANGE (execution_id);

ALTER SEQUENCE execution_logs_id_seq OWNED BY execution_logs.id;

-- As task_history_default.
CREATE TABLE execution_logs_default PARTITION OF execution_logs DEFAULT;

CREATE TABLE task_dependencies (
    id         text COLLATE "C" NOT NULL,
    task_id    text COLLATE "C" NOT NULL,
    depends_on text COLLATE "C" NOT NULL,
    created_at timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT task_dependencies_pkey PRIMARY KEY (id),
    CONSTRAINT task_dependencies_task_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT task_dependencies_depends_on_fkey FOREIGN KEY (depends_on) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT task_dependencies_key UNIQUE (task_id, depends_on),
    CONSTRAINT task_dependencies_self_check CHECK (task_id <> depends_on)
);

-- The dependents of a task, and the foreign key's own check.
CREATE INDEX task_dependencies_depends_on_idx ON task_dependencies (depends_on);

-- Leases on names. A lease on a task dies with it. Few rows, often renewed.
CREATE TABLE task_locks (
    id         text COLLATE "C" NOT NULL,
    task_id    text COLLATE "C",
    lock_until timestamptz      NOT NULL,
    created_at timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    name       text COLLATE "C" NOT NULL,
    owner      text             NOT NULL,
    token      bigint           NOT NULL,
    CONSTRAINT task_locks_pkey PRIMARY KEY (id),
    CONSTRAINT task_locks_name_key UNIQUE (name),
    CONSTRAINT task_locks_task_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Expired leases.
CREATE INDEX idx_task_locks_lock_until ON task_locks (lock_until);

-- The foreign key's own check when a task is deleted.
CREATE INDEX task_locks_task_idx ON task_locks (task_id)
    WHERE task_id IS NOT NULL;

-- How much of each rate limit is used. The other columns are the last request
-- and its answer; times are microseconds, instants since 1970.
CREATE TABLE rate_limits (
    key      text COLLATE "C" NOT NULL,
    full_at  bigint           NOT NULL, -- when the whole allowance is back
    at       bigint           NOT NULL,
    asked    bigint           NOT NULL,
    granted  bigint           NOT NULL,
    distance bigint           NOT NULL, -- between two starts
    burst    bigint           NOT NULL, -- distance times limit
    CONSTRAINT rate_limits_pkey PRIMARY KEY (key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE idempotency_keys (
    key         text COLLATE "C" NOT NULL, -- scope and the caller's key
    fingerprint text             NOT NULL, -- digest of the request
    resource_id text COLLATE "C" NOT NULL, -- what the request made
    created_at  timestamptz      NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key)
);

-- Prune: the oldest keys.
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

-- Messages for the outside, written in the transaction that makes them true and
-- removed when they are delivered. A number is not given out again, so that
-- nothing that settles late hits another message.
CREATE TABLE outbox (
    seq          bigint           NOT NULL GENERATED ALWAYS AS IDENTITY,
    id           text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL, -- event or alert
    type         text             NOT NULL,
    task_id      text COLLATE "C" NOT NULL,
    execution_id text COLLATE "C" NOT NULL,
    data         json             NOT NULL,
    tries        bigint           NOT NULL,
    due_at       timestamptz      NOT NULL,
    created_at   timestamptz      NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (seq),
    CONSTRAINT outbox_kind_check CHECK (kind IN ('event', 'alert'))
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);

-- Outbox: the messages of a kind that are due, in order.
CREATE INDEX outbox_kind_idx ON outbox (kind, seq, due_at);

-- Outbox: when the next message of a kind is due.
CREATE INDEX outbox_due_idx ON outbox (kind, due_at);

-- Prune: what nobody took.
CREATE INDEX outbox_created_idx ON outbox (created_at);

-- The nodes that share the database. A few rows; read as a whole.
CREATE TABLE nodes (
    id         text COLLATE "C" NOT NULL,
    version    text             NOT NULL,
    started_at timestamptz      NOT NULL,
    seen_at    timestamptz      NOT NULL,
    load       json             NOT NULL,
    plugins    json             NOT NULL,
    CONSTRAINT nodes_pkey PRIMARY KEY (id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Fencing tokens of executions and of leases: a later one is always greater.
CREATE SEQUENCE claim_tokens;
CREATE SEQUENCE lock_tokens;

-- +goose Down

DROP SEQUENCE lock_tokens;
DROP SEQUENCE claim_tokens;
DROP TABLE nodes;
DROP TABLE outbox;
DROP TABLE idempotency_keys;
DROP TABLE rate_limits;
DROP TABLE task_locks;
DROP TABLE task_dependencies;
DROP TABLE execution_logs;
DROP TABLE task_history;
DROP TABLE executions;
DROP TABLE tasks;
DROP TABLE calendars;
DROP TABLE schedules;
