// Package loader turns a module that nobody trusts into one that a host can
// hold: it decodes the module once, refuses what it does not know, and writes it
// anew with what the host needs to interrupt it and to save its state.
//
// # What is changed
//
//   - Every function entry and every loop header takes from a fuel counter, and
//     calls the import scheduler.yield when it is used up. Machine code cannot be
//     preempted; this is where the host gets the processor back.
//   - memory.fill and memory.copy become calls of functions that work in pieces,
//     so that one instruction cannot keep the processor for long.
//   - Mutable globals are exported under reserved names. Together with the
//     linear memory they are the state of most programs.
//   - Active data segments and the start function are taken out. The host applies
//     them once and keeps the result.
//   - Tables get a maximum. A table is memory that no limit of the engine covers.
//   - The maximum of the memory is left to the host, which puts memory back after
//     it grew, and needs room for that.
//   - Custom sections are dropped.
//
// What the module computes stays the same.
//
// # Why the result can be trusted
//
// The result has one more import, one more global, a few more functions and a
// local more in each function. An index that was out of range before could now
// reach them, so Load holds every such index against the range it had in the
// original. The rest is left to the engine, which validates the result before
// it compiles it. Load also refuses shapes that would keep the compiler busy for
// minutes, and modules with so many globals, exports or other parts that they
// would take the engine far more memory than they have bytes.
//
// Numbers in parentheses are sections of the WebAssembly Core Specification,
// version 2.0.
package loader
