package simulation

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// source gives every actor a stream of its own out of one seed: what one draws
// does not depend on when the others run.
type source struct {
	seed uint64

	mu      sync.Mutex
	streams map[string]*dice
}

func newSource(seed uint64) *source { return &source{seed: seed, streams: map[string]*dice{}} }

// of returns the stream with a name.
func (s *source) of(name string) *dice {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.streams[name]
	if !ok {
		d = s.fresh(name)
		s.streams[name] = d
	}
	return d
}

// fresh returns a stream that is used once.
func (s *source) fresh(name string) *dice {
	h := fnv.New64a()
	h.Write([]byte(name))
	return &dice{r: rand.New(rand.NewPCG(s.seed, h.Sum64()))}
}

// dice is one stream. It is safe for concurrent use.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

// below draws from 0 to n-1.
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// chance is true with a probability.
func (d *dice) chance(p float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64() < p
}

// between draws a duration, which is at least a nanosecond longer than low.
func (d *dice) between(low, high time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return low + 1 + time.Duration(d.r.Int64N(int64(high-low)))
}

// pick draws one of the options.
func pick[T any](d *dice, options ...T) T { return options[d.below(len(options))] }
