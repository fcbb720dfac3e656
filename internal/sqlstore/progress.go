package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/nexuscore/scheduler/core"
)

// SaveProgress implements core.WorkStore. The token alone is compared: the last
// word of an attempt may come just after its end, and counts until the next one
// is claimed.
func (s *Store) SaveProgress(ctx context.Context, reports []core.ProgressReport) error {
	return inBatches(reports, func(batch []core.ProgressReport) error {
		return s.write(ctx, "save progress", func(ctx context.Context, c conn) error {
			return c.saveProgress(ctx, batch)
		})
	})
}

func (c conn) saveProgress(ctx context.Context, reports []core.ProgressReport) error {
	const columns = `held_id, held_token, progress`
	ids, args := make([]string, len(reports)), make([]any, 0, 3*len(reports))
	for i, r := range reports {
		ids[i], args = r.ExecutionID, append(args, r.ExecutionID, r.Token, document[core.Progress]{r.Progress})
	}
	if err := c.lockLive(ctx, ids); err != nil {
		return err
	}
	v, args := c.table(columns, args)
	_, err := c.exec(ctx, `
		WITH v (`+columns+`) AS (`+v+`)
		UPDATE executions SET progress = v.progress
		FROM v WHERE id = v.held_id AND token = v.held_token`, args...)
	return err
}

// SaveCheckpoint implements core.CheckpointStore.
func (s *Store) SaveCheckpoint(ctx context.Context, l core.Lease, value json.RawMessage) error {
	return s.write(ctx, "save checkpoint", func(ctx context.Context, c conn) error {
		n, err := c.exec(ctx, `UPDATE executions SET checkpoint = ? WHERE id = ? AND token = ? AND `+hereRunning,
			rawJSON(value), l.ExecutionID, l.Token)
		if err == nil && n == 0 {
			err = core.ErrLeaseLost
		}
		return err
	})
}

// Checkpoint implements core.CheckpointStore.
func (s *Store) Checkpoint(ctx context.Context, l core.Lease) (json.RawMessage, error) {
	var value rawJSON
	err := s.read().get(ctx, &value, `SELECT checkpoint FROM executions WHERE id = ? AND token = ? AND `+hereRunning, l.ExecutionID, l.Token)
	if errors.Is(err, sql.ErrNoRows) {
		err = core.ErrLeaseLost
	}
	return json.RawMessage(value), s.wrap("read checkpoint", err)
}
