package host

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/nexuscore/scheduler/core"
)

// generation is what is in force at a time: a slot for every listed task type,
// and what is kept beside it. It does not change. Generations share the slots
// that are the same in both.
type generation struct {
	number int // 0: nothing was read yet
	slots  map[string]*slot
	order  []string // task types as listed

	previous   map[string]*slot // what a rollback puts in place, loaded
	rolledBack map[string]bool  // previous is what is listed, and was rolled back
	held       map[string]held  // listed versions that ask for too much; none is rolled back
}

// held is a version that was not put in place of one that works.
type held struct {
	entry entry
	core.HeldPlugin
}

func newGeneration(number int) *generation {
	return &generation{
		number: number, slots: map[string]*slot{},
		previous: map[string]*slot{}, rolledBack: map[string]bool{}, held: map[string]held{},
	}
}

// put makes a slot current, with previous behind it; nil is none.
func (g *generation) put(s, previous *slot) {
	taskType := s.entry.taskType
	if _, listed := g.slots[taskType]; !listed {
		g.order = append(g.order, taskType)
	}
	g.slots[taskType] = s
	if previous.works() && previous != s {
		g.previous[taskType] = previous
	}
}

// keep takes over what old has for a type.
func (g *generation) keep(old *generation, taskType string) {
	g.put(old.slots[taskType], old.previous[taskType])
	if old.rolledBack[taskType] {
		g.rolledBack[taskType] = true
	}
	if h, ok := old.held[taskType]; ok {
		g.held[taskType] = h
	}
}

// candidate is what an entry stands for.
type candidate struct {
	entry  entry
	digest string
	slot   *slot // nil when the old generation has it already, or holds it back
}

// known tells whether nothing has to be loaded for an entry.
func (g *generation) known(e entry, digest string) bool {
	t := e.taskType
	h, ok := g.held[t]
	return g.slots[t].is(e, digest) || g.previous[t].is(e, digest) || ok && h.Digest == digest && h.entry.same(e)
}

// listed is what an entry stands for, as far as that can be told without its
// program: what is in force, rolled back or held back. False when that is nothing.
func (g *generation) listed(e entry) (candidate, bool) {
	t := e.taskType
	s := g.slots[t]
	if g.rolledBack[t] {
		s = g.previous[t]
	}
	switch h, ok := g.held[t]; {
	case ok && h.entry.same(e):
		return candidate{entry: e, digest: h.Digest}, true
	case s.works() && s.entry.same(e):
		return candidate{entry: e, digest: s.digest}, true
	}
	return candidate{}, false
}

// place decides what becomes of a type whose candidate is c, when g follows old.
func (g *generation) place(old *generation, c candidate) {
	t := c.entry.taskType
	now, before := old.slots[t], old.previous[t]
	switch {
	case now.is(c.entry, c.digest):
		g.put(now, before)
	case before.is(c.entry, c.digest) && !old.rolledBack[t]:
		g.put(before, now)
	case c.slot == nil: // as it was: rolled back, or held back
		g.keep(old, t)
	case now.works() && c.slot.asksTooMuch():
		g.keep(old, t)
		delete(g.rolledBack, t)
		g.held[t] = held{c.entry, core.HeldPlugin{PluginVersion: c.slot.version(), Reason: c.slot.problem.Error()}}
	case now.works():
		g.put(c.slot, now)
	default:
		g.put(c.slot, before)
	}
}

// followed is what comes of candidates when g is in force.
func (g *generation) followed(all []candidate, number int) *generation {
	next := newGeneration(number)
	for _, c := range all {
		next.place(g, c)
	}
	return next
}

// swapped is g with the previous version of a type in place. CONFLICT when there
// is none.
func (g *generation) swapped(taskType string, number int) (*generation, error) {
	now, ok := g.slots[taskType]
	if !ok {
		return nil, core.Errorf(core.CodeNotFound, "no plugin serves the task type %.80q", taskType)
	}
	before, ok := g.previous[taskType]
	if !ok {
		return nil, core.Errorf(core.CodeConflict, "there is nothing to roll %q back to: no other version of it has worked since this node started; put the older program in place and reload", taskType)
	}
	next := newGeneration(number)
	for _, t := range g.order {
		next.keep(g, t)
	}
	delete(next.previous, taskType)
	next.put(before, now)
	// What is listed stays what it was: it is rolled back now, or in place again.
	delete(next.rolledBack, taskType)
	if _, held := g.held[taskType]; now.works() && !held && !g.rolledBack[taskType] {
		next.rolledBack[taskType] = true
	}
	return next, nil
}

// worseThan says which types would stop working, or would be new and not work,
// if g replaced old.
func (g *generation) worseThan(old *generation) map[string]error {
	problems := map[string]error{}
	for _, taskType := range g.order {
		s := g.slots[taskType]
		if s.problem == nil {
			continue
		}
		if before, ok := old.slots[taskType]; ok && before.problem != nil {
			continue
		}
		problems[taskType] = s.problem
	}
	return problems
}

// changes lists the types that are otherwise in g than in old.
func (g *generation) changes(old *generation) map[string]bool {
	all := map[string]bool{}
	for t, s := range g.slots {
		if s != old.slots[t] || g.held[t].HeldPlugin != old.held[t].HeldPlugin {
			all[t] = true
		}
	}
	return all
}

// settled tells whether g has come of just these candidates: each is in force,
// rolled back or held back, or fails for the same reason.
func (g *generation) settled(all []candidate) bool {
	for _, c := range all {
		t := c.entry.taskType
		now, kept := g.slots[t], g.held[t]
		if c.slot == nil {
			listed := now
			if g.rolledBack[t] {
				listed = g.previous[t]
			}
			heldBack := kept.Digest == c.digest && kept.entry.same(c.entry)
			if !listed.is(c.entry, c.digest) && !heldBack {
				return false
			}
			continue
		}
		if c.slot.works() || now == nil || now.works() || now.problem.Error() != c.slot.problem.Error() {
			return false
		}
	}
	return true
}

// all lists every slot of the generation, the kept ones, too.
func (g *generation) all() map[*slot]bool {
	all := map[*slot]bool{}
	for _, s := range g.slots {
		all[s] = true
	}
	for _, s := range g.previous {
		all[s] = true
	}
	return all
}

// without lists the slots of g that other has not.
func (g *generation) without(other *generation) []*slot {
	rest := g.all()
	for s := range other.all() {
		delete(rest, s)
	}
	return slices.Collect(maps.Keys(rest))
}

// retire retires slots at the same time.
func retire(ctx context.Context, slots []*slot) error {
	problems := make([]error, len(slots))
	var all sync.WaitGroup
	for i, s := range slots {
		all.Go(func() { problems[i] = s.retire(ctx) })
	}
	all.Wait()
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
