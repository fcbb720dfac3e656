// Package silence measures for how long a program does not come to what it wants
// to do.
package silence

import "time"

// Watch wants to do something every millisecond, and tells each time how much
// later it came to it, until stop is closed.
func Watch(stop <-chan struct{}, late func(time.Duration)) {
	for last := time.Now(); ; {
		time.Sleep(time.Millisecond)
		now := time.Now()
		late(now.Sub(last) - time.Millisecond)
		last = now
		select {
		case <-stop:
			return
		default:
		}
	}
}
