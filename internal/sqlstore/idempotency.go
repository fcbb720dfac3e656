package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/nexuscore/scheduler/core"
)

// madeBefore returns the id of what the request with this key made when it came
// for the first time, if it did. It fails with ErrIdempotencyReuse when that
// was a different request.
func (c conn) madeBefore(ctx context.Context, key *core.Idempotency) (id string, found bool, err error) {
	if key == nil {
		return "", false, nil
	}
	var used struct {
		Fingerprint string `db:"fingerprint"`
		ResourceID  string `db:"resource_id"`
	}
	err = c.get(ctx, &used, `SELECT fingerprint, resource_id FROM idempotency_keys WHERE key = ?`, key.Key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, err
	case used.Fingerprint != key.Fingerprint:
		return "", false, core.ErrIdempotencyReuse
	}
	return used.ResourceID, true, nil
}

// replay returns what the request with this key made before, as it is now. What
// was made and is gone leaves its key free.
func replay[T any](ctx context.Context, c conn, key *core.Idempotency,
	read func(ctx context.Context, id string) (T, error),
) (made T, found bool, err error) {
	if key != nil {
		if err := c.hold(ctx, "request "+key.Key); err != nil {
			return made, false, err
		}
	}
	id, found, err := c.madeBefore(ctx, key)
	if err != nil || !found {
		return made, false, err
	}
	made, err = read(ctx, id)
	if core.CodeOf(err) == core.CodeNotFound {
		return made, false, nil
	}
	return made, err == nil, err
}

// keepKey notes what the request with this key made.
func (c conn) keepKey(ctx context.Context, key *core.Idempotency, id string) error {
	if key == nil {
		return nil
	}
	_, err := c.exec(ctx, `
		INSERT INTO idempotency_keys (key, fingerprint, resource_id, created_at)
		VALUES (?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET resource_id = excluded.resource_id, created_at = excluded.created_at`,
		key.Key, key.Fingerprint, id, stamp(c.now))
	return err
}
