package metrics

import "sync"

// maxTypes bounds the task types that have metrics of their own: each costs
// dozens of series.
const maxTypes = 100

// otherType stands for all types beyond.
const otherType = "other"

// bounded gives label values to the first maxTypes names and one to the rest.
type bounded struct {
	mu    sync.RWMutex
	known map[string]bool
}

func newBounded() *bounded { return &bounded{known: map[string]bool{}} }

func (b *bounded) name(s string) string {
	b.mu.RLock()
	known, full := b.known[s], len(b.known) >= maxTypes
	b.mu.RUnlock()
	switch {
	case known:
		return s
	case full:
		return otherType
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) >= maxTypes && !b.known[s] {
		return otherType
	}
	b.known[s] = true
	return s
}
