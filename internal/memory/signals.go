package memory

import (
	"context"
	"sync"

	"github.com/nexuscore/scheduler/core"
)

// signalBuffer is how many signals a subscriber may be behind before it loses
// the oldest.
const signalBuffer = 256

// Signals is a core.Signals for one process. It is safe for concurrent use. Its
// zero value is not useful; NewSignals makes one.
type Signals struct {
	mu          sync.Mutex
	subscribers map[chan core.Signal]struct{}
}

// NewSignals returns signals without subscribers.
func NewSignals() *Signals {
	return &Signals{subscribers: map[chan core.Signal]struct{}{}}
}

// Send offers a signal to every subscriber and does not wait for them. Whether
// ctx has ended does not matter: a hint about the end of a request is wanted.
func (s *Signals) Send(_ context.Context, signal core.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.subscribers {
		offer(ch, signal)
	}
}

// offer puts a signal into a buffer and makes room for it if need be. Only one
// sender is at it at a time, so the loop ends as soon as there is room.
func offer(ch chan core.Signal, signal core.Signal) {
	for {
		select {
		case ch <- signal:
			return
		default:
		}
		select {
		case <-ch:
		default:
		}
	}
}

// Subscribe returns the signals from now on. The function ends the subscription
// and closes the channel; calling it again does nothing.
func (s *Signals) Subscribe() (<-chan core.Signal, func()) {
	ch := make(chan core.Signal, signalBuffer)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.subscribers[ch]; ok {
			delete(s.subscribers, ch)
			close(ch)
		}
	}
}

var _ core.Signals = (*Signals)(nil)
