package wasm_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/wasm"
	"github.com/nexuscore/scheduler/host/wasm/loader"
)

func failureOf(t testing.TB, err error) *core.Failure {
	t.Helper()
	var f *core.Failure
	require.ErrorAs(t, err, &f)
	return f
}

// A module that computes longer than its limit ends with a code of its own;
// one that sleeps longer does not.
func TestComputingIsLimited(t *testing.T) {
	r := newRuntime(t)
	for name, b := range endless() {
		t.Run(name, func(t *testing.T) {
			a := artifact(b)
			a.Limits.CPU = 30 * time.Millisecond
			p, err := r.Load(t.Context(), a)
			require.NoError(t, err)
			defer closed(t, p)
			_, err = p.Handle(t.Context(), make([]byte, 60), &caller{})
			f := failureOf(t, err)
			require.Equal(t, core.CodePluginCPULimit, f.Code)
			require.Contains(t, f.Message, "30ms (limit cpu)")
		})
	}
	a := artifact(guest(t, guestPackage))
	a.Limits.CPU, a.Limits.Memory = 300*time.Millisecond, 64*host.MiB
	p, err := r.Load(t.Context(), a)
	require.NoError(t, err)
	defer closed(t, p)
	_, err = p.Handle(t.Context(), request(t, `{"do": "sleep", "n": 500}`), &caller{})
	require.NoError(t, err, "sleeping is not computing")
}

// deep is a module that nests its calls without an end, unless its request is
// empty.
func deep() []byte {
	a := assembled()
	a.extra = code([]byte{opLocalGet, 0, opCall, 3}, i32Const(1), []byte{opI32Add})
	a.handle = code([]byte{opLocalGet, 1, opIf, 0x40, opLocalGet, 1, opCall, 3, opDrop, opEnd}, okay)
	return a.bytes()
}

// Recursion without an end runs out of a stack that neither grows nor moves. The
// next run is not touched.
func TestDeepRecursionMeetsTheEndOfItsStack(t *testing.T) {
	p := load(t, newRuntime(t), deep())
	for range 3 {
		_, err := p.Handle(t.Context(), []byte("x"), &caller{})
		f := failureOf(t, err)
		require.Equal(t, core.CodePluginMemoryLimit, f.Code)
		require.Contains(t, f.Message, "more than 16MiB of stack")
		_, err = p.Handle(t.Context(), nil, &caller{})
		require.NoError(t, err)
	}
	if runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		own, left := wasm.Stack(p)
		require.True(t, own, "the engine would copy stacks of its own")
		require.Less(t, left, 1<<16, "the pages of deep runs are given back")
	}
}

// nested is a module that nests n calls, unless its request is empty.
func nested(n int32) []byte {
	const opElse = 0x05
	a := assembled()
	a.extra = code([]byte{opLocalGet, 0, opIf, 0x7f, opLocalGet, 0}, i32Const(1), []byte{opI32Sub, opCall, 3}, i32Const(1),
		[]byte{opI32Add, opElse}, i32Const(0), []byte{opEnd})
	a.handle = code([]byte{opLocalGet, 1, opIf, 0x40}, i32Const(n), []byte{opCall, 3, opDrop, opEnd}, okay)
	return a.bytes()
}

// A short run that succeeds may have gone deep. What it leaves on the stack is
// within what an idle instance may hold.
func TestADeepRunLeavesLittleBehind(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the engine has its own stacks here")
	}
	p := load(t, newRuntime(t), nested(50_000))
	for range 3 {
		_, err := p.Handle(t.Context(), []byte("x"), &caller{})
		require.NoError(t, err)
		_, left := wasm.Stack(p)
		require.Positive(t, left, "the stack is kept for the next run")
		require.LessOrEqual(t, left, 128<<10)
	}
}

// The collector does not wait for the copy of a large stack.
func TestHeartbeatGoesOnWhileCallsAreNested(t *testing.T) {
	p := load(t, newRuntime(t), deep())
	hosttest.NewPulse(t).Keeps(t, func() {
		for range 20 {
			_, err := p.Handle(t.Context(), []byte("x"), &caller{})
			require.Error(t, err)
		}
	})
}

// What makes the engine itself work hard must not silence the server either.
func TestHeartbeatGoesOnWhileTheEngineIsAttacked(t *testing.T) {
	table := assembled()
	table.tables = [][]byte{{0x70, 0, 1}}
	grow := func(n int32) []byte {
		return code([]byte{opRefNull, 0x70}, i32Const(n), []byte{opPrefix, opTableGrow, 0, opDrop})
	}
	table.handle = code(grow(50_000_000), grow(1<<20-1), // too much, and as much as there may be; then it is filled, again and again
		bytes.Repeat(code(i32Const(0), []byte{opRefNull, 0x70}, i32Const(1<<20), []byte{opPrefix, opTableFill, 0}), 50), okay)
	tables, r := load(t, newRuntime(t), table.bytes()), newRuntime(t)
	blocks := func(n int) []byte {
		a := assembled()
		a.extra = code(bytes.Repeat([]byte{opBlock, 0x40, opEnd}, n), i32Const(0))
		return a.bytes()
	}
	pulse := hosttest.NewPulse(t)
	for name, attack := range map[string]func(){
		"table bomb": func() {
			_, err := tables.Handle(t.Context(), nil, &caller{})
			require.NoError(t, err)
		},
		"compile bomb": func() {
			_, err := r.Load(t.Context(), artifact(blocks(50_000)))
			require.ErrorContains(t, err, "would take too long to compile")
		},
		"long compilation": func() {
			p, err := r.Load(t.Context(), artifact(blocks(4000)))
			require.NoError(t, err)
			require.NoError(t, p.Close(context.Background()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if raced && name == "table bomb" {
				attack() // the detector, too, is silent for 8 MB
				return
			}
			pulse.Keeps(t, attack)
		})
	}
}

// A module that writes to its table has state that cannot be put back, so every
// run has an instance of its own. This one traps if its table has grown.
func TestTablesAreCleanInEveryRun(t *testing.T) {
	a := assembled()
	a.tables = [][]byte{{0x70, 0, 1}}
	a.handle = code([]byte{opPrefix, opTableSize, 0}, i32Const(1), []byte{opI32Ne, opIf, 0x40, opUnreachable, opEnd},
		[]byte{opRefNull, 0x70}, i32Const(5), []byte{opPrefix, opTableGrow, 0, opDrop}, okay)
	p := load(t, newRuntime(t), a.bytes())
	require.True(t, wasm.PerRun(p))
	for range 3 {
		_, err := p.Handle(t.Context(), nil, &caller{})
		require.NoError(t, err)
	}
	require.Zero(t, wasm.Idle(p))
}

// Memory that a run has taken is gone in the next, and the instance is kept.
func TestGrownMemoryIsTakenBack(t *testing.T) {
	a := assembled()
	a.handle = code([]byte{0x3f, 0}, i32Const(1), []byte{opI32Ne, opIf, 0x40, opUnreachable, opEnd},
		i32Const(3), []byte{opMemoryGrow, 0}, i32Const(1), []byte{opI32Ne, opIf, 0x40, opUnreachable, opEnd},
		i32Const(200_000), []byte{0x28, 2, 0, opIf, 0x40, opUnreachable, opEnd}, // what is new is zero
		i32Const(200_000), i32Const(7), []byte{0x36, 2, 0}, okay)
	p := load(t, newRuntime(t), a.bytes())
	for range 3 {
		_, err := p.Handle(t.Context(), nil, &caller{})
		require.NoError(t, err)
		require.Equal(t, 1, wasm.Idle(p))
	}
}

// initializing is a module that counts its starts in a global and answers with
// success if it was started once. The global is not restored by luck: a run
// changes it.
func initializing() []byte {
	a := assembled()
	a.globals = []string{"\x7f\x01\x41\x00\x0b"}
	add := func(n int32) []byte {
		return code([]byte{opGlobalGet, 0}, i32Const(n), []byte{opI32Add, opGlobalSet, 0})
	}
	a.marker = add(1)
	a.exports = append(shifted(0), export("_initialize", 0, 0))
	a.handle = code([]byte{opGlobalGet, 0}, i32Const(1), []byte{opI32Ne, opIf, 0x40, opUnreachable, opEnd}, add(5), okay)
	return a.bytes()
}

func TestInitializationIsDoneOnceForEveryRun(t *testing.T) {
	r := newRuntime(t)
	for init, perRun := range map[host.Init]bool{"": false, host.InitImage: false, host.InitPerRun: true} {
		t.Run(string(init), func(t *testing.T) {
			a := artifact(initializing())
			a.Init = init
			p, err := r.Load(t.Context(), a)
			require.NoError(t, err)
			defer closed(t, p)
			require.Equal(t, perRun, wasm.PerRun(p))
			for range 3 {
				_, err := p.Handle(t.Context(), nil, &caller{})
				require.NoError(t, err)
			}
		})
	}
}

// A module that fails to start is not loaded.
func TestLoadRunsTheInitialization(t *testing.T) {
	a := assembled()
	a.marker = []byte{opUnreachable}
	a.exports = append(shifted(0), export("_initialize", 0, 0))
	_, err := newRuntime(t).Load(t.Context(), artifact(a.bytes()))
	require.ErrorContains(t, err, "initialize module: PLUGIN_TRAP: unreachable")

	a.marker = []byte{opLoop, 0x40, opBr, 0, opEnd}
	late := artifact(a.bytes())
	late.Limits.CPU = 20 * time.Millisecond
	_, err = newRuntime(t).Load(t.Context(), late)
	require.Equal(t, core.CodePluginCPULimit, failureOf(t, err).Code)

	a = assembled()
	a.tail = 65536
	_, err = newRuntime(t).Load(t.Context(), artifact(a.bytes()))
	require.ErrorContains(t, err, "data segment 1: 1 bytes at 65536")
}

// The system is complete: a module that a compiler made for it always links.
func TestTheSystemIsComplete(t *testing.T) {
	rt := wazero.NewRuntime(t.Context())
	t.Cleanup(func() { require.NoError(t, rt.Close(context.Background())) })
	stock, err := wasi_snapshot_preview1.NewBuilder(rt).Compile(t.Context())
	require.NoError(t, err)
	want := map[string]loader.Signature{}
	for name, f := range stock.ExportedFunctions() {
		want[name] = loader.Signature{Params: f.ParamTypes(), Results: f.ResultTypes()}
	}
	got := wasm.SystemSignatures()
	require.Len(t, got, len(want))
	for name, s := range want {
		require.True(t, s.Equal(got[name]), "%s is %s and must be %s", name, got[name], s)
	}
}
