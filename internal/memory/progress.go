package memory

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/nexuscore/scheduler/core"
)

// SaveProgress implements core.WorkStore. The last word of an attempt may come
// just after its end, and counts until the next one is claimed.
func (s *Store) SaveProgress(ctx context.Context, reports []core.ProgressReport) error {
	if _, err := s.begin(ctx, "save progress"); err != nil {
		return err
	}
	defer s.end()

	for _, r := range reports {
		if row, ok := s.executions.live[r.ExecutionID]; ok && row.Token == r.Token {
			e := cloneExecution(*row)
			e.Progress = &r.Progress
			s.executions.put(e)
		}
	}
	return nil
}

// SaveCheckpoint implements core.CheckpointStore.
func (s *Store) SaveCheckpoint(ctx context.Context, l core.Lease, value json.RawMessage) error {
	if _, err := s.begin(ctx, "save checkpoint"); err != nil {
		return err
	}
	defer s.end()

	if _, ok := s.held(l); !ok {
		return core.ErrLeaseLost
	}
	s.executions.checkpoints[l.ExecutionID] = bytes.Clone(value)
	return nil
}

// Checkpoint implements core.CheckpointStore.
func (s *Store) Checkpoint(ctx context.Context, l core.Lease) (json.RawMessage, error) {
	if _, err := s.begin(ctx, "read checkpoint"); err != nil {
		return nil, err
	}
	defer s.end()

	if _, ok := s.held(l); !ok {
		return nil, core.ErrLeaseLost
	}
	return bytes.Clone(s.executions.checkpoints[l.ExecutionID]), nil
}
