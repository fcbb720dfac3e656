package loader_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// FuzzRewrite changes modules of the specification's test suite at random and
// calls what they export, as they are and as they are rewritten. What starts and
// ends in both forms has to end in the same way.
func FuzzRewrite(f *testing.F) {
	for _, b := range specModules(f) {
		f.Add(b)
	}
	was := newEngineWith(f, wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
	is := newEngineWith(f, wazero.NewRuntimeConfig())
	is.patience = 10_000
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := loader.Load(b)
		if err != nil || m.MemoryMin > 64 {
			return
		}
		compare(t, was, is, m, withoutCustom(b)) // wazero takes all the memory there is for some that are malformed
	})
}

// compare starts a module in both forms and calls its functions, until one
// takes too long or too much of the stack, which the two may use differently.
func compare(t *testing.T, was, is *engine, m *loader.Module, b []byte) {
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	ctx, cancel := context.WithTimeout(experimental.WithMemoryAllocator(t.Context(), bounded{min(m.MemoryMax, 64)}), 100*time.Millisecond)
	defer cancel()
	is.yields = 0
	old, oldErr := was.runtime.InstantiateWithConfig(ctx, b, cfg)
	if interrupted(oldErr) || droppedUnread(oldErr) {
		return
	}
	if oldErr == nil {
		defer func() { require.NoError(t, old.Close(context.Background())) }()
	}
	now, nowErr := is.start(ctx, m, cfg)
	if now != nil {
		defer func() { require.NoError(t, now.Close(context.Background())) }()
	}
	if interrupted(nowErr) {
		return
	}
	require.Equal(t, oldErr == nil, nowErr == nil, "%v, rewritten %v", oldErr, nowErr)
	if oldErr != nil {
		return
	}
	for _, name := range slices.Sorted(functionNames(old)) {
		want, wantErr := callWithZeros(ctx, old, name)
		got, gotErr := callWithZeros(ctx, now, name)
		if interrupted(wantErr) || interrupted(gotErr) {
			return
		}
		require.Equal(t, reason(wantErr), reason(gotErr), name)
		if !hasReference(old.ExportedFunction(name)) {
			require.Equal(t, want, got, name)
		}
	}
	require.Equal(t, content(old), content(now))
}

// functionNames are the exports of a module that can be called.
func functionNames(m api.Module) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m.ExportedFunctionDefinitions() {
			if !yield(name) {
				return
			}
		}
	}
}

func callWithZeros(ctx context.Context, m api.Module, name string) ([]uint64, error) {
	f := m.ExportedFunction(name)
	n := 0
	for _, kind := range f.Definition().ParamTypes() {
		n++
		if kind == vector128 {
			n++
		}
	}
	return f.Call(ctx, make([]uint64, n)...)
}

const vector128 = 0x7b // takes two values

// errImpatient ends a module that does not end by itself.
var errImpatient = errors.New("took too long")

// interrupted tells whether a module was ended for a reason that the two forms
// need not share.
func interrupted(err error) bool {
	var exit *sys.ExitError
	return errors.Is(err, errImpatient) || errors.As(err, &exit) || errors.Is(err, context.DeadlineExceeded) ||
		err != nil && strings.Contains(err.Error(), "stack overflow")
}

// specModules are the modules of the test suite, with a memory where they have
// none, that import nothing and are not large.
func specModules(t testing.TB) (all [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(specDirectory(t, "v2"), "*.wasm"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		m, err := loader.Load(b)
		if err != nil && strings.Contains(err.Error(), "has no memory") {
			b = withMemory(b)
			m, err = loader.Load(b)
		}
		if err == nil && len(m.Imports) == 0 && len(b) < 4096 {
			all = append(all, b)
		}
	}
	return all
}
