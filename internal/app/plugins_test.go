package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bodies of task_handle in two tiny plugins.
var (
	answers = []byte{0x42, 6}                            // i64.const 6: the frame of six bytes at address 0
	spins   = []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0x42, 0} // loop br 0 end: until it is ended
)

// withPlugins gives an environment the task types "quick", which succeeds at
// once, and "spin", which never ends by itself.
func withPlugins(t *testing.T, vars ...string) env {
	t.Helper()
	e := newEnv(t, vars...)
	dir := filepath.Dir(e["PLUGINS_CONFIG"])
	for name, body := range map[string][]byte{"quick": answers, "spin": spins} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".wasm"), module(body), 0o600))
	}
	e.plugins(t, `plugins:
  - {type: quick, runtime: wasm, source: quick.wasm}
  - {type: spin, runtime: wasm, source: spin.wasm, limits: {cpu: 60s, timeout: 60s}}
`)
	return e
}

// module assembles a plugin as docs/abi.md describes it.
func module(handle []byte) []byte { return moduleWith(handle, "\x02\x00\x00\x00{}") }

// answering assembles a plugin whose result is always this JSON.
func answering(result string) []byte {
	frame := "\x02\x00\x00\x00{}" + result
	return moduleWith([]byte{0x42, byte(len(frame))}, frame)
}

// moduleWith assembles a plugin with some bytes at address 0.
func moduleWith(handle []byte, memory string) []byte {
	export := func(name string, kind, index byte) []byte {
		return append(append([]byte{byte(len(name))}, name...), kind, index)
	}
	function := func(code []byte) []byte { // no locals
		return append([]byte{byte(len(code) + 2), 0}, append(slices.Clone(code), 0x0b)...)
	}
	const i32, i64 = 0x7f, 0x7e
	return slices.Concat(
		[]byte("\x00asm\x01\x00\x00\x00"),
		section(1, 3, []byte{0x60, 0, 0, 0x60, 1, i32, 1, i32, 0x60, 2, i32, i32, 1, i64}),
		section(3, 3, []byte{0, 1, 2}),
		section(5, 1, []byte{0, 1}),
		section(7, 4, export("memory", 2, 0), export("task_abi_v1", 0, 0), export("task_alloc", 0, 1), export("task_handle", 0, 2)),
		section(10, 3, function(nil), function([]byte{0x41, 0x80, 0x08}), function(handle)),
		section(11, 1, []byte{0, 0x41, 0, 0x0b, byte(len(memory))}, []byte(memory)),
	)
}

// section is a part of a module with so many entries.
func section(id, entries byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append([]byte{id, byte(len(body) + 1), entries}, body...)
}
