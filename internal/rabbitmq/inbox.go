package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// inbox holds the bundles that the server has delivered and nobody has taken
// yet, and hands their items to receivers, lowest rank first. It also knows
// whether anybody waits for more. It is safe for concurrent use.
type inbox struct {
	linger     time.Duration // how long after the last receiver the inbox still counts as wanted
	ackTimeout time.Duration // how long items may be out without an Ack
	poke       func()        // called when wanted changes

	mu        sync.Mutex
	closed    bool
	parcels   []*parcel // with items left
	receivers int
	wanted    bool
	leaving   *time.Timer   // ends wanted
	changed   chan struct{} // closed and replaced when a receiver should look again
}

// parcel is a delivered bundle: its first items may be out already.
type parcel struct {
	taskType string
	items    []core.QueueItem // left
	out      int              // parts that are out without an Ack
	settled  bool             // acknowledged, given back, or lost with its channel
	source   settler
}

// settler answers the server about one message.
type settler interface {
	Ack(multiple bool) error
	Nack(multiple, requeue bool) error
}

func newInbox(linger, ackTimeout time.Duration, poke func()) *inbox {
	return &inbox{linger: linger, ackTimeout: ackTimeout, poke: poke, changed: make(chan struct{})}
}

// receive waits for items and returns up to want of them, at least one.
func (b *inbox) receive(ctx context.Context, want int) (core.Delivery, error) {
	b.enter()
	defer b.leave()
	for {
		if err := ctx.Err(); err != nil {
			return core.Delivery{}, fmt.Errorf("receive: %w", err)
		}
		items, parcels, changed, err := b.take(max(1, want))
		if err != nil {
			return core.Delivery{}, err
		}
		if len(items) > 0 {
			return b.deliver(items, parcels), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// enter counts a receiver.
func (b *inbox) enter() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receivers++
	if b.leaving != nil {
		b.leaving.Stop()
		b.leaving = nil
	}
	if !b.wanted {
		b.wanted = true
		b.poke()
	}
}

// leave ends the wish for more a while after the last receiver has left.
func (b *inbox) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receivers--
	if b.receivers > 0 || b.closed {
		return
	}
	b.leaving = time.AfterFunc(b.linger, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.receivers == 0 {
			b.wanted = false
			b.poke()
		}
	})
}

func (b *inbox) isWanted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wanted && !b.closed
}

// add offers a bundle to the receivers.
func (b *inbox) add(taskType string, items []core.QueueItem, source settler) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parcels = append(b.parcels, &parcel{taskType: taskType, items: items, source: source})
	b.wake()
}

// take returns what is there, in order of rank, and what it is part of. When
// there is nothing, changed tells when to look again.
func (b *inbox) take(want int) (items []core.QueueItem, from []*parcel, changed <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil, nil, errQueueClosed()
	}
	for len(items) < want && len(b.parcels) > 0 {
		p := slices.MinFunc(b.parcels, func(x, y *parcel) int { return x.items[0].Rank.Compare(y.items[0].Rank) })
		items, p.items = append(items, p.items[0]), p.items[1:]
		if !slices.Contains(from, p) {
			from = append(from, p)
			p.out++
		}
		if len(p.items) == 0 {
			b.parcels = slices.DeleteFunc(b.parcels, func(x *parcel) bool { return x == p })
		}
	}
	return items, from, b.changed, nil
}

// deliver hands items out; they come again when they are not acknowledged.
func (b *inbox) deliver(items []core.QueueItem, from []*parcel) core.Delivery {
	var once sync.Once
	again := time.AfterFunc(b.ackTimeout, func() { b.giveBack(func(p *parcel) bool { return slices.Contains(from, p) }, from) })
	return core.Delivery{Items: items, Ack: func(context.Context) (err error) {
		once.Do(func() {
			again.Stop()
			err = b.settle(from)
		})
		return err
	}}
}

// settle counts parts as done and acknowledges the bundles of which no more is
// left or out.
func (b *inbox) settle(from []*parcel) error {
	b.mu.Lock()
	var done []*parcel
	for _, p := range from {
		p.out--
		if p.out == 0 && len(p.items) == 0 && !p.settled {
			p.settled = true
			done = append(done, p)
		}
	}
	b.mu.Unlock()
	var errs []error
	for _, p := range done {
		errs = append(errs, p.source.Ack(false))
	}
	if err := errors.Join(errs...); err != nil {
		return unavailable("acknowledge a bundle, which comes again", err)
	}
	return nil
}

// giveBack returns the bundles that which names to the server, out of those
// with items left and out of more. It returns all of a bundle, also the items
// that are out: the store knows those.
func (b *inbox) giveBack(which func(*parcel) bool, more []*parcel) {
	b.mu.Lock()
	var back []*parcel
	for _, p := range slices.Concat(b.parcels, more) {
		if which(p) && !p.settled {
			p.settled = true
			back = append(back, p)
		}
	}
	b.parcels = slices.DeleteFunc(b.parcels, which)
	b.mu.Unlock()
	for _, p := range back {
		_ = p.source.Nack(false, true) // a lost channel gives them back too
	}
}

// drop forgets all bundles: their channel is lost and the server has them back.
func (b *inbox) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.parcels {
		p.settled = true
	}
	b.parcels = nil
}

// len returns how many bundles have items left.
func (b *inbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.parcels)
}

// close ends every receive with UNAVAILABLE.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.leaving != nil {
		b.leaving.Stop()
	}
	b.wake()
}

func (b *inbox) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func errQueueClosed() error { return core.Errorf(core.CodeUnavailable, "queue is closed") }
