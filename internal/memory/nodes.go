package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// ReportNode implements core.NodeStore.
func (s *Store) ReportNode(ctx context.Context, n core.Node) (time.Time, error) {
	now, err := s.begin(ctx, "report node")
	if err != nil {
		return time.Time{}, err
	}
	defer s.end()
	n.SeenAt, n.Plugins = now, slices.Clone(n.Plugins)
	s.nodes[n.ID] = n
	return now, nil
}

// Nodes implements core.NodeStore.
func (s *Store) Nodes(ctx context.Context, age time.Duration) ([]core.Node, error) {
	now, err := s.begin(ctx, "list nodes")
	if err != nil {
		return nil, err
	}
	defer s.end()
	nodes := []core.Node{}
	for _, n := range s.nodes {
		if !n.SeenAt.Before(now.Add(-age)) {
			n.Plugins = slices.Clone(n.Plugins)
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b core.Node) int { return cmp.Compare(a.ID, b.ID) })
	return nodes, nil
}

// ForgetNode implements core.NodeStore.
func (s *Store) ForgetNode(ctx context.Context, id string) error {
	if _, err := s.begin(ctx, "forget node"); err != nil {
		return err
	}
	defer s.end()
	delete(s.nodes, id)
	return nil
}
