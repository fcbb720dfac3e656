package app

import (
	"context"
	"time"
)

type cleanup struct {
	name string
	run  func(ctx context.Context) error
}

// Stop drains the service: it is not ready any more, takes no new work, lets
// running executions go on until ctx ends, hands the rest back, and closes
// everything in reverse order. Requests are answered until the work has ended,
// so that callers who wait for an execution hear of it. Stop returns at the
// latest ten seconds after ctx has ended, whatever hangs.
func (a *App) Stop(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return
	}
	a.stopped = true
	a.ready.Store(false)
	whole, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(a.stopTime, end) })()
	if a.started {
		a.within(whole, cleanup{"engine", func(context.Context) error { a.engine.Stop(ctx); return nil }})
	}
	rest, cancel := context.WithTimeout(whole, a.stopTime) // also when the work has ended early
	defer cancel()
	if a.started {
		a.step(rest, cleanup{"api", a.api.Shutdown})
	}
	a.cleanUp(rest)
}

func (a *App) onStop(name string, run func(context.Context) error) {
	a.cleanups = append(a.cleanups, cleanup{name, run})
}

func (a *App) cleanUp(ctx context.Context) {
	for i := len(a.cleanups) - 1; i >= 0; i-- {
		a.step(ctx, a.cleanups[i])
	}
	a.cleanups = nil
}

// step runs a clean-up for closeTime, or until ctx ends.
func (a *App) step(ctx context.Context, c cleanup) {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	a.within(ctx, c)
}

// within waits for a clean-up until ctx ends. One that goes on nevertheless is
// left behind: the process is about to end.
func (a *App) within(ctx context.Context, c cleanup) {
	done := make(chan error, 1)
	go func() { done <- c.run(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			a.log.Warn("close", "part", c.name, "error", err)
		}
	case <-ctx.Done():
		a.log.Warn("close: took too long and is left behind", "part", c.name)
	}
}
