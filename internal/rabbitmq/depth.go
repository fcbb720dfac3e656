package rabbitmq

import (
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// depthAge is how old a count may be before it is taken again.
const depthAge = 100 * time.Millisecond

// depth counts the bundles that are ready, by type. Between two counts by the
// server it adds what this node publishes. It is safe for concurrent use.
type depth struct {
	capacity int
	link     *link
	measure  func(taskType string) (ready int, err error) // declares the queue, too

	mu      sync.Mutex
	session *session       // for which the queues are known to exist
	ready   map[string]int // by type
	counted time.Time      // monotonic; zero when in doubt
}

// reserve makes sure that the queues of the types exist, and adds the bundles
// unless they do not all fit beside what is ready and held. Then it fails with
// RATE_LIMITED.
func (d *depth) reserve(bundles map[string]int, held int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.attach(); err != nil {
		return err
	}
	wanted := 0
	for taskType, n := range bundles {
		wanted += n
		if _, known := d.ready[taskType]; !known {
			if err := d.count(taskType); err != nil {
				return err
			}
		}
	}
	if d.sum()+held+wanted > d.capacity {
		if err := d.recount(); err != nil {
			return err
		}
	}
	if waiting := d.sum() + held; waiting+wanted > d.capacity {
		return core.Errorf(core.CodeRateLimited, "queue is full: %d of %d bundles wait", waiting, d.capacity)
	}
	for taskType, n := range bundles {
		d.ready[taskType] += n
	}
	return nil
}

// total returns how many bundles are ready, those of the given types included.
func (d *depth) total(types []string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.attach(); err != nil {
		return 0, err
	}
	for _, taskType := range types {
		if _, known := d.ready[taskType]; known {
			continue
		}
		if err := d.count(taskType); err != nil && !mismatch(err) { // the consumer reports a mismatch
			return 0, err
		}
	}
	if now := (core.SystemClock{}).Now(); d.counted.IsZero() || now.Sub(d.counted) > depthAge {
		if err := d.recount(); err != nil {
			return 0, err
		}
	}
	return d.sum(), nil
}

// doubt makes the next look count again.
func (d *depth) doubt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counted = time.Time{}
}

// forget makes the next look declare all queues again.
func (d *depth) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.ready)
}

// attach fails while the server is away, and forgets what an earlier connection
// knew. The caller holds mu.
func (d *depth) attach() error {
	s, _, err := d.link.look()
	if err != nil {
		return unavailable("queue", err)
	}
	if s != d.session {
		clear(d.ready)
		d.session = s
	}
	return nil
}

func (d *depth) recount() error {
	for taskType := range d.ready {
		if err := d.count(taskType); err != nil {
			return err
		}
	}
	d.counted = core.SystemClock{}.Now()
	return nil
}

func (d *depth) count(taskType string) error {
	n, err := d.measure(taskType)
	if err != nil {
		delete(d.ready, taskType)
		if core.CodeOf(err) == core.CodeUnavailable {
			return err
		}
		return unavailable("queue", err)
	}
	d.ready[taskType] = n
	return nil
}

func (d *depth) sum() (n int) {
	for _, ready := range d.ready {
		n += ready
	}
	return n
}
