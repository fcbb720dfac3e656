// Package rabbitmq carries bundles of execution ids between nodes, events to
// whoever listens and commands from whoever may give them, over a RabbitMQ
// server (3.9 to 4.x, classic durable queues).
//
// RabbitMQ is never where the truth is kept: the store decides who may run, and
// what a queue has lost it offers again. Client holds two supervised
// connections, one that publishes and one that consumes, because a server that
// is short of memory or disk stops reading from those that publish. Queue,
// Events and Commands share them. While the server is away, publishing fails
// with UNAVAILABLE and receiving waits.
//
// Under a prefix these are declared, all durable:
//
//	<prefix>.work.<type>     queue of bundles of one task type
//	<prefix>.work-dead       queue of bundles that cannot be read
//	<prefix>.events          topic exchange of events, by type
//	<prefix>.commands        queue of commands
//	<prefix>.commands.retry  queue of commands that wait for their next attempt
//	<prefix>.commands.dead   queue of commands that were given up
//	<prefix>.dead            direct exchange in front of the dead queues
package rabbitmq
