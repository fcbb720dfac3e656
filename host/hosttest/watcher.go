package hosttest

import (
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// watcher is a host.Observer that adds up what runs have computed.
type watcher struct {
	mu       sync.Mutex
	computed map[string]time.Duration
}

// cpu is what the runs of a task type have computed so far.
func (w *watcher) cpu(taskType string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.computed[taskType]
}

// ObserveRun implements host.Observer.
func (w *watcher) ObserveRun(taskType string, _ core.Code, _, cpu time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.computed == nil {
		w.computed = map[string]time.Duration{}
	}
	w.computed[taskType] += cpu
}

// ObserveCall implements host.Observer.
func (*watcher) ObserveCall(_, _, _ string, _ time.Duration) {}

// ObserveRequest implements host.Observer.
func (*watcher) ObserveRequest(string, int, int64, int64) {}

// ObserveLoad implements host.Observer.
func (*watcher) ObserveLoad(string, bool, time.Duration) {}

var _ host.Observer = (*watcher)(nil)
