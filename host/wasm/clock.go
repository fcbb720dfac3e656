package wasm

import "time"

// now is the one place where the time is read: a module's clock is the machine's.
func now() time.Time { return time.Now() } //nolint:forbidigo // nothing is decided by it

// epoch is the zero of the monotonic clock.
var epoch = now()

func sinceStart() time.Duration { return time.Since(epoch) }
