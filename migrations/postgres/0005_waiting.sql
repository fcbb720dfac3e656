-- +goose Up

-- RaiseLate: what is late, and when the next one is. One that has started in
-- time keeps its late_at, in case it is handed back, and is not looked at.
DROP INDEX executions_late_idx;
CREATE INDEX executions_late_idx ON executions (late_at)
    WHERE late_at IS NOT NULL AND (start_time IS NULL OR start_time >= late_at);

-- Dependencies: when an execution of a task last did not run because of a
-- dependency of its own.
CREATE INDEX task_history_dependency_idx ON task_history (task_id, end_time)
    WHERE status = 'skipped' AND error_code = 'DEPENDENCY_FAILED';

-- +goose Down

DROP INDEX task_history_dependency_idx;
DROP INDEX executions_late_idx;
CREATE INDEX executions_late_idx ON executions (late_at)
    WHERE late_at IS NOT NULL;
