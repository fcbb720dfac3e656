// Package wasm runs plugins that are WebAssembly modules, in wazero. It
// implements host.Runtime; docs/abi.md describes what a module must look like.
//
// A module is checked and compiled once, and instantiated anew for every run:
// no run sees memory, globals or goroutines of another. A module has no files,
// no environment, no arguments and no sockets. What it can reach is the one
// import task.call, which goes to the host.Caller of its run.
//
// # How a run is ended
//
// wazero looks at the context in the header of every loop
// (WithCloseOnContextDone), at a cost of several times the speed of a tight loop.
// A module that computes without loops, by recursion alone, is not ended
// by it. Handle returns in time all the same and leaves such a run behind; while
// one is left behind, its plugin takes no new runs. A loader that injects its own
// checks while rewriting the module replaces both.
package wasm
