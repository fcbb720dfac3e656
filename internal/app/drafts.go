package app

import (
	"context"
	"sync/atomic"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// drafts makes the tasks that plugins enqueue. The host is made before the
// scheduler that it asks, which in turn asks the host about task types.
type drafts struct {
	scheduler atomic.Pointer[core.Scheduler]
}

func (d *drafts) set(s *core.Scheduler) { d.scheduler.Store(s) }

// Draft implements host.Drafter.
func (d *drafts) Draft(ctx context.Context, spec core.TaskSpec) (core.Task, error) {
	return d.scheduler.Load().Draft(ctx, spec)
}

// NewSpec implements host.Drafter.
func (d *drafts) NewSpec() core.TaskSpec { return d.scheduler.Load().NewSpec() }

var _ host.Drafter = (*drafts)(nil)
