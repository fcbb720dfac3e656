-- +goose Up

-- A rate limit is asked when an attempt starts; nothing is paid before.
ALTER TABLE executions DROP COLUMN limit_paid;
ALTER TABLE task_history DROP COLUMN limit_paid;

-- Ready: the rate limit that an execution starts under; a copy out of policy.
ALTER TABLE executions ADD COLUMN rate_key text COLLATE "C";

-- +goose Down

ALTER TABLE executions DROP COLUMN rate_key;
ALTER TABLE task_history ADD COLUMN limit_paid boolean NOT NULL DEFAULT false;
ALTER TABLE executions ADD COLUMN limit_paid boolean NOT NULL DEFAULT false;
