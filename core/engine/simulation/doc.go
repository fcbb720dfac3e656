// Package simulation runs several engines on one store in simulated time, with
// random tasks, random plugins and random faults, all drawn from one seed, and
// looks after each step of the store whether the promises of the scheduler hold.
// It has tests only.
//
//	source      one seed, and a stream of random numbers out of it for every actor
//	world       what the nodes share: clock, store, signals, queue, plugin
//	node        an engine and how it is started, drained, killed and cut off
//	faults      what happens to calls on their way to the store and the queue
//	tasks       random tasks
//	plugin      random behaviour, and the journal of what was called
//	actions     what the users of the API do
//	recorder    the store's wrapper that sees every change of state
//	agenda      which nominal times must come next
//	invariants  what must hold after each step, and at the end
//	controls    broken stores and queues that the simulation must catch
//
// A seed that fails is printed with the steps that led there. SIMULATE_SEED runs
// it again; SIMULATE_SEEDS runs as many seeds, counted from there. The draws of a
// seed are always the same. What is not: ids, the engine's own spreading of
// pauses, and the order in which the runtime wakes two goroutines at one instant;
// so a failure that hangs on these may need several runs to come again.
package simulation
