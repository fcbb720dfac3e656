package wasm_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm"
)

func artifact(b []byte) host.Artifact {
	return host.Artifact{
		Type: "x", Source: "x.wasm", Bytes: b, Logger: hclog.NewNullLogger(),
		Limits: host.Limits{Memory: host.MiB, Output: host.KiB, Timeout: time.Minute, Logs: host.KiB, HostCalls: 10, Concurrency: 1},
	}
}

// load loads a module that has to load.
func load(t testing.TB, r host.Runtime, b []byte) host.Plugin {
	t.Helper()
	p, err := r.Load(t.Context(), artifact(b))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close(context.Background())) })
	return p
}

func TestLoadRefusesModulesThatCannotRun(t *testing.T) {
	change := func(f func(*assembly)) []byte {
		a := assembled()
		f(&a)
		return a.bytes()
	}
	tests := map[string]struct {
		module []byte
		want   string
	}{
		"empty":      {nil, "not a WebAssembly module"},
		"text":       {[]byte("#!/bin/sh\n"), "not a WebAssembly module"},
		"component":  {[]byte("\x00asm\x0d\x00\x01\x00"), "component"},
		"cut off":    {assembled().bytes()[:len(assembled().bytes())-3], "malformed module"},
		"no exports": {change(func(a *assembly) { a.exports = []string{} }), "does not export the function task_abi_v1"},
		"a command": {change(func(a *assembly) { a.exports = []string{export("_start", 0, 0)} }),
			"build it with -buildmode=c-shared"},
		"wrong signature": {change(func(a *assembly) {
			a.exports = []string{export("memory", 2, 0), export("task_abi_v1", 0, 0), export("task_alloc", 0, 0), export("task_handle", 0, 2)}
		}), "export task_alloc is () -> () and must be (i32) -> (i32)"},
		"no memory": {change(func(a *assembly) {
			a.exports = []string{export("task_abi_v1", 0, 0), export("task_alloc", 0, 1), export("task_handle", 0, 2)}
		}), `does not export its memory`},
		"unknown import": {change(func(a *assembly) { a.imports = []string{importFunction("env", "abort", typeNothing)} }),
			`imports "env"."abort", which this host does not have`},
		"unknown task import": {change(func(a *assembly) { a.imports = []string{importFunction("task", "fly", typeNothing)} }),
			`imports "task"."fly"`},
		"wrong import": {change(func(a *assembly) { a.imports = []string{importFunction("task", "call", typeNothing)} }),
			"import task.call is () -> () and must be (i32, i32, i32, i32) -> (i32)"},
		"unknown system import": {change(func(a *assembly) {
			a.imports = []string{importFunction("wasi_snapshot_preview1", "teleport", typeNothing)}
			a.exports = shifted(1)
		}), `wasi_snapshot_preview1."teleport", which does not exist`},
		"wrong system import": {change(func(a *assembly) {
			a.imports = []string{importFunction("wasi_snapshot_preview1", "sched_yield", typeNothing)}
			a.exports = shifted(1)
		}), "sched_yield is () -> () and must be () -> (i32)"},
		"imported memory": {change(func(a *assembly) { a.imports = []string{name("task") + name("call") + "\x02\x00\x01"} }),
			"must be its own"},
		"too much memory": {change(func(a *assembly) { a.memory = []byte{0, 17} }), "needs 1088KiB of memory to start and its limit is 1MiB"},
		"shared memory":   {change(func(a *assembly) { a.memory = []byte{3, 1, 2} }), "shared"},
		"64-bit memory":   {change(func(a *assembly) { a.memory = []byte{4, 1} }), "64 bits"},
		"huge table": {change(func(a *assembly) { a.tables = [][]byte{append([]byte{0x70, 0}, uleb(60_000_000)...)} }),
			"table"},
		"table that may become huge": {change(func(a *assembly) {
			a.tables = [][]byte{append([]byte{0x70, 1, 1}, uleb(60_000_000)...)}
		}), "table"},
		"many large tables": {change(func(a *assembly) {
			large := append([]byte{0x70, 0}, uleb(1<<20)...)
			a.tables = [][]byte{large, large}
		}), "table"},
		"invalid code": {change(func(a *assembly) { a.handle = []byte{opDrop} }), "compile module"},
	}
	r := newRuntime(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := r.Load(t.Context(), artifact(test.module))
			require.ErrorContains(t, err, test.want)
		})
	}
	load(t, r, assembled().bytes()) // what the cases changed was fine before
}

func TestLoadRefusesLargeModules(t *testing.T) {
	r, err := wasm.New(wasm.Config{MaxModule: 100})
	require.NoError(t, err)
	_, err = r.Load(t.Context(), artifact(assembled().bytes()))
	require.ErrorContains(t, err, "at most 100B are allowed")
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newRuntime(t).Load(ctx, artifact(assembled().bytes()))
	require.ErrorIs(t, err, context.Canceled)
}

func TestCacheMustBePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	r, err := wasm.New(wasm.Config{CacheDir: dir})
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	require.NoError(t, os.Chmod(dir, 0o777))
	_, err = wasm.New(wasm.Config{CacheDir: dir})
	require.ErrorContains(t, err, "chmod 700")
}

func FuzzLoad(f *testing.F) {
	f.Add(assembled().bytes())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\xff\xff\xff\xff\x0f"))
	r := newRuntimeWith(f, wasm.Config{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := r.Load(t.Context(), artifact(b)) // must neither panic nor hang
		if err == nil {
			require.NoError(t, p.Close(context.Background()))
		}
	})
}
