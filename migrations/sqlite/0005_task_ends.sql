-- +goose Up

-- When tasks that others depend on last ended in a state, as far as their
-- history does not tell any more: what is pruned is remembered here.
CREATE TABLE task_ends (
    task_id  TEXT NOT NULL,
    status   TEXT NOT NULL,
    end_time TEXT NOT NULL,
    CONSTRAINT task_ends_pkey PRIMARY KEY (task_id, status),
    CONSTRAINT task_ends_task_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE task_ends;
