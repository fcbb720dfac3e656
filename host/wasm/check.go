package wasm

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm/loader"
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

// provided are the functions that a module may import from the host module.
var provided = map[string]loader.Signature{
	importCall: {Params: []api.ValueType{i32, i32, i32, i32}, Results: []api.ValueType{i32}},
	importTake: {Params: []api.ValueType{i32}},
}

// wanted are the exports that a module must or may have.
var wanted = []struct {
	name      string
	signature loader.Signature
	optional  bool
}{
	{exportABI, loader.Signature{}, false},
	{exportAlloc, loader.Signature{Params: []api.ValueType{i32}, Results: []api.ValueType{i32}}, false},
	{exportHandle, loader.Signature{Params: []api.ValueType{i32, i32}, Results: []api.ValueType{i64}}, false},
	{exportDescribe, loader.Signature{Results: []api.ValueType{i64}}, true},
	{exportInit, loader.Signature{}, true},
}

// check refuses a module that could not run under its limits. Its errors say
// what to do.
func check(m *loader.Module, memory host.Size) error {
	for _, i := range m.Imports {
		if err := checkImport(i); err != nil {
			return err
		}
	}
	if err := checkExports(m); err != nil {
		return err
	}
	if m.MemoryMin > uint64(memory)/pageSize {
		return fmt.Errorf("the module needs %s of memory to start and its limit is %s; raise limits.memory", host.Size(m.MemoryMin*pageSize), memory)
	}
	return nil
}

func checkExports(m *loader.Module) error {
	if _, ok := m.Function(exportCommand); ok {
		return fmt.Errorf("the module is a command (it exports %s), not a plugin; build it with -buildmode=c-shared", exportCommand)
	}
	for _, w := range wanted {
		got, ok := m.Function(w.name)
		if !ok && w.optional {
			continue
		}
		if !ok {
			return fmt.Errorf("the module does not export the function %s; import the sdk and build with -buildmode=c-shared, or see docs/abi.md", w.name)
		}
		if !got.Equal(w.signature) {
			return fmt.Errorf("export %s is %s and must be %s; see docs/abi.md", w.name, got, w.signature)
		}
	}
	if !m.HasMemory(exportMemory) {
		return fmt.Errorf("the module does not export its memory as %q; see docs/abi.md", exportMemory)
	}
	return nil
}

// checkImport refuses imports that this host does not have: they would only be
// missed when the module is run.
func checkImport(i loader.Import) error {
	want, ok := provided[i.Name]
	switch i.Module {
	case hostModule:
	case systemModule:
		if want, ok = systemSignature(i.Name); !ok {
			return fmt.Errorf("the module imports %s.%.64q, which does not exist; build it for WASI preview 1", i.Module, i.Name)
		}
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("the module imports %.64q.%.64q, which this host does not have; only %s.%s, %s.%s and %s are there",
			i.Module, i.Name, hostModule, importCall, hostModule, importTake, systemModule)
	}
	if !i.Signature.Equal(want) {
		return fmt.Errorf("import %s.%s is %s and must be %s; see docs/abi.md", i.Module, i.Name, i.Signature, want)
	}
	return nil
}
