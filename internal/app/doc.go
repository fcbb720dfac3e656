// Package app wires the service together: it is the only package that knows
// every other one. main, the end-to-end tests and the benchmarks all start the
// service through it.
package app
