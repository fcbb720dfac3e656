package plugins_test

import (
	"context"
	"sync"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// reaper ends one run at one of its operations: before the host carries it out,
// or after that and before the plugin hears of it. What the plugin answers counts
// as the last one. Until it is armed it takes nobody.
type reaper struct {
	// kill ends the plugin's process. nil: the node dies instead, and with it the
	// run and all that would have come of it.
	kill func()

	mu    sync.Mutex
	at    int // operation, from 1; 0 is none
	after bool
	calls int
	taken bool
}

func (r *reaper) arm(at int, after bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.after, r.calls, r.taken = at, after, 0, false
}

// took tells whether a run was ended since the last arm.
func (r *reaper) took() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken
}

// comes counts an operation, or the answer, and tells whether the end comes before
// it or after it.
func (r *reaper) comes() (before, after bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	r.taken = r.taken || r.calls == r.at
	return r.calls == r.at && !r.after, r.calls == r.at && r.after
}

// mortal is a runtime whose runs a reaper may end.
type mortal struct {
	host.Runtime
	reaper *reaper
}

// Load implements host.Runtime.
func (m mortal) Load(ctx context.Context, a host.Artifact) (host.Plugin, error) {
	p, err := m.Runtime.Load(ctx, a)
	return mortalPlugin{p, m.reaper}, err
}

type mortalPlugin struct {
	host.Plugin
	reaper *reaper
}

// Handle implements host.Plugin.
func (p mortalPlugin) Handle(ctx context.Context, request []byte, caller host.Caller) ([]byte, error) {
	frame, err := p.Plugin.Handle(ctx, request, mortalCaller{caller, p.reaper})
	if err != nil {
		return nil, err
	}
	if before, after := p.reaper.comes(); before || after {
		return nil, errNodeDied
	}
	return frame, nil
}

// errNodeDied ends a run whose node is gone.
var errNodeDied = &core.Failure{Code: core.CodeLeaseLost, Class: core.ClassRetryable, Message: "the node is gone"}

type mortalCaller struct {
	host.Caller
	reaper *reaper
}

// Call implements host.Caller.
func (c mortalCaller) Call(ctx context.Context, op string, in []byte) ([]byte, error) {
	before, after := c.reaper.comes()
	if before {
		return c.die(nil)
	}
	reply, err := c.Caller.Call(ctx, op, in)
	if after && err == nil {
		return c.die(reply)
	}
	return reply, err
}

// die ends the run. A process that is dead does not hear the reply.
func (c mortalCaller) die(reply []byte) ([]byte, error) {
	if c.reaper.kill == nil {
		return nil, errNodeDied
	}
	c.reaper.kill()
	return reply, nil
}
