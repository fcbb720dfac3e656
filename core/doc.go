// Package core is the scheduler's vocabulary: what a task, a schedule and an
// execution are, what may happen to them, and what the engine needs from the
// outside (the ports). It knows no database, no web framework and no plugin
// runtime; adapters and the API translate to it and from it.
//
// # Life of an execution
//
// A task says what to do and when. When its next time is due the planner turns
// the occurrence into an execution: one transaction inserts the execution and
// moves the task's next time forward, so that one (task, nominal time) becomes
// one execution whatever crashes. From there:
//
//	pending → queued → running → succeeded | failed | cancelled | lost
//	                   running → retrying → queued
//	straight from planning: skipped (overlap, window, dependency, calendar)
//	                        missed (catch-up window)
//
// A worker runs an execution under a lease: an owner, an end that heartbeats
// push forward, and a fencing token that the store mints at the claim. Every
// later write names the token, so a worker that lost its lease writes nothing.
package core
