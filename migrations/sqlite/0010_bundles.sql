-- +goose Up

-- The events of one transaction are one row: data is the list of them.
ALTER TABLE outbox ADD COLUMN messages INTEGER NOT NULL DEFAULT 1;

-- +goose Down

INSERT INTO outbox (id, kind, type, task_id, execution_id, data, tries, due_at, created_at)
SELECT m.value ->> '$.id', o.kind, m.value ->> '$.type', m.value ->> '$.taskId', m.value ->> '$.executionId', m.value -> '$.data', o.tries, o.due_at,
    o.created_at
FROM outbox AS o, json_each(o.data) AS m
WHERE o.messages > 1
ORDER BY o.seq, m.key;
DELETE FROM outbox WHERE messages > 1;
ALTER TABLE outbox DROP COLUMN messages;
