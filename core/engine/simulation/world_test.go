package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

// clock is the store's. It jumps, forward or back, with the recorder's step lock
// held, so that a step sees one time.
type clock struct{ ahead atomic.Int64 }

// Now is the simulated time, and what the clock has jumped.
func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// variant is what a control breaks. The zero value breaks nothing.
type variant struct {
	store func(w *world, s core.Store) core.Store // below the recorder
	queue func(q core.Queue) core.Queue
}

// world is what the nodes share.
type world struct {
	source    *source
	variant   variant
	clock     *clock
	trace     *trace
	store     *recorder
	signals   *memory.Signals
	queue     core.Queue // nil: each node has its own
	locker    *memory.Locker
	limiter   *memory.Limiter
	timetable core.Timetable
	journal   *journal
	outside   *outside

	rough float64     // how much more often than usual calls go wrong
	calm  atomic.Bool // no more faults, and plugins are quick
	steps atomic.Int64

	nodes  []*node
	named  int            // nodes so far
	ending sync.WaitGroup // nodes that are being stopped
}

// The limits of the task types.
var typeLimits = map[string]int{"single": 1, "few": 3}

// newWorld makes a world without nodes.
func newWorld(seed uint64, v variant) *world {
	w := &world{
		source: newSource(seed), variant: v, clock: &clock{}, signals: memory.NewSignals(),
		timetable: core.Timetable{MinInterval: time.Second},
	}
	w.trace = &trace{clock: w.clock}
	w.locker, w.limiter = memory.NewLocker(w.clock), memory.NewLimiter(w.clock)
	var store core.Store = memory.NewStore(w.clock)
	if v.store != nil {
		store = v.store(w, store)
	}
	store.LimitTypes(func(taskType string) int { return typeLimits[taskType] })
	w.store = newRecorder(store, w)
	w.journal, w.outside = newJournal(w), newOutside()
	d := w.source.of("world")
	w.rough = pick(d, 0.3, 1, 1, 3, 6)
	if d.chance(0.5) {
		w.queue = w.newQueue()
	}
	return w
}

func (w *world) newQueue() core.Queue {
	var q core.Queue = memory.NewQueue(w.source.of("world").below(40) + 10)
	if w.variant.queue != nil {
		q = w.variant.queue(q)
	}
	return q
}

// scheduler is the API, with its own way to the store.
func (w *world) scheduler(l *link) *core.Scheduler {
	return core.NewScheduler(core.SchedulerConfig{
		Store: remote{Store: w.store, link: l}, Types: anyType{}, Signals: w.signals,
		Clock: w.clock, Timetable: w.timetable,
		Defaults: core.Defaults{Timeout: 30 * time.Second, RetryAttempts: 3, RetryDelay: 5 * time.Second},
	})
}

// jump sets the store's clock.
func (w *world) jump(d time.Duration) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if now := w.clock.Now(); d < 0 && now.After(w.store.setBack) {
		w.store.setBack = now
	}
	w.clock.ahead.Add(int64(d))
	w.store.jumped = time.Now()
	w.trace.note("* the clock jumps by %s", d)
}

// anyType knows every task type and takes any data.
type anyType struct{}

func (anyType) ValidateData(string, json.RawMessage) error { return nil }
func (anyType) Plugins() []core.PluginStatus               { return nil }

// The length of a simulation.
const (
	stepsOfSeed = 10_000
	ageOfSeed   = 24 * time.Hour // the start of two seeds is so far apart
)

// simulate runs one seed to its end and returns what went wrong, "" when nothing
// did, and what has happened. It must be called in a bubble of its own.
func simulate(seed uint64, v variant) (violation string, moves map[string]int) {
	// Ids grow with time for as long as the process lives, so seeds follow one
	// another in time too.
	time.Sleep(time.Duration(seed%50_000) * ageOfSeed)
	w := newWorld(seed, v)
	defer w.close()
	d := w.source.of("world")
	for range 1 + d.below(4) {
		w.start()
	}
	u := newUsers(w)
	for w.steps.Load() < stepsOfSeed && !w.trace.failed() {
		time.Sleep(d.between(0, 4*time.Second))
		w.steps.Add(1)
		if d.chance(0.12) {
			w.disturb(d)
		} else {
			u.act()
		}
	}
	if !w.trace.failed() {
		w.settle(u)
	}
	return w.trace.report(seed), w.store.moves
}

// disturb does something to a node or the clock.
func (w *world) disturb(d *dice) {
	n := w.nodes[d.below(len(w.nodes))]
	switch d.below(7) {
	case 0:
		w.jump(pick[time.Duration](d, 1, 1, -1) * d.between(100*time.Millisecond, 6*time.Minute))
	case 1, 2:
		n.cutOff(d.between(time.Second, 40*time.Second))
	case 3:
		w.stop(n, d.between(0, 20*time.Second))
	case 4:
		w.kill(n)
	case 5:
		if len(w.nodes) < 4 {
			w.start()
		}
	case 6:
		if len(w.nodes) > 1 {
			w.remove(n, d.between(0, 20*time.Second))
		}
	}
}

// close stops all nodes and waits for what is still on its way: when the first
// goroutine of a bubble ends, its time stands still.
func (w *world) close() {
	w.calm.Store(true)
	for _, n := range w.nodes {
		w.end(n, 0)
	}
	w.ending.Wait()
	time.Sleep(longest)
}

// bg is the context of those who have patience.
func bg() context.Context { return context.Background() }

// short is the part of an id that tells it from others.
func short(id string) string { return fmt.Sprintf("%.6s", id[max(0, len(id)-6):]) }
