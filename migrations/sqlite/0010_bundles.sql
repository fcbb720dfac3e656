-- +goose Up

-- The events of one transaction are one row of the kind events: data is the list
-- of them, of which there are so many. SQLite cannot change a constraint, so the
-- table is made anew, with the numbers going on.
CREATE TABLE outbox_new (
    seq          INTEGER NOT NULL,
    id           TEXT    NOT NULL,
    kind         TEXT    NOT NULL, -- event, events, alert or notification
    type         TEXT    NOT NULL,
    task_id      TEXT    NOT NULL,
    execution_id TEXT    NOT NULL,
    data         TEXT    NOT NULL,
    tries        INTEGER NOT NULL,
    due_at       TEXT    NOT NULL,
    created_at   TEXT    NOT NULL,
    messages     INTEGER NOT NULL DEFAULT 1,
    -- AUTOINCREMENT: a number is not given out again, so that nothing that
    -- settles late hits another message.
    CONSTRAINT outbox_pkey PRIMARY KEY (seq AUTOINCREMENT),
    CONSTRAINT outbox_kind_check CHECK (kind IN ('event', 'events', 'alert', 'notification'))
) STRICT;
INSERT INTO sqlite_sequence (name, seq) SELECT 'outbox_new', seq FROM sqlite_sequence WHERE name = 'outbox';
INSERT INTO outbox_new (seq, id, kind, type, task_id, execution_id, data, tries, due_at, created_at) SELECT seq, id, kind, type, task_id, execution_id, data, tries, due_at, created_at FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;

-- Outbox: the messages of a kind that are due, in order.
CREATE INDEX outbox_kind_idx ON outbox (kind, seq, due_at);

-- Outbox: when the next message of a kind is due. One that was not put off is
-- due at once.
CREATE INDEX outbox_due_idx ON outbox (kind, due_at)
    WHERE tries > 0;

-- +goose Down

-- What follows the first such row gets new numbers, too, so that all stay in order.
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
INSERT INTO outbox_new (seq, id, kind, type, task_id, execution_id, data, tries, due_at, created_at)
SELECT seq, id, kind, type, task_id, execution_id, data, tries, due_at, created_at FROM outbox
WHERE kind IN ('alert', 'notification') OR kind = 'event' AND seq < COALESCE((SELECT MIN(seq) FROM outbox WHERE kind = 'events'), seq + 1);
INSERT INTO outbox_new (id, kind, type, task_id, execution_id, data, tries, due_at, created_at)
SELECT id, 'event', type, task_id, execution_id, data, tries, due_at, created_at
FROM (
    SELECT seq, 0 AS place, id, type, task_id, execution_id, data, tries, due_at, created_at FROM outbox
    WHERE kind = 'event' AND seq > (SELECT MIN(seq) FROM outbox WHERE kind = 'events')
    UNION ALL
    SELECT o.seq, m.key, m.value ->> '$.id', m.value ->> '$.type', m.value ->> '$.taskId', m.value ->> '$.executionId', m.value -> '$.data',
        o.tries, o.due_at, o.created_at
    FROM outbox AS o, json_each(o.data) AS m WHERE o.kind = 'events'
)
ORDER BY seq, place;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;

-- Outbox: the messages of a kind that are due, in order.
CREATE INDEX outbox_kind_idx ON outbox (kind, seq, due_at);

-- Outbox: when the next message of a kind is due. One that was not put off is
-- due at once.
CREATE INDEX outbox_due_idx ON outbox (kind, due_at)
    WHERE tries > 0;
