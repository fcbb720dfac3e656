package engine

import (
	"context"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// reporter holds what attempts say about how far they are, and writes it to the
// store: what was said last, at most once in progressPause, all of it in one
// step. What is said in between costs nothing but the node's memory.
type reporter struct {
	cfg  Config
	runs func(core.Lease) bool // on this node
	wake func()

	mu    sync.Mutex
	said  map[core.Lease]core.Progress // not written yet
	wrote time.Time                    // of the last step that wrote
}

// progressPause is the time between two looks that others can take at the
// progress of an execution.
const progressPause = time.Second

func newReporter(cfg Config, runs func(core.Lease) bool) *reporter {
	return &reporter{cfg: cfg, runs: runs, wake: func() {}, said: map[core.Lease]core.Progress{}}
}

// of returns what an attempt reports to. What comes after its end is not taken.
func (r *reporter) of(l core.Lease) func(core.Progress) {
	return func(p core.Progress) {
		if !r.runs(l) {
			return
		}
		r.mu.Lock()
		first := len(r.said) == 0
		r.said[l] = p
		r.mu.Unlock()
		if first {
			r.wake()
		}
	}
}

// step writes what was said since the last step.
func (r *reporter) step(ctx context.Context) (time.Duration, error) {
	now := r.cfg.Clock.Now()
	if wait := progressPause - now.Sub(r.wrote); wait > 0 && wait <= progressPause { // more: the clock was set back
		return wait, nil
	}
	reports := r.take()
	if len(reports) == 0 {
		return -1, nil
	}
	r.wrote = now
	if err := r.cfg.Store.SaveProgress(ctx, reports); err != nil {
		r.giveBack(reports)
		return 0, err
	}
	return -1, nil
}

func (r *reporter) take() []core.ProgressReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	reports := make([]core.ProgressReport, 0, len(r.said))
	for l, p := range r.said {
		reports = append(reports, core.ProgressReport{Lease: l, Progress: p})
	}
	clear(r.said)
	return reports
}

// giveBack keeps what the store did not take for the next step, unless something
// newer was said, or the attempt has ended: a store that is away for long must
// not fill the memory.
func (r *reporter) giveBack(reports []core.ProgressReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, report := range reports {
		if _, newer := r.said[report.Lease]; !newer && r.runs(report.Lease) {
			r.said[report.Lease] = report.Progress
		}
	}
}
