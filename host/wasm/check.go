package wasm

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/nexuscore/scheduler/host"
)

// The names of the ABI.
const (
	exportMemory   = "memory"
	exportABI      = "task_abi_v1"
	exportAlloc    = "task_alloc"
	exportHandle   = "task_handle"
	exportDescribe = "task_describe"
	exportInit     = "_initialize"
	exportCommand  = "_start"

	hostModule = "task"
	importCall = "call"
	importTake = "take"
)

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

// signatures of the functions that a module may import from the host module.
var provided = map[string]signature{
	importCall: {params: []api.ValueType{i32, i32, i32, i32}, results: []api.ValueType{i32}},
	importTake: {params: []api.ValueType{i32}},
}

// wanted are the exports that a module must or may have.
var wanted = []struct {
	name      string
	signature signature
	optional  bool
}{
	{exportABI, signature{}, false},
	{exportAlloc, signature{params: []api.ValueType{i32}, results: []api.ValueType{i32}}, false},
	{exportHandle, signature{params: []api.ValueType{i32, i32}, results: []api.ValueType{i64}}, false},
	{exportDescribe, signature{results: []api.ValueType{i64}}, true},
	{exportInit, signature{}, true},
}

// check refuses a module that could not run, or could take what the limits do
// not cover. Its errors say what to do.
func (m *module) check(memory host.Size) error {
	if err := m.checkImports(); err != nil {
		return err
	}
	if err := m.checkExports(); err != nil {
		return err
	}
	if err := m.checkMemory(memory); err != nil {
		return err
	}
	return m.checkTables()
}

func (m *module) checkExports() error {
	if _, ok := m.exports[exportCommand]; ok {
		return fmt.Errorf("the module is a command (it exports %s), not a plugin; build it with -buildmode=c-shared", exportCommand)
	}
	for _, w := range wanted {
		got, ok := m.function(w.name)
		if !ok && w.optional {
			continue
		}
		if !ok {
			return fmt.Errorf("the module does not export the function %s; import the sdk and build with -buildmode=c-shared, or see docs/abi.md", w.name)
		}
		if !got.equal(w.signature) {
			return fmt.Errorf("export %s is %s and must be %s; see docs/abi.md", w.name, got, w.signature)
		}
	}
	if e, ok := m.exports[exportMemory]; !ok || e.kind != kindMemory {
		return fmt.Errorf("the module does not export its memory as %q; see docs/abi.md", exportMemory)
	}
	return nil
}

func (m *module) checkImports() error {
	for _, i := range m.imports {
		if i.kind != kindFunction {
			return fmt.Errorf("the module imports %.64q.%.64q, which is no function; memories, tables and globals must be its own", i.module, i.name)
		}
		want, ok := provided[i.name]
		switch {
		case i.module == wasi_snapshot_preview1.ModuleName: // checkSystem looks at these
		case i.module == hostModule && ok:
			if got, ok := m.signature(i.typeIndex); !ok || !got.equal(want) {
				return fmt.Errorf("import %s.%s is %s and must be %s; see docs/abi.md", i.module, i.name, got, want)
			}
		default:
			return fmt.Errorf("the module imports %.64q.%.64q, which this host does not have; only %s.%s, %s.%s and %s are there",
				i.module, i.name, hostModule, importCall, hostModule, importTake, wasi_snapshot_preview1.ModuleName)
		}
	}
	return nil
}

// checkSystem refuses imports of system functions that the engine does not have:
// they would only be missed when the module is run.
func (m *module) checkSystem(have map[string]api.FunctionDefinition) error {
	for _, i := range m.imports {
		if i.module != wasi_snapshot_preview1.ModuleName {
			continue
		}
		f, ok := have[i.name]
		if !ok {
			return fmt.Errorf("the module imports %s.%.64q, which does not exist; build it for WASI preview 1", i.module, i.name)
		}
		want := signature{params: f.ParamTypes(), results: f.ResultTypes()}
		if got, ok := m.signature(i.typeIndex); !ok || !got.equal(want) {
			return fmt.Errorf("import %s.%s is %s and must be %s", i.module, i.name, got, want)
		}
	}
	return nil
}

func (m *module) checkMemory(limit host.Size) error {
	if len(m.memories) != 1 {
		return fmt.Errorf("the module has %d memories and must have one", len(m.memories))
	}
	memory := m.memories[0]
	if memory.flags&^1 != 0 {
		return fmt.Errorf("the module's memory is shared or 64 bits wide; build it without threads and memory64")
	}
	if need := memory.min * pageSize; need > uint64(limit) {
		return fmt.Errorf("the module needs %s of memory to start and its limit is %s; raise limits.memory", host.Size(need), limit)
	}
	return nil
}

// describes tells whether the module has a manifest.
func (m *module) describes() bool {
	_, ok := m.function(exportDescribe)
	return ok
}
