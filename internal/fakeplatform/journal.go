package fakeplatform

import (
	"slices"
	"sync"
	"time"
)

// Entry is one request and what came of it.
type Entry struct {
	Sequence       int       `json:"sequence"` // from 1
	At             time.Time `json:"at"`
	Platform       string    `json:"platform"` // discord, twitch or notification
	Route          string    `json:"route"`    // such as discord.create_message
	Method         string    `json:"method"`
	Path           string    `json:"path"`
	Status         int       `json:"status"`           // 0: the client got no answer
	Fault          FaultKind `json:"fault,omitempty"`  // what went wrong on purpose
	Effect         string    `json:"effect,omitempty"` // what has changed; empty: nothing
	Target         string    `json:"target,omitempty"` // what it was done to
	Detail         any       `json:"detail,omitempty"`
	IdempotencyKey string    `json:"idempotencyKey,omitempty"`
}

// Journal remembers the newest entries. It is safe for concurrent use.
type Journal struct {
	size int

	mu      sync.Mutex
	last    int // sequence of the newest
	entries []Entry
	news    chan struct{} // closed by the next entry
}

func newJournal(size int) *Journal { return &Journal{size: size, news: make(chan struct{})} }

func (j *Journal) add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	e.Sequence = j.last
	if len(j.entries) >= j.size {
		j.entries = slices.Delete(j.entries, 0, len(j.entries)/4+1)
	}
	j.entries = append(j.entries, e)
	close(j.news)
	j.news = make(chan struct{})
}

// After returns the remembered entries with a higher sequence, oldest first, and
// a channel that is closed when there are more.
func (j *Journal) After(sequence int) ([]Entry, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at, _ := slices.BinarySearchFunc(j.entries, sequence+1, func(e Entry, n int) int { return e.Sequence - n })
	return slices.Clone(j.entries[at:]), j.news
}

// Effects returns the remembered entries that changed the world, of one route
// or, for "", of all.
func (j *Journal) Effects(route string) []Entry {
	entries, _ := j.After(0)
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.Effect == "" || route != "" && e.Route != route })
}

// Requests returns the remembered entries of one route or, for "", of all.
func (j *Journal) Requests(route string) []Entry {
	entries, _ := j.After(0)
	return slices.DeleteFunc(entries, func(e Entry) bool { return route != "" && e.Route != route })
}

// Clear forgets all entries; sequences go on.
func (j *Journal) Clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = nil
}
