// Package engine is the running part of the scheduler: the loops that turn due
// tasks into finished executions. Each duty is one file:
//
//	planner     due tasks → pending executions, and when to look again
//	judge       executions that wait for dependencies → released, or ended
//	dispatcher  pending executions → queue, through the rate limits
//	worker      queue → claim → plugin → end of the attempt
//	completer   ends of attempts → store, grouped
//	keeper      heartbeats of the leases this node holds
//	reporter    what running attempts say about how far they are → store, once a second
//	reaper      executions whose lease expired → next attempt; lost messages → again
//	janitor     old history and keys → removed
//	lookout     executions that have not started in time → told
//	relay       events of the outbox → publisher, in order
//	herald      alerts of the outbox → people; a second one, the courier, notifications
//	registrar   this node → the registry of nodes
//
// All state that matters is in the store. Every duty may run on any number of
// nodes at once, and each step may be repeated:
//
//	what fails                      what happens
//	node dies after a plan          the execution is pending in the store; a dispatcher finds it
//	node dies before a publish      the execution is marked as queued; the reaper offers it again
//	node dies after a publish       the worker's claim decides; a lost message is offered again
//	node dies while running         the lease expires, a reaper starts the next attempt
//	node is stopped and continues   its token is old: its writes change nothing
//	store does not answer           steps back off and repeat; running work is kept until its lease ends
//	queue or limiter fails          executions stay pending and are tried again
package engine
