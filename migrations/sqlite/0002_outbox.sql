-- +goose Up

-- Messages for the outside, written in the transaction that makes them true and
-- removed when they are delivered.
CREATE TABLE outbox (
    seq          INTEGER NOT NULL,
    id           TEXT    NOT NULL,
    kind         TEXT    NOT NULL, -- event or alert
    type         TEXT    NOT NULL,
    task_id      TEXT    NOT NULL,
    execution_id TEXT    NOT NULL,
    data         TEXT    NOT NULL,
    tries        INTEGER NOT NULL,
    due_at       TEXT    NOT NULL,
    created_at   TEXT    NOT NULL,
    -- AUTOINCREMENT: a number is not given out again, so that nothing that
    -- settles late hits another message.
    CONSTRAINT outbox_pkey PRIMARY KEY (seq AUTOINCREMENT),
    CONSTRAINT outbox_kind_check CHECK (kind IN ('event', 'alert'))
) STRICT;

-- Outbox: the messages of a kind that are due, in order.
CREATE INDEX outbox_kind_idx ON outbox (kind, seq, due_at);

-- Outbox: when the next message of a kind is due.
CREATE INDEX outbox_due_idx ON outbox (kind, due_at);

-- Prune: what nobody took.
CREATE INDEX outbox_created_idx ON outbox (created_at);

-- When people are told that it has not started.
ALTER TABLE executions ADD COLUMN late_at TEXT;
ALTER TABLE task_history ADD COLUMN late_at TEXT;

-- RaiseLate: what is late, and when the next one is.
CREATE INDEX executions_late_idx ON executions (late_at)
    WHERE late_at IS NOT NULL;

-- +goose Down

DROP INDEX executions_late_idx;
ALTER TABLE task_history DROP COLUMN late_at;
ALTER TABLE executions DROP COLUMN late_at;
DROP TABLE outbox;
