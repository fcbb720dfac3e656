// Package wasm runs plugins that are WebAssembly modules, in wazero. It
// implements host.Runtime; docs/abi.md describes what a module must look like.
//
// A module has no files, no environment, no arguments and no sockets. What it
// can reach is the one import task.call, which goes to the host.Caller of its
// run.
//
// # Life of a module
//
//  1. Package loader rewrites it: it refuses what it does not know, and puts
//     yields where the module computes.
//  2. It is compiled, or its code comes from disk, sealed by this server
//     (codecache.go, vault.go).
//  3. It is initialized once. The state after that, its memory and its globals, is
//     the template of all runs (template.go).
//  4. A run takes an idle instance or makes one, whose memory is a copy-on-write
//     mapping of the template's image (image_linux.go).
//  5. After the run the pages that were written are copied back, and the
//     instance is idle again (pool.go). No run sees memory, globals or goroutines
//     of another.
//
// A module with state that cannot be saved, and one that asks for it, gets a new
// instance for every run instead, and is initialized in each.
//
// # How a run is ended
//
// Machine code cannot be preempted: while it runs, its processor does nothing
// else, and a garbage collection waits for it. wazero's own remedy
// (WithCloseOnContextDone) costs several times the speed of a loop. Here a module
// counts down fuel and yields when it is used up (run.go): the host looks at
// the deadline and the processor time, and twice in a millisecond lets other
// goroutines run. A run that is over ends there by a panic, which wazero turns
// into an error; the instance stays usable, because it is put back anyway.
//
// Modules compute in slots, fewer than there are processors (slots.go), and give
// theirs up in operations, in sleep, and to those that wait.
package wasm
