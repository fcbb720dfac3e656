//go:build !linux

package wasm

import "time"

// threadTime stands in for the processor time of a thread: wall time, which is
// never less. Waiting in operations and for a turn is not counted.
func threadTime() time.Duration { return time.Since(epoch) }
