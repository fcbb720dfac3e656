// Package workbench is where the author of a plugin works: it looks into a
// program, runs it once without the service, and holds it against the contract
// that the service relies on. It uses the same host and runtimes as the service
// does, so what it says is what will happen.
package workbench
