package app

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// OnStop adds a clean-up.
func (a *App) OnStop(name string, run func(context.Context) error) { a.onStop(name, run) }

// HasForTheRest sets how long everything after the drain may take together.
func (a *App) HasForTheRest(d time.Duration) { a.stopTime = d }

// Faults watches an engine.
type Faults = faults

// NewFaults makes Faults.
func NewFaults(clock core.Clock) *Faults { return newFaults(clock) }
