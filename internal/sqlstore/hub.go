package sqlstore

import (
	"sync"

	"github.com/nexuscore/scheduler/core"
)

// signalBuffer is how many signals a subscriber may be behind before it loses
// the oldest.
const signalBuffer = 256

// hub hands signals to the subscribers in this process. It is safe for
// concurrent use.
type hub struct {
	mu          sync.Mutex
	subscribers map[chan core.Signal]struct{}
}

func newHub() *hub { return &hub{subscribers: map[chan core.Signal]struct{}{}} }

func (h *hub) deliver(signals ...core.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subscribers {
		for _, s := range signals {
			offer(ch, s)
		}
	}
}

// offer puts a signal into a buffer and makes room for it if need be. Only one
// sender is at it at a time, so the loop ends as soon as there is room.
func offer(ch chan core.Signal, s core.Signal) {
	for {
		select {
		case ch <- s:
			return
		default:
		}
		select {
		case <-ch:
		default:
		}
	}
}

// subscribe returns the signals from now on, and what ends that and closes the
// channel; calling it again does nothing.
func (h *hub) subscribe() (<-chan core.Signal, func()) {
	ch := make(chan core.Signal, signalBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribers[ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if _, ok := h.subscribers[ch]; ok {
			delete(h.subscribers, ch)
			close(ch)
		}
	}
}
