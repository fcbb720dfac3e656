package engine

import (
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// shaper guesses what the limiter would say, without asking it: asking takes.
// With it the dispatcher hands over about as many executions of a rate limit as
// may start, and leaves the others where they are, in their order. The limiter
// is asked when an attempt starts; its refusals correct the guess.
//
// It is the same algorithm (GCRA) for one node, and knows a key from its first
// use until its allowance is whole again. It is safe for concurrent use.
type shaper struct {
	mu   sync.Mutex
	keys map[string]*shape
}

// shape is what is known of a rate.
type shape struct {
	step  time.Duration // between two starts
	burst time.Duration // how far ahead of its pace a rate may be
	paced time.Time     // when the next start would be on pace
}

func newShaper() *shaper { return &shaper{keys: map[string]*shape{}} }

// offer counts one execution of each of the rates in, if all of them have room.
func (s *shaper) offer(now time.Time, rates []core.LimitRequest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rates {
		if s.of(now, r).opens().After(now) {
			return false
		}
	}
	for _, r := range rates {
		sh := s.keys[r.Key]
		sh.paced = sh.paced.Add(sh.step)
	}
	return true
}

// of finds the shape of a rate, and lets it rest at the present.
func (s *shaper) of(now time.Time, r core.LimitRequest) *shape {
	sh, ok := s.keys[r.Key]
	if !ok {
		sh = &shape{}
		s.keys[r.Key] = sh
	}
	sh.step = r.Per / time.Duration(r.Limit)
	sh.burst = r.Per - sh.step
	if sh.paced.Before(now) {
		sh.paced = now
	}
	return sh
}

func (sh *shape) opens() time.Time { return sh.paced.Add(-sh.burst) }

// refused notes that the limiter lets nothing through for a while.
func (s *shaper) refused(now time.Time, r core.LimitRequest, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.of(now, r)
	if until := now.Add(wait + sh.burst); until.After(sh.paced) {
		sh.paced = until
	}
}

// closed reports whether a rate has no room.
func (s *shaper) closed(now time.Time, key string) bool { return s.opensAt(now, key).After(now) }

// opensAt is when a rate is expected to have room.
func (s *shaper) opensAt(now time.Time, key string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh, ok := s.keys[key]; ok && sh.opens().After(now) {
		return sh.opens()
	}
	return now
}

// next is how long until a closed rate opens; negative when none is closed.
// Rates that are whole again are forgotten.
func (s *shaper) next(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := time.Duration(-1)
	for key, sh := range s.keys {
		switch wait := sh.opens().Sub(now); {
		case !sh.paced.After(now):
			delete(s.keys, key)
		case wait > 0 && (next < 0 || wait < next):
			next = wait
		}
	}
	return next
}
