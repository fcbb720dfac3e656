package hosttest

import "time"

// Silence runs f and returns the longest time for which a goroutine that wants
// to do something every millisecond did not come to it. That goroutine stands
// for all that a server has to do beside its plugins.
func Silence(f func()) time.Duration {
	var longest time.Duration
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for last := time.Now(); ; {
			time.Sleep(time.Millisecond)
			now := time.Now()
			longest = max(longest, now.Sub(last)-time.Millisecond)
			last = now
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return longest
}
