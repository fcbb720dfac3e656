package wasm_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// caller is a host.Caller that answers every operation alike.
type caller struct {
	answer []byte
	err    error
	ops    []string
}

func (c *caller) Call(_ context.Context, op string, _ []byte) ([]byte, error) {
	c.ops = append(c.ops, op)
	return c.answer, c.err
}

func (c *caller) Output(host.Stream, []byte) {}

func (*caller) Computed(time.Duration) {}

// imports of a module that calls; its own functions begin at index 2.
var both = []string{importFunction("task", "call", typeCall), importFunction("task", "take", typeTake)}

// callTask calls task.call with four numbers and drops the length.
func callTask(op, opLen, in, inLen int32) []byte {
	return code(i32Const(op), i32Const(opLen), i32Const(in), i32Const(inLen), []byte{opCall, 0, opDrop})
}

func TestHandleHoldsAHostileModule(t *testing.T) {
	unreachable := []byte{opUnreachable}
	tests := map[string]struct {
		handle, alloc []byte
		code          core.Code
		want          string
	}{
		"unreachable":     {handle: unreachable, code: core.CodePluginTrap, want: "unreachable"},
		"answer outside":  {handle: i64Const(-16<<32 | 100), code: core.CodePluginTrap, want: "not in its memory"},
		"answer too long": {handle: i64Const(1025), code: core.CodePluginOutputLimit, want: "1KiB"},
		"answer of 4 GiB": {handle: i64Const(1<<32 - 1), code: core.CodePluginOutputLimit, want: "limit output"},
		"request outside": {alloc: i32Const(-1), handle: okay, code: core.CodePluginTrap, want: "task_alloc answered"},
		"memory refused": {handle: code(i32Const(1000), []byte{opMemoryGrow, 0, opDrop}, unreachable),
			code: core.CodePluginMemoryLimit, want: "1MiB"},
		"operation outside":      {handle: code(callTask(-16, 32, 0, 0), okay), code: core.CodePluginTrap, want: "operation name"},
		"long operation":         {handle: code(callTask(0, 65, 0, 0), okay), code: core.CodePluginTrap, want: "at most 64"},
		"arguments outside":      {handle: code(callTask(0, 1, 65535, 2), okay), code: core.CodePluginTrap, want: "arguments"},
		"arguments wrap around":  {handle: code(callTask(0, 1, -1, 1), okay), code: core.CodePluginTrap, want: "arguments"},
		"arguments without end":  {handle: code(callTask(0, 1, 0, -1), okay), code: core.CodePluginTrap, want: "arguments"},
		"answer taken elsewhere": {handle: code(callTask(0, 1, 0, 0), i32Const(65535), []byte{opCall, 1}, okay), code: core.CodePluginTrap, want: "task.take"},
	}
	r := newRuntime(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := assembled()
			a.imports, a.handle = both, test.handle
			if test.alloc != nil {
				a.alloc = test.alloc
			}
			_, err := load(t, r, a.bytes()).Handle(t.Context(), []byte("request"), &caller{answer: []byte("answer")})
			var f *core.Failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, test.code, f.Code, f.Message)
			require.Contains(t, f.Message, test.want)
			require.NotContains(t, f.Message, "\n")
		})
	}
}

func TestHandleAnswers(t *testing.T) {
	p := load(t, newRuntime(t), assembled().bytes())
	frame, err := p.Handle(t.Context(), []byte("request"), &caller{})
	require.NoError(t, err)
	require.Equal(t, "\x02\x00\x00\x00{}", string(frame))

	manifest, err := p.Describe(t.Context())
	require.NoError(t, err)
	require.Nil(t, manifest, "the module exports no task_describe")
}

// An error of the caller ends the module where it stands.
func TestHandleEndsWithTheCallersError(t *testing.T) {
	a := assembled()
	a.imports, a.handle = both, code(callTask(4, 2, 0, 0), callTask(4, 2, 0, 0), okay)
	c := &caller{err: &core.Failure{Code: core.CodePluginCallLimit}}
	_, err := load(t, newRuntime(t), a.bytes()).Handle(t.Context(), nil, c)
	require.ErrorIs(t, err, c.err)
	require.Equal(t, []string{"{}"}, c.ops)
}

// A table without a maximum gets one: this module would take 400 MiB.
func TestTablesCannotGrowWithoutEnd(t *testing.T) {
	a := assembled()
	a.tables = [][]byte{{0x70, 0, 1}}
	a.handle = code([]byte{opRefNull, 0x70}, i32Const(50_000_000), []byte{opPrefix, opTableGrow, 0},
		i32Const(-1), []byte{opI32Ne, opIf, 0x40, opUnreachable, opEnd}, okay)
	_, err := load(t, newRuntime(t), a.bytes()).Handle(t.Context(), nil, &caller{})
	require.NoError(t, err, "the growth was not refused")
}

// recursion computes without a loop: only function entries can interrupt it.
// Every byte of its request doubles the time; 28 take about a second.
func recursion() []byte {
	a := assembled()
	again := code([]byte{opLocalGet, 0}, i32Const(1), []byte{opI32Sub, opCall, 3})
	a.extra = code([]byte{opLocalGet, 0, opI32Eqz, opIf, 0x7f}, i32Const(1), []byte{0x05}, again, again, []byte{opI32Add, opEnd})
	a.handle = code([]byte{opLocalGet, 1, opCall, 3, opDrop}, okay)
	return a.bytes()
}
