//go:build !linux

package process

import (
	"context"
	"errors"
	"fmt"

	"github.com/nexuscore/scheduler/host"
)

// Runtime does not exist on this system: New fails.
type Runtime struct{}

// New fails with an error that wraps errors.ErrUnsupported.
func New(Config) (*Runtime, error) {
	return nil, fmt.Errorf("process plugins need Linux: %w", errors.ErrUnsupported)
}

// Load fails as New does.
func (r *Runtime) Load(context.Context, host.Artifact) (host.Plugin, error) {
	return nil, errors.ErrUnsupported
}

// Close releases nothing.
func (r *Runtime) Close(context.Context) error { return nil }

// RunIfChild returns: no process is started on this system.
func RunIfChild() {}

var _ host.Runtime = (*Runtime)(nil)
