package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// releaseTimeout bounds the closing of one plugin after its runs ended.
const releaseTimeout = 5 * time.Second

// generation is what one reading of plugins.yaml gave. It does not change once
// it is current; it ends by drain and close.
type generation struct {
	number int // 0: nothing was read yet
	slots  map[string]*slot
	order  []string // task types as listed

	// ended is cancelled, with errReplaced, to end the runs that are left.
	ended context.Context
	end   context.CancelCauseFunc

	mu     sync.Mutex
	active int
	closed bool
	idle   chan struct{} // closed once closed and active is 0
}

// slot is one listed task type: a loaded plugin, or the reason why there is
// none.
type slot struct {
	entry    entry
	problem  error
	digest   string
	manifest manifest
	plugin   Plugin
	loadedAt time.Time
	free     chan struct{} // one token for every run that may start
}

func newGeneration(number int) *generation {
	g := &generation{number: number, slots: map[string]*slot{}, idle: make(chan struct{})}
	g.ended, g.end = context.WithCancelCause(context.Background())
	return g
}

func (g *generation) add(s *slot) {
	g.slots[s.entry.taskType] = s
	g.order = append(g.order, s.entry.taskType)
}

// enter counts a run in, unless the generation takes no more.
func (g *generation) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.active++
	return true
}

func (g *generation) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active--
	g.settle()
}

// drain takes no more runs and waits for those that are left. When ctx ends it
// cancels them, which takes no longer than a second.
func (g *generation) drain(ctx context.Context) {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		g.settle()
	}
	g.mu.Unlock()
	select {
	case <-g.idle:
	case <-ctx.Done():
		g.end(errReplaced)
		<-g.idle
	}
}

func (g *generation) settle() {
	if g.closed && g.active == 0 {
		close(g.idle)
	}
}

// close releases the plugins. Nothing may run any more. It goes on for a few
// seconds after ctx ended, so that an impatient caller leaks nothing.
func (g *generation) close(ctx context.Context, logger hclog.Logger) error {
	g.end(errReplaced)
	var problems []error
	for _, taskType := range g.order {
		s := g.slots[taskType]
		if s.plugin == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		if err := s.plugin.Close(ctx); err != nil {
			problems = append(problems, fmt.Errorf("close plugin %s: %w", taskType, err))
		}
		cancel()
	}
	logger.Debug("plugins closed", "generation", g.number)
	return errors.Join(problems...)
}

// worseThan says which types would stop working, or would be new and not work,
// if g replaced old.
func (g *generation) worseThan(old *generation) error {
	var problems []error
	for _, taskType := range g.order {
		s := g.slots[taskType]
		if s.problem == nil {
			continue
		}
		if before, ok := old.slots[taskType]; ok && before.problem != nil {
			continue
		}
		problems = append(problems, fmt.Errorf("plugin %s: %w", taskType, s.problem))
	}
	return errors.Join(problems...)
}

func (g *generation) loaded() []string {
	return g.types(func(s *slot) bool { return s.problem == nil })
}

func (g *generation) failed() []string {
	return g.types(func(s *slot) bool { return s.problem != nil })
}

func (g *generation) types(match func(*slot) bool) []string {
	return slices.Collect(func(yield func(string) bool) {
		for _, taskType := range g.order {
			if match(g.slots[taskType]) && !yield(taskType) {
				return
			}
		}
	})
}
