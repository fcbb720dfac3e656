package sqlstore

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/nexuscore/scheduler/core"
)

// PluginState implements core.StateStore.
func (s *Store) PluginState(ctx context.Context, owner, prefix, after string, limit int) ([]core.StateEntry, error) {
	var rows []struct {
		Key       string    `db:"key"`
		Value     rawJSON   `db:"value"`
		UpdatedAt timestamp `db:"updated_at"`
		ExpiresAt timestamp `db:"expires_at"`
	}
	err := s.snapshot(ctx, "read plugin state", func(ctx context.Context, c conn) error {
		return c.list(ctx, &rows, `
			SELECT key, value, updated_at, expires_at FROM plugin_state
			WHERE owner = ? AND key >= ? AND key < ? AND key > ? AND (expires_at IS NULL OR expires_at > ?)
			ORDER BY key LIMIT ?`, owner, prefix, prefix+lastRune, after, stamp(c.now), limit)
	})
	entries := make([]core.StateEntry, len(rows))
	for i, r := range rows {
		entries[i] = core.StateEntry{
			Key: r.Key, Value: json.RawMessage(r.Value), UpdatedAt: r.UpdatedAt.Time, ExpiresAt: r.ExpiresAt.pointer(),
		}
	}
	return entries, err
}

// lastRune is greater than whatever follows a prefix.
const lastRune = "\U0010FFFF"

// PluginStateSize implements core.StateStore.
func (s *Store) PluginStateSize(ctx context.Context, owner string) (int, error) {
	var size int
	err := s.read().get(ctx, &size, `
		SELECT COALESCE(SUM(`+s.dialect.bytes(`key`)+` + `+s.dialect.bytes(`CAST(value AS text)`)+`), 0) FROM plugin_state WHERE owner = ?`, owner)
	return size, s.wrap("measure plugin state", err)
}

// apply carries the effects of successful attempts out.
func (c conn) apply(ctx context.Context, effects []core.Effects) error {
	latest := map[string]core.StateWrite{}
	for _, e := range effects {
		for _, w := range e.State {
			latest[w.Owner+"\x00"+w.Key] = w
		}
	}
	var set, removed []core.StateWrite
	for _, w := range latest {
		if w.Value == nil {
			removed = append(removed, w)
		} else {
			set = append(set, w)
		}
	}
	byKey := func(a, b core.StateWrite) int { // one order, so that nobody waits in a circle
		return strings.Compare(a.Owner+"\x00"+a.Key, b.Owner+"\x00"+b.Key)
	}
	slices.SortFunc(set, byKey)
	slices.SortFunc(removed, byKey)
	if err := c.setState(ctx, set); err != nil {
		return err
	}
	for _, w := range removed {
		if _, err := c.exec(ctx, `DELETE FROM plugin_state WHERE owner = ? AND key = ?`, w.Owner, w.Key); err != nil {
			return err
		}
	}
	for _, e := range effects {
		if err := c.post(ctx, e.MessagesAt(c.now)); err != nil {
			return err
		}
		for _, t := range e.Tasks {
			t.Basis = nil
			if err := c.insertTask(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c conn) setState(ctx context.Context, writes []core.StateWrite) error {
	return inBatches(writes, func(batch []core.StateWrite) error {
		const columns = 5
		args := make([]any, 0, columns*len(batch))
		for _, w := range batch {
			args = append(args, w.Owner, w.Key, rawJSON(w.Value), stamp(c.now), stampOf(w.ExpiresAt))
		}
		_, err := c.exec(ctx, `
			INSERT INTO plugin_state (owner, key, value, updated_at, expires_at)
			VALUES `+tuples(len(batch), columns)+`
			ON CONFLICT (owner, key) DO UPDATE SET
				value = excluded.value, updated_at = excluded.updated_at, expires_at = excluded.expires_at`, args...)
		return err
	})
}

func (c conn) pruneState(ctx context.Context, limit int) (int, error) {
	n, err := c.exec(ctx, `
		WITH oldest AS (
			SELECT owner, key FROM plugin_state
			WHERE expires_at IS NOT NULL AND expires_at <= ?
			ORDER BY expires_at LIMIT ?`+c.dialect.skipLocked+`)
		DELETE FROM plugin_state WHERE (owner, key) IN (SELECT owner, key FROM oldest)`, stamp(c.now), limit)
	return int(n), err
}

var _ core.StateStore = (*Store)(nil)
