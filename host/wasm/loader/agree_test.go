package loader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// slice is small, so that small programs yield.
const slice = 50

// engine runs modules as they are and as they are rewritten.
type engine struct {
	runtime  wazero.Runtime
	yields   int
	patience int // yields after which a module is ended; 0 for no such end
}

func newEngine(t testing.TB) *engine {
	return newEngineWith(t, wazero.NewRuntimeConfig().WithMemoryLimitPages(64))
}

func newEngineWith(t testing.TB, cfg wazero.RuntimeConfig) *engine {
	e := &engine{runtime: wazero.NewRuntimeWithConfig(t.Context(), cfg.WithCoreFeatures(api.CoreFeaturesV2))}
	t.Cleanup(func() { require.NoError(t, e.runtime.Close(context.Background())) })
	yield := func(_ context.Context, m api.Module, _ []uint64) {
		e.yields++
		if e.patience > 0 && e.yields > e.patience {
			panic(errImpatient)
		}
		m.ExportedGlobal(loader.ExportFuel).(api.MutableGlobal).Set(slice)
	}
	_, err := e.runtime.NewHostModuleBuilder(loader.Namespace).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(yield), nil, nil).Export(loader.Yield).Instantiate(t.Context())
	require.NoError(t, err)
	return e
}

// rewritten instantiates a module as its host would.
func (e *engine) rewritten(t testing.TB, b []byte) api.Module {
	m, err := loader.Load(b)
	require.NoError(t, err)
	out, err := e.start(t.Context(), m, wazero.NewModuleConfig().WithName(""))
	require.NoError(t, err)
	return out
}

// start does what a host does with a rewritten module.
func (e *engine) start(ctx context.Context, m *loader.Module, cfg wazero.ModuleConfig) (api.Module, error) {
	out, err := e.runtime.InstantiateWithConfig(ctx, m.Bytes, cfg)
	if err != nil {
		return nil, err
	}
	for _, s := range m.Data {
		if !out.Memory().Write(s.Offset, s.Bytes) {
			return nil, errors.New("a data segment lies outside of the memory")
		}
	}
	if m.Start {
		_, err = out.ExportedFunction(loader.ExportStart).Call(ctx)
	}
	return out, err
}

func (e *engine) original(t testing.TB, b []byte) api.Module {
	out, err := e.runtime.InstantiateWithConfig(t.Context(), b, wazero.NewModuleConfig().WithName(""))
	require.NoError(t, err)
	return out
}

// agree calls all functions of a generated program in both forms and demands
// the same results, traps, memory and globals.
func (e *engine) agree(t testing.TB, seed uint64) {
	b := generate(seed)
	was, is := e.original(t, b), e.rewritten(t, b)
	defer func() {
		require.NoError(t, was.Close(context.Background()))
		require.NoError(t, is.Close(context.Background()))
	}()
	for _, argument := range []uint64{0, 3, 1 << 31} {
		for i := range programFunctions {
			name := fmt.Sprint("f", i)
			want, wantErr := was.ExportedFunction(name).Call(t.Context(), argument)
			got, gotErr := is.ExportedFunction(name).Call(t.Context(), argument)
			require.Equal(t, reason(wantErr), reason(gotErr), "seed %d, %s(%d)", seed, name, argument)
			require.Equal(t, want, got, "seed %d, %s(%d)", seed, name, argument)
		}
	}
	require.Equal(t, was.Memory().Size(), is.Memory().Size(), "seed %d", seed)
	require.True(t, bytes.Equal(content(was), content(is)), "seed %d: the memories differ", seed)
	for i := range programGlobals {
		name := fmt.Sprint("g", i)
		require.Equal(t, was.ExportedGlobal(name).Get(), is.ExportedGlobal(name).Get(), "seed %d, %s", seed, name)
	}
}

func content(m api.Module) []byte {
	b, _ := m.Memory().Read(0, m.Memory().Size())
	return b
}

// reason is an error without its stack trace.
func reason(err error) string {
	if err == nil {
		return ""
	}
	first, _, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	return string(first)
}

func TestRewrittenProgramsComputeTheSame(t *testing.T) {
	e := newEngine(t)
	for seed := range uint64(100) {
		e.agree(t, seed)
	}
	require.Greater(t, e.yields, 100, "the programs did not use up their fuel")
}

func FuzzAgree(f *testing.F) {
	f.Add(uint64(1))
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, seed uint64) { e.agree(t, seed) })
}

// FuzzLoad demands that Load never panics, and that the engine accepts what
// Load makes of a module if, and only if, it accepts the module.
func FuzzLoad(f *testing.F) {
	f.Add(generate(1))
	f.Add(newModule().function(opNop).bytes())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\xff\xff\xff\xff\x0f"))
	e := newEngineWith(f, wazero.NewRuntimeConfigInterpreter())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := loader.Load(b)
		if err != nil {
			return
		}
		wasErr, isErr := e.compile(t, b), e.compile(t, m.Bytes)
		require.True(t, (wasErr == nil) == (isErr == nil) || isErr == nil && droppedUnread(wasErr), "%v, rewritten %v", wasErr, isErr)
	})
}
