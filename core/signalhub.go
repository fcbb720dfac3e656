package core

import (
	"context"
	"sync"
)

// signalBuffer is how many signals a subscriber may be behind before it loses
// the oldest.
const signalBuffer = 256

// SignalHub is a Signals for one process, and the part of every other one that
// hands signals to the subscribers here. It is safe for concurrent use. Its zero
// value is ready.
type SignalHub struct {
	mu          sync.Mutex
	closed      bool
	subscribers map[chan Signal]struct{}
}

// Send implements Signals. Whether ctx has ended does not matter: a hint about
// the end of a request is wanted.
func (h *SignalHub) Send(_ context.Context, s Signal) { h.Deliver(s) }

// Deliver offers signals to every subscriber, in order, and does not wait for
// them.
func (h *SignalHub) Deliver(signals ...Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subscribers {
		for _, s := range signals {
			OfferSignal(ch, s)
		}
	}
}

// OfferSignal puts a signal into a buffered channel and takes the oldest out
// while it is full. Only one sender may be at a channel at a time, so it ends as
// soon as there is room.
func OfferSignal(ch chan Signal, s Signal) {
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

// Subscribe implements Signals. The function ends the subscription and closes
// the channel; calling it again does nothing. After Close the channel is closed
// from the start.
func (h *SignalHub) Subscribe() (<-chan Signal, func()) {
	ch := make(chan Signal, signalBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(ch)
		return ch, func() {}
	}
	if h.subscribers == nil {
		h.subscribers = map[chan Signal]struct{}{}
	}
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

// Close closes the channels of all subscribers. Closing again does nothing.
func (h *SignalHub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for ch := range h.subscribers {
		close(ch)
	}
	clear(h.subscribers)
}

var _ Signals = (*SignalHub)(nil)
