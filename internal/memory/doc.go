// Package memory holds the adapters that live inside the process: the queue,
// the locker, the limiter and the signals of a single node, and a complete
// store for tests and trials. They start no goroutines and do no I/O, so they
// work inside a testing/synctest bubble.
package memory
