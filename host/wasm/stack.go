package wasm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// maxStack is how much stack the calls of a run may nest. It does not count as
// the module's memory.
const maxStack = 16 * host.MiB

// usual is how much of that an idle instance may keep, for its next run.
const usual = 128 * host.KiB

// engineStack are the fields of the engine's functions that say where their
// stack is. The engine has no interface for it: left alone it begins with 10 KB
// in the Go heap and copies the stack to one twice as large, again and again, up
// to 84 MB. While it copies, the collector cannot stop the goroutine, so all the
// server waits for it; and none of it counts towards anybody's limit.
type engineStack struct {
	stack  *[]byte
	top    *uintptr
	bottom **byte
}

var errEngine = errors.New("the engine's functions are not what they were")

// one is a module with a function that is exported as f and does nothing.
const one = "\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x07\x05\x01\x01f\x00\x00" + "\x0a\x04\x01\x02\x00\x0b"

// tryStack calls a function on a stack of ours. It fails with errEngine, or why
// else that cannot be done.
func tryStack(ctx context.Context) error {
	engine := newEngine(ctx, nil)
	defer func() { _ = engine.Close(ctx) }()
	m, err := engine.Instantiate(ctx, []byte(one))
	if err != nil {
		return err
	}
	s, err := newStack()
	if err != nil {
		return err
	}
	defer s.free()
	f := m.ExportedFunction("f")
	if err := s.carry(f); err != nil {
		return err
	}
	return f.CallWithStack(ctx, nil)
}

// stackOf finds the fields by their names and types. It fails with errEngine.
func stackOf(f api.Function) (e engineStack, err error) {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return e, errEngine
	}
	v = v.Elem()
	if x := v.FieldByName("execCtx"); x.Kind() == reflect.Struct {
		e.bottom = field[*byte](x, "stackBottomPtr")
	}
	e.stack, e.top = field[[]byte](v, "stack"), field[uintptr](v, "stackTop")
	if e.stack == nil || e.top == nil || e.bottom == nil {
		return e, errEngine
	}
	return e, nil
}

// field is where a field of a struct is, nil if it is none of that type.
func field[T any](v reflect.Value, name string) *T {
	f := v.FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[T]() {
		return nil
	}
	return (*T)(unsafe.Pointer(f.UnsafeAddr())) //nolint:gosec // the field has that type, and v keeps it alive
}

// overflow is the engine's error for a stack that cannot grow.
const overflow = "stack overflow"

func tooDeep() error {
	return &core.Failure{
		Code: core.CodePluginMemoryLimit, Class: core.ClassRetryable,
		Message: fmt.Sprintf("its calls are nested too deeply: they need more than %s of stack", maxStack),
	}
}
