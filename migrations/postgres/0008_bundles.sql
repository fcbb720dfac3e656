-- +goose Up

-- The events of one transaction are one row of the kind events: data is the list
-- of them, of which there are so many. A node that knows only the kind event
-- leaves them to one that knows both. They live for less than a second, which is
-- not worth compressing them for.
ALTER TABLE outbox ADD COLUMN messages bigint NOT NULL DEFAULT 1;
ALTER TABLE outbox ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('event', 'events', 'alert', 'notification'));

-- +goose Down

-- What follows the first such row is written again, too, so that all stay in order.
CREATE TEMPORARY TABLE later ON COMMIT DROP AS
SELECT * FROM outbox WHERE kind IN ('event', 'events') AND seq >= (SELECT MIN(seq) FROM outbox WHERE kind = 'events');
DELETE FROM outbox WHERE seq IN (SELECT seq FROM later);
INSERT INTO outbox (id, kind, type, task_id, execution_id, data, tries, due_at, created_at)
SELECT id, 'event', type, task_id, execution_id, data, tries, due_at, created_at
FROM (
    SELECT seq, 0 AS place, id, type, task_id, execution_id, data, tries, due_at, created_at FROM later WHERE kind = 'event'
    UNION ALL
    SELECT seq, m.place, m.value ->> 'id', m.value ->> 'type', m.value ->> 'taskId', m.value ->> 'executionId', m.value -> 'data',
        tries, due_at, created_at
    FROM (SELECT * FROM later WHERE kind = 'events') AS l, json_array_elements(l.data) WITH ORDINALITY AS m (value, place)
) AS single
ORDER BY seq, place;
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('event', 'alert', 'notification'));
ALTER TABLE outbox ALTER COLUMN data SET STORAGE EXTENDED;
ALTER TABLE outbox DROP COLUMN messages;
