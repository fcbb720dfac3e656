-- +goose Up

-- The nodes that share the database. A few rows; read as a whole.
CREATE TABLE nodes (
    id         TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at TEXT NOT NULL,
    seen_at    TEXT NOT NULL,
    load       TEXT NOT NULL, -- JSON
    plugins    TEXT NOT NULL, -- JSON array
    CONSTRAINT nodes_pkey PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE nodes;
