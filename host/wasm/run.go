package wasm

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// The fuel between two yields. What a unit is worth in time differs between
// programs, so the slice follows the clock: a shorter one costs speed, a longer
// one the punctuality of everything else in the server. maxSlice bounds what a
// program gains that makes its units cheap for a while, and dear after that.
const (
	firstSlice = 1 << 18
	minSlice   = 1 << 15
	maxSlice   = 1 << 21

	shortSlice = 150 * time.Microsecond
	longSlice  = 600 * time.Microsecond
)

// turn is how long a run computes before it lets others in. To stop and go on
// costs some twenty microseconds, since the Go scheduler wakes a thread to look
// for work: a tenth of a short run, which is over before anybody misses the
// processor. A collection does not wait for the turn. It stops the run at any
// yield, where it is in Go code.
const turn = 500 * time.Microsecond

// run is what host functions have to know of the run they are called in. They
// find it in their context.
type run struct {
	caller  host.Caller
	slots   *slots
	meter   meter
	fuel    api.MutableGlobal
	crash   host.CrashText
	started bool   // _initialize returned
	pending []byte // the answer that task.take fetches

	computing bool          // holds a slot
	deadline  time.Duration // of ctx, 0 for none
	yields    int
	failed    bool
	slice     int64
	sliceAt   time.Duration // when the slice began
	turnAt    time.Duration // when the turn did
}

type runKey struct{}

func runOf(ctx context.Context) *run { return ctx.Value(runKey{}).(*run) }

// compute calls f, which runs code of the module, in a slot of its own.
func (r *run) compute(ctx context.Context, f func(ctx context.Context) error) error {
	if err := r.inSlot(ctx, f); err != nil {
		return err
	}
	if r.meter.exceeded() {
		return r.tooLong()
	}
	return nil
}

func (r *run) inSlot(ctx context.Context, f func(ctx context.Context) error) error {
	if err := r.resume(ctx); err != nil {
		return err
	}
	defer func() {
		if r.computing {
			r.pause()
		}
	}()
	r.slice, r.sliceAt = firstSlice, r.turnAt
	if at, ok := ctx.Deadline(); ok {
		r.deadline = at.Sub(epoch)
	}
	r.fuel.Set(firstSlice)
	return f(context.WithValue(ctx, runKey{}, r))
}

// pause gives the slot up, for a time in which the module does not compute.
func (r *run) pause() {
	r.meter.stop()
	r.computing = false
	r.slots.give()
}

// resume waits for a slot.
func (r *run) resume(ctx context.Context) error {
	if err := r.slots.take(ctx); err != nil {
		return err
	}
	r.computing = true
	r.meter.start()
	r.turnAt = sinceStart()
	return nil
}

// wait calls f outside of the slot. The run ends if it cannot go on after that.
func (r *run) wait(ctx context.Context, f func()) {
	began := sinceStart()
	r.pause()
	f()
	if err := r.resume(ctx); err != nil {
		panic(err)
	}
	r.sliceAt += r.turnAt - began // the module computed nothing meanwhile
}

// yield is called by the module when its fuel is used up. It ends runs that
// are over, by a panic: the engine unwinds the module and leaves the instance
// open.
func (r *run) yield(ctx context.Context) {
	r.yields++
	now := sinceStart()
	r.adapt(now - r.sliceAt)
	if now-r.turnAt >= turn {
		r.letOthersIn(ctx)
		now = r.turnAt
	}
	if r.deadline != 0 && now >= r.deadline {
		<-ctx.Done() // its timer is due, and may wait for this very processor
	}
	switch {
	case ctx.Err() != nil:
		panic(context.Cause(ctx))
	case r.meter.lap():
		panic(r.tooLong())
	}
	r.sliceAt = now
	r.fuel.Set(uint64(r.slice))
}

// letOthersIn ends the turn: those who wait for the slot get it, and other
// goroutines the processor.
func (r *run) letOthersIn(ctx context.Context) {
	r.meter.stop()
	if r.slots.wanted() {
		r.computing = false
		r.slots.give()
		runtime.Gosched()
		if err := r.slots.take(ctx); err != nil {
			panic(err)
		}
		r.computing = true
	} else {
		runtime.Gosched()
	}
	r.meter.start()
	r.turnAt = sinceStart()
}

// adapt makes the next slice longer or shorter than one that took d.
func (r *run) adapt(d time.Duration) {
	switch {
	case d < shortSlice:
		r.slice = min(2*r.slice, maxSlice)
	case d > longSlice:
		r.slice = max(r.slice/2, minSlice)
	}
}

// charge takes fuel for work that the host does for the module. The module
// yields at its next charge of its own.
func (r *run) charge(units int64) { r.fuel.Set(uint64(int64(r.fuel.Get()) - units)) }

func (r *run) tooLong() error {
	return &core.Failure{
		Code: core.CodePluginCPULimit, Class: core.ClassRetryable,
		Message: fmt.Sprintf("computed longer than %v (limit cpu)", r.meter.limit),
	}
}

// instantiateYield adds the module of the loader's import.
func instantiateYield(ctx context.Context, engine wazero.Runtime) error {
	yield := func(ctx context.Context, _ []uint64) { runOf(ctx).yield(ctx) }
	_, err := engine.NewHostModuleBuilder(loader.Namespace).
		NewFunctionBuilder().
		WithGoFunction(api.GoFunc(yield), nil, nil).
		Export(loader.Yield).
		Instantiate(ctx)
	return err
}
