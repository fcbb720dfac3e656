package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// releaseTimeout bounds the closing of one plugin after its runs ended.
const releaseTimeout = 5 * time.Second

// slot is one listed task type: a loaded plugin, or the reason why there is
// none. It does not change once it is part of a generation, and may be part of
// several.
type slot struct {
	entry    entry
	problem  error
	digest   string
	manifest manifest
	plugin   Plugin
	loadedAt time.Time
	free     chan struct{} // one token for every run that may start
	runs     *runs
	breaker  *breaker
}

func newSlot(e entry) *slot {
	return &slot{
		entry: e, problem: e.problem, free: make(chan struct{}, e.limits.Concurrency),
		runs: newRuns(), breaker: &breaker{limit: e.limits.Crashes},
	}
}

// works tells whether there is a plugin.
func (s *slot) works() bool { return s != nil && s.problem == nil }

// is tells whether the slot is what an entry with a program of this digest
// stands for, so that nothing has to be loaded.
func (s *slot) is(e entry, digest string) bool {
	return s.works() && s.digest == digest && s.entry.same(e)
}

// asksTooMuch tells whether the plugin is not there because it asks for more
// than it may have.
func (s *slot) asksTooMuch() bool {
	_, ok := errors.AsType[*excessError](s.problem)
	return ok
}

func (s *slot) version() core.PluginVersion {
	return core.PluginVersion{Version: s.manifest.version, Digest: s.digest}
}

// retire takes no more runs, waits for those that are left until ctx ends,
// cancels the rest, and releases the plugin.
func (s *slot) retire(ctx context.Context) error {
	s.runs.drain(ctx)
	if err := s.close(ctx); err != nil {
		return fmt.Errorf("close plugin %s: %w", s.entry.taskType, err)
	}
	return nil
}

// close releases the plugin, if there is one. Nothing may run any more. It goes
// on for a few seconds after ctx ended, so that an impatient caller leaks
// nothing.
func (s *slot) close(ctx context.Context) error {
	if s.plugin == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return s.plugin.Close(ctx)
}
