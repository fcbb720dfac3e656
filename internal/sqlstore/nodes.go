package sqlstore

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// forgetNodesAfter is when a node that has vanished leaves the table.
const forgetNodesAfter = time.Hour

// nodeReport is the column load: what changes from report to report.
type nodeReport struct {
	core.Load
	Publishes bool `json:"publishes"`
}

// ReportNode implements core.NodeStore. It also removes those that vanished
// long ago.
func (s *Store) ReportNode(ctx context.Context, n core.Node) (at time.Time, err error) {
	err = s.write(ctx, "report node", func(ctx context.Context, c conn) error {
		at = c.now
		_, err := c.exec(ctx, `
			INSERT INTO nodes (id, version, started_at, seen_at, load, plugins) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET
				version = excluded.version, started_at = excluded.started_at, seen_at = excluded.seen_at,
				load = excluded.load, plugins = excluded.plugins`,
			n.ID, n.Version, stamp(n.StartedAt), stamp(c.now), document[nodeReport]{nodeReport{n.Load, n.Publishes}}, document[[]core.NodePlugin]{n.Plugins})
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `DELETE FROM nodes WHERE seen_at < ?`, stamp(c.now.Add(-forgetNodesAfter)))
		return err
	})
	return at, err
}

// Nodes implements core.NodeStore.
func (s *Store) Nodes(ctx context.Context, age time.Duration) ([]core.Node, error) {
	var rows []struct {
		ID        string                      `db:"id"`
		Version   string                      `db:"version"`
		StartedAt timestamp                   `db:"started_at"`
		SeenAt    timestamp                   `db:"seen_at"`
		Load      document[nodeReport]        `db:"load"`
		Plugins   document[[]core.NodePlugin] `db:"plugins"`
	}
	err := s.snapshot(ctx, "list nodes", func(ctx context.Context, c conn) error {
		return c.list(ctx, &rows, `
			SELECT id, version, started_at, seen_at, load, plugins FROM nodes
			WHERE seen_at >= ? ORDER BY id`, stamp(c.now.Add(-age)))
	})
	nodes := make([]core.Node, len(rows))
	for i, r := range rows {
		nodes[i] = core.Node{
			ID: r.ID, Version: r.Version, StartedAt: r.StartedAt.Time, SeenAt: r.SeenAt.Time,
			Load: r.Load.value.Load, Publishes: r.Load.value.Publishes, Plugins: r.Plugins.value,
		}
	}
	return nodes, err
}

// ForgetNode implements core.NodeStore.
func (s *Store) ForgetNode(ctx context.Context, id string) error {
	return s.write(ctx, "forget node", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `DELETE FROM nodes WHERE id = ?`, id)
		return err
	})
}
