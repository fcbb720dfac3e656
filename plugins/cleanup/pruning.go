package main

import (
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// pruning removes what is old from the scheduler's own store.
type pruning struct {
	c    *sdk.Context
	in   input
	done pruned
	more bool
}

// pruned is the checkpoint.
type pruned struct {
	Removed int `json:"removed"`
}

// run prunes until nothing is left or the limit is reached.
func (p *pruning) run() error {
	if _, err := p.c.LoadCheckpoint(&p.done); err != nil {
		return err
	}
	statuses := p.in.Statuses
	if len(statuses) == 0 {
		statuses = []string{""}
	}
	late := max(p.c.Now().Sub(p.c.Execution.NominalTime), 0)
	for _, status := range statuses {
		if err := p.prune(status, late); err != nil {
			return err
		}
	}
	return nil
}

// prune removes what ended with one status. The store counts ages from now, the
// task from the time that the run is meant for.
func (p *pruning) prune(status string, late time.Duration) error {
	for {
		left := p.in.limit() - p.done.Removed
		if left <= 0 {
			p.more = true
			return nil
		}
		removed, more, err := p.c.Prune(sdk.Prune{
			Target: sdk.PruneTarget(p.in.Target), OlderThan: p.in.age() + late, Type: p.in.Type, Status: status, Prefix: p.in.Prefix, Limit: min(left, maxRows),
		})
		if err != nil {
			return err
		}
		p.done.Removed += removed
		if removed > 0 {
			if err := p.c.Checkpoint(p.done); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// maxRows is how many rows one call removes at most.
const maxRows = 1000
