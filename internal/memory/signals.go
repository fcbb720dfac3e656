package memory

import "github.com/nexuscore/scheduler/core"

// Signals is a core.Signals for one process. It is safe for concurrent use.
type Signals struct{ core.SignalHub }

// NewSignals returns signals without subscribers.
func NewSignals() *Signals { return &Signals{} }
