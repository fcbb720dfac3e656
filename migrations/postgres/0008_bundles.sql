-- +goose Up

-- The events of one transaction are one row: data is the list of them.
-- It lives for less than a second, which is not worth compressing it for.
ALTER TABLE outbox ADD COLUMN messages bigint NOT NULL DEFAULT 1;
ALTER TABLE outbox ALTER COLUMN data SET STORAGE EXTERNAL;

-- +goose Down

INSERT INTO outbox (id, kind, type, task_id, execution_id, data, tries, due_at, created_at)
SELECT m.value ->> 'id', o.kind, m.value ->> 'type', m.value ->> 'taskId', m.value ->> 'executionId', m.value -> 'data', o.tries, o.due_at,
    CAST(m.value ->> 'time' AS timestamptz)
FROM outbox AS o, json_array_elements(CASE WHEN o.messages > 1 THEN o.data ELSE '[]' END) WITH ORDINALITY AS m (value, place)
WHERE o.messages > 1
ORDER BY o.seq, m.place;
DELETE FROM outbox WHERE messages > 1;
ALTER TABLE outbox ALTER COLUMN data SET STORAGE EXTENDED;
ALTER TABLE outbox DROP COLUMN messages;
