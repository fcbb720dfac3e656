package wasm

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// systemModule is WASI preview 1, which compilers and standard libraries
// expect. All its functions exist. Those that would reach something of the
// machine refuse, and none keeps state between two calls: what belongs to an
// instance is in its memory, or a reset would not bring it back.
const systemModule = "wasi_snapshot_preview1"

// errno is a result of a system function.
type errno = uint64

// The results that are used, by their numbers in witx.
const (
	success errno = 0
	badf    errno = 8  // not an open file
	fault   errno = 21 // not in the module's memory
	inval   errno = 28
	nosys   errno = 52
	spipe   errno = 70 // a stream has no positions
)

// systemFunction is a function of the system. args are its arguments.
type systemFunction func(ctx context.Context, m api.Memory, args []uint64) errno

func refuse(with errno) systemFunction {
	return func(context.Context, api.Memory, []uint64) errno { return with }
}

// system are all functions with their parameters, i for i32 and I for i64. All
// return an i32, but proc_exit.
var system = map[string]struct {
	params string
	call   systemFunction
}{
	"args_get":          {"ii", refuse(success)},
	"args_sizes_get":    {"ii", nothingThere},
	"environ_get":       {"ii", refuse(success)},
	"environ_sizes_get": {"ii", nothingThere},

	"clock_res_get":  {"ii", clockResolution},
	"clock_time_get": {"iIi", clockTime},
	"random_get":     {"ii", randomGet},
	"poll_oneoff":    {"iiii", pollOneoff},
	"sched_yield":    {"", refuse(success)},
	"proc_exit":      {"i", procExit},
	"proc_raise":     {"i", refuse(nosys)},

	"fd_close":            {"i", onStream(success)},
	"fd_fdstat_get":       {"ii", streamStatus},
	"fd_fdstat_set_flags": {"ii", onStream(success)},
	"fd_filestat_get":     {"ii", streamFile},
	"fd_read":             {"iiii", streamRead},
	"fd_seek":             {"iIii", onStream(spipe)},
	"fd_tell":             {"ii", onStream(spipe)},
	"fd_write":            {"iiii", streamWrite},

	"fd_advise":             {"iIIi", refuse(badf)},
	"fd_allocate":           {"iII", refuse(badf)},
	"fd_datasync":           {"i", refuse(badf)},
	"fd_fdstat_set_rights":  {"iII", refuse(badf)},
	"fd_filestat_set_size":  {"iI", refuse(badf)},
	"fd_filestat_set_times": {"iIIi", refuse(badf)},
	"fd_pread":              {"iiiIi", refuse(badf)},
	"fd_prestat_get":        {"ii", refuse(badf)},
	"fd_prestat_dir_name":   {"iii", refuse(badf)},
	"fd_pwrite":             {"iiiIi", refuse(badf)},
	"fd_readdir":            {"iiiIi", refuse(badf)},
	"fd_renumber":           {"ii", refuse(badf)},
	"fd_sync":               {"i", refuse(badf)},

	"path_create_directory":   {"iii", refuse(badf)},
	"path_filestat_get":       {"iiiii", refuse(badf)},
	"path_filestat_set_times": {"iiiiIIi", refuse(badf)},
	"path_link":               {"iiiiiii", refuse(badf)},
	"path_open":               {"iiiiiIIii", refuse(badf)},
	"path_readlink":           {"iiiiii", refuse(badf)},
	"path_remove_directory":   {"iii", refuse(badf)},
	"path_rename":             {"iiiiii", refuse(badf)},
	"path_symlink":            {"iiiii", refuse(badf)},
	"path_unlink_file":        {"iii", refuse(badf)},

	"sock_accept":   {"iii", refuse(badf)},
	"sock_recv":     {"iiiiii", refuse(badf)},
	"sock_send":     {"iiiii", refuse(badf)},
	"sock_shutdown": {"ii", refuse(badf)},
}

// systemCost is the fuel that a call of the system costs, beside what it copies.
const systemCost = 256

// copyCost is the fuel that bytes cost which the host copies or makes for the
// module. The instructions that copy cost as much.
func copyCost(bytes int) int64 { return int64(bytes / 16) }

const exitFunction = "proc_exit"

// systemSignature returns the signature of a system function.
func systemSignature(name string) (loader.Signature, bool) {
	f, ok := system[name]
	if !ok {
		return loader.Signature{}, false
	}
	s := loader.Signature{}
	for _, p := range f.params {
		if p == 'I' {
			s.Params = append(s.Params, i64)
		} else {
			s.Params = append(s.Params, i32)
		}
	}
	if name != exitFunction {
		s.Results = []api.ValueType{i32}
	}
	return s, true
}

// instantiateSystem adds the system's module.
func instantiateSystem(ctx context.Context, engine wazero.Runtime) error {
	b := engine.NewHostModuleBuilder(systemModule)
	for name, f := range system {
		s, _ := systemSignature(name)
		b.NewFunctionBuilder().WithGoModuleFunction(adapt(f.call, len(s.Results)), s.Params, s.Results).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

func adapt(f systemFunction, results int) api.GoModuleFunc {
	return func(ctx context.Context, m api.Module, stack []uint64) {
		runOf(ctx).charge(systemCost)
		code := f(ctx, m.Memory(), stack)
		if results > 0 {
			stack[0] = code
		}
	}
}
