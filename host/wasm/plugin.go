package wasm

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// grace is how long a run may go on after its context ended, before it is left
// behind. The port promises an end within a second.
const grace = 500 * time.Millisecond

// plugin is a compiled module. It implements host.Plugin.
type plugin struct {
	engine    wazero.Runtime
	compiled  wazero.CompiledModule
	describes bool
	later     *sync.WaitGroup // what the Runtime waits for when it closes
	limits    host.Limits
	logger    hclog.Logger

	running sync.WaitGroup // instances, also those left behind
	stuck   atomic.Int64   // instances left behind
}

// Describe implements host.Plugin. Operations end the run.
func (p *plugin) Describe(ctx context.Context) ([]byte, error) {
	if !p.describes {
		return nil, nil
	}
	return p.do(ctx, nobody{}, func(i *instance) ([]byte, error) { return i.describe() })
}

// Handle implements host.Plugin.
func (p *plugin) Handle(ctx context.Context, request []byte, caller host.Caller) ([]byte, error) {
	return p.do(ctx, caller, func(i *instance) ([]byte, error) { return i.handle(request) })
}

// Close implements host.Plugin. Compiled code cannot be released under a
// running instance, so Close waits for those left behind; when ctx ends first,
// it says so, and the code is released when they stop.
func (p *plugin) Close(ctx context.Context) error {
	if waitFor(ctx, &p.running) != nil {
		p.later.Go(func() {
			p.running.Wait()
			_ = p.engine.Close(context.WithoutCancel(ctx)) // nobody is left to be told
		})
		return errStuck
	}
	if err := p.engine.Close(ctx); err != nil {
		return fmt.Errorf("close engine: %w", err)
	}
	return nil
}

// do runs f on a fresh instance and returns in time whatever the instance does.
func (p *plugin) do(ctx context.Context, caller host.Caller, f func(*instance) ([]byte, error)) ([]byte, error) {
	if p.stuck.Load() > 0 {
		return nil, &core.Failure{Code: core.CodePluginUnavailable, Class: core.ClassRetryable, Message: errStuck.Error()}
	}
	type answer struct {
		frame []byte
		err   error
	}
	done := make(chan answer, 1)
	p.running.Go(func() {
		frame, err := p.run(ctx, caller, f)
		done <- answer{frame, err}
	})
	select {
	case a := <-done:
		return a.frame, a.err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case a := <-done:
		return a.frame, a.err
	case <-late.C:
	}
	p.stuck.Add(1)
	p.logger.Warn("a run does not react to its end; the plugin takes no new runs until it does")
	p.running.Go(func() {
		<-done
		p.stuck.Add(-1)
	})
	return nil, context.Cause(ctx)
}

// run makes an instance, lets f use it and throws it away.
func (p *plugin) run(ctx context.Context, caller host.Caller, f func(*instance) ([]byte, error)) (_ []byte, err error) {
	i := &instance{caller: caller, limits: p.limits, memory: guarded{limit: uint64(p.limits.Memory)}}
	ctx = i.attach(ctx)
	defer func() {
		if err != nil {
			err = i.fault(ctx, err)
		}
	}()
	i.module, err = p.engine.InstantiateModule(ctx, p.compiled, i.config(ctx))
	if err != nil {
		return nil, err
	}
	defer i.module.Close(context.WithoutCancel(ctx))
	i.started = true
	i.ctx = ctx
	return f(i)
}

// config gives the instance a clock, entropy and a place to write, and nothing
// else of the world.
func (i *instance) config(ctx context.Context) wazero.ModuleConfig {
	return wazero.NewModuleConfig().
		WithName(""). // nameless instances do not meet each other
		WithStartFunctions(exportInit).
		WithStdout(output{i: i, stream: host.Stdout}).
		WithStderr(output{i: i, stream: host.Stderr}).
		WithSysWalltime().
		WithSysNanotime().
		WithNanosleep(func(ns int64) { sleep(ctx, time.Duration(ns)) }).
		WithRandSource(rand.Reader)
}

// sleep ends with the run: the stock one keeps a thread beyond the deadline.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

var _ host.Plugin = (*plugin)(nil)
