-- +goose Up

-- What a running attempt says about itself. Both go with the row when the
-- execution ends.
ALTER TABLE executions ADD COLUMN progress TEXT;   -- JSON: how far it is; NULL is nothing said
ALTER TABLE executions ADD COLUMN checkpoint TEXT; -- JSON, for the attempt that goes on with the work

-- What plugins notify waits in the outbox, too. SQLite cannot change a
-- constraint, so the table is made anew, with the numbers going on.
CREATE TABLE outbox_new (
    seq          INTEGER NOT NULL,
    id           TEXT    NOT NULL,
    kind         TEXT    NOT NULL, -- event, alert or notification
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
    CONSTRAINT outbox_kind_check CHECK (kind IN ('event', 'alert', 'notification'))
) STRICT;
INSERT INTO sqlite_sequence (name, seq) SELECT 'outbox_new', seq FROM sqlite_sequence WHERE name = 'outbox';
INSERT INTO outbox_new SELECT * FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;

-- Outbox: the messages of a kind that are due, in order.
CREATE INDEX outbox_kind_idx ON outbox (kind, seq, due_at);

-- Outbox: when the next message of a kind is due.
CREATE INDEX outbox_due_idx ON outbox (kind, due_at);

-- Prune: what nobody took.
CREATE INDEX outbox_created_idx ON outbox (created_at);

-- +goose Down

DELETE FROM outbox WHERE kind = 'notification';
CREATE TABLE outbox_new (
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
INSERT INTO sqlite_sequence (name, seq) SELECT 'outbox_new', seq FROM sqlite_sequence WHERE name = 'outbox';
INSERT INTO outbox_new SELECT * FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;

-- Outbox: the messages of a kind that are due, in order.
CREATE INDEX outbox_kind_idx ON outbox (kind, seq, due_at);

-- Outbox: when the next message of a kind is due.
CREATE INDEX outbox_due_idx ON outbox (kind, due_at);

-- Prune: what nobody took.
CREATE INDEX outbox_created_idx ON outbox (created_at);

ALTER TABLE executions DROP COLUMN checkpoint;
ALTER TABLE executions DROP COLUMN progress;
