-- +goose Up

-- What plugins remember from run to run, by task type.
CREATE TABLE plugin_state (
    owner      TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL, -- JSON
    updated_at TEXT NOT NULL,
    expires_at TEXT,
    CONSTRAINT plugin_state_pkey PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

-- Prune: what has expired.
CREATE INDEX plugin_state_expires_idx ON plugin_state (expires_at)
    WHERE expires_at IS NOT NULL;

-- +goose Down

DROP TABLE plugin_state;
