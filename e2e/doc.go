// Package e2e tests the service from outside: the real binary, real HTTP, real
// signals, and a fake of the services it calls.
package e2e
