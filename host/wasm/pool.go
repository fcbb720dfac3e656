package wasm

import (
	"context"
	"sync"
	"time"
)

const (
	spare    = 2                // idle instances that are always kept
	idleTime = 10 * time.Second // how long others are kept, and pages of all
)

// pool keeps clean instances between runs. The one that was used last is taken
// first, since its memory is in the processor's caches. The host bounds how
// many runs there are, and so how many instances.
type pool struct {
	mu     sync.Mutex
	idle   []*instance // the one used last is last
	timer  *time.Timer // runs while an instance has something to give up
	closed bool
}

// take returns an idle instance, or nil.
func (p *pool) take() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	i := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return i
}

// give takes a clean instance.
func (p *pool) give(i *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		i.close()
		return
	}
	i.idleSince, i.resting = sinceStart(), false
	p.idle = append(p.idle, i)
	if p.timer == nil {
		p.timer = time.AfterFunc(idleTime, p.tidy)
	}
}

// tidy closes instances that were not used for some time, and lets the spare
// ones rest. It comes again while there is an instance that does not.
func (p *pool) tidy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	if p.closed {
		return
	}
	kept, awake := p.idle[:0], false
	for at, i := range p.idle {
		old := sinceStart()-i.idleSince >= idleTime
		if old && at < len(p.idle)-spare {
			i.close()
			continue
		}
		if old && !i.resting {
			i.rest()
		}
		awake = awake || !i.resting
		kept = append(kept, i)
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	if awake {
		p.timer = time.AfterFunc(idleTime, p.tidy)
	}
}

// close closes the idle instances, and those that are given from now on.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, i := range p.idle {
		i.close()
	}
	p.idle = nil
}

// rest gives up the memory that makes the next run faster.
func (i *instance) rest() {
	i.memory.relax()
	i.bindFunctions()
	i.resting = true
}

func (i *instance) close() {
	_ = i.module.Close(context.Background()) // its memory is released whatever it says
	i.nested.free()
}
