package wasm

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// The tests of the engine's inside reach it by these.

// ErrKilled ends the runs of Kill.
var ErrKilled = errors.New("killed")

// Kill runs a request and ends it when the given fuel is used up. It tells
// whether the instance could be reset, and whether its globals and, if asked to
// compare it, its memory are the template's after that.
func Kill(ctx context.Context, hp host.Plugin, request []byte, caller host.Caller, fuel int64, compare bool) (killed, reset, clean bool, err error) {
	p := hp.(*plugin)
	i := p.pool.take()
	if i == nil {
		if i, err = p.newInstance(ctx); err != nil {
			return false, false, false, err
		}
	}
	r := p.newRun(i, caller)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = r.compute(ctx, func(ctx context.Context) error {
		r.started = true
		r.fuel.Set(uint64(fuel))
		cancel(ErrKilled)
		_, err := i.serve(ctx, request, p.limits)
		return err
	})
	killed = errors.Is(err, ErrKilled)
	if !p.reset(i, r) {
		i.close()
		return killed, false, true, nil
	}
	defer p.pool.give(i)
	if !compare {
		return killed, true, slices.Equal(i.values(), p.template.globals), nil
	}
	memory, _ := i.module.Memory().Read(0, i.module.Memory().Size())
	clean = bytes.Equal(memory, p.template.image.bytes) && slices.Equal(i.values(), p.template.globals)
	return killed, true, clean, nil
}

// Unsafe runs a request on an instance that is never reset, as hosts without
// images do. keep is nil at first.
func Unsafe(ctx context.Context, hp host.Plugin, request []byte, caller host.Caller, keep any) (_ []byte, kept any, err error) {
	p := hp.(*plugin)
	i, ok := keep.(*instance)
	if !ok {
		if i, err = p.newInstance(ctx); err != nil {
			return nil, nil, err
		}
	}
	r := p.newRun(i, caller)
	var frame []byte
	err = r.compute(ctx, func(ctx context.Context) error {
		r.started = true
		frame, err = i.serve(ctx, request, p.limits)
		return err
	})
	return frame, i, err
}

// Unstoppable runs a request that never yields.
func Unstoppable(ctx context.Context, hp host.Plugin, request []byte, caller host.Caller) error {
	p := hp.(*plugin)
	i, err := p.newInstance(ctx)
	if err != nil {
		return err
	}
	defer i.close()
	r := p.newRun(i, caller)
	return r.compute(ctx, func(ctx context.Context) error {
		r.fuel.Set(math.MaxInt64)
		_, err := i.serve(ctx, request, p.limits)
		return err
	})
}

// Rest lets the idle instances of a plugin rest, as if time had passed, and
// says how many there are after that.
func Rest(hp host.Plugin) int {
	p := hp.(*plugin)
	p.pool.mu.Lock()
	for _, i := range p.pool.idle {
		i.idleSince -= 2 * idleTime
	}
	p.pool.mu.Unlock()
	p.pool.tidy()
	return Idle(hp)
}

// Idle counts the idle instances of a plugin.
func Idle(hp host.Plugin) int {
	p := hp.(*plugin)
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	return len(p.pool.idle)
}

// PerRun tells whether a plugin initializes in every run.
func PerRun(hp host.Plugin) bool { return hp.(*plugin).perRun }

// WithoutPagemap makes a runtime do as on a kernel that has none.
func WithoutPagemap(r *Runtime) { r.pages = nil }

// WithoutStack makes a runtime do as with an engine that has none.
func WithoutStack(r *Runtime) { r.stack = errEngine }

// Carries tells whether a function can be put on a stack of ours.
func Carries(f api.Function) bool {
	_, err := stackOf(f)
	return err == nil
}

// SystemSignatures are the signatures of all system functions.
func SystemSignatures() map[string]loader.Signature {
	out := map[string]loader.Signature{}
	for name := range system {
		out[name], _ = systemSignature(name)
	}
	return out
}

// Return resets an instance of Unsafe and gives it to the pool.
func Return(hp host.Plugin, keep any) {
	p, i := hp.(*plugin), keep.(*instance)
	if p.reset(i, &run{}) {
		p.pool.give(i)
	} else {
		i.close()
	}
}

// RestAll lets all idle instances rest, and keeps them.
func RestAll(hp host.Plugin) {
	p := hp.(*plugin)
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	for _, i := range p.pool.idle {
		i.rest()
	}
}

// counter is a fuel that is looked at, and room a memory of zeros.
type counter struct {
	api.MutableGlobal
	fuel uint64
}

func (c *counter) Get() uint64  { return c.fuel }
func (c *counter) Set(n uint64) { c.fuel = n }

type room struct{ api.Memory }

func (room) Read(_, n uint32) ([]byte, bool)    { return make([]byte, n), true }
func (room) ReadUint64Le(uint32) (uint64, bool) { return 0, true }
func (room) WriteUint32Le(uint32, uint32) bool  { return true }

// Charged calls a function of the system with a memory of zeros and returns the
// fuel that it took beside the cost of every call.
func Charged(ctx context.Context, function string, args ...uint64) int64 {
	fuel := &counter{}
	system[function].call(context.WithValue(ctx, runKey{}, &run{fuel: fuel}), room{}, args)
	return -int64(fuel.fuel)
}

// Stack tells of an idle instance whether its functions run on a stack of our
// own, and how many bytes of that are not zero.
func Stack(hp host.Plugin) (own bool, left int) {
	i := hp.(*plugin).pool.take()
	defer hp.(*plugin).pool.give(i)
	e, err := stackOf(i.handle)
	if err != nil {
		return false, 0
	}
	usable := i.nested.usable()
	for _, b := range usable {
		if b != 0 {
			left++
		}
	}
	return *e.bottom == &usable[0], left
}

// YieldLate yields in a run whose deadline is over, and returns why it ended.
func YieldLate(ctx context.Context) (cause error) {
	r := &run{fuel: &counter{}, slots: newSlots(1), slice: minSlice, turnAt: sinceStart(), deadline: 1}
	defer func() {
		if e, ok := recover().(error); ok {
			cause = e
		}
	}()
	r.yield(ctx)
	return nil
}
