-- +goose Up

-- Every state of an execution changes its row, and the indexes that have its
-- columns, so an index is only worth having for rows that need it.

-- Ready and Claim: how many slots of each concurrency key are taken. Those of a
-- type are counted by executions_queued_idx and executions_lease_idx.
DROP INDEX executions_slots_idx;
CREATE INDEX executions_slots_idx ON executions (concurrency_key)
    WHERE status IN ('queued', 'running') AND concurrency_key IS NOT NULL;

-- Outbox: when the next message of a kind is due. One that was not put off is
-- due at once.
DROP INDEX outbox_due_idx;
CREATE INDEX outbox_due_idx ON outbox (kind, due_at)
    WHERE tries > 0;

-- Prune goes by seq.
DROP INDEX outbox_created_idx;

-- +goose Down

CREATE INDEX outbox_created_idx ON outbox (created_at);
DROP INDEX outbox_due_idx;
CREATE INDEX outbox_due_idx ON outbox (kind, due_at);
DROP INDEX executions_slots_idx;
CREATE INDEX executions_slots_idx ON executions (concurrency_key, status, task_id, type)
    WHERE status IN ('queued', 'running');
