-- +goose Up

-- What a running attempt says about itself. Both go with the row when the
-- execution ends.
ALTER TABLE executions ADD COLUMN progress json;   -- how far it is; NULL is nothing said
ALTER TABLE executions ADD COLUMN checkpoint json; -- for the attempt that goes on with the work

-- What plugins notify waits in the outbox, too.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('event', 'alert', 'notification'));

-- +goose Down

DELETE FROM outbox WHERE kind = 'notification';
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('event', 'alert'));
ALTER TABLE executions DROP COLUMN checkpoint;
ALTER TABLE executions DROP COLUMN progress;
