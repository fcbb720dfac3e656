-- +goose Up

-- What plugins remember from run to run, by task type.
CREATE TABLE plugin_state (
    owner      text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    value      json             NOT NULL,
    updated_at timestamptz      NOT NULL,
    expires_at timestamptz,
    CONSTRAINT plugin_state_pkey PRIMARY KEY (owner, key)
);

-- Prune: what has expired.
CREATE INDEX plugin_state_expires_idx ON plugin_state (expires_at)
    WHERE expires_at IS NOT NULL;

-- +goose Down

DROP TABLE plugin_state;
