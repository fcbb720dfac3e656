package simulation

import (
	"slices"

	"github.com/nexuscore/scheduler/core"
)

// promises are the operations that the API has acknowledged. What failed without
// a clear answer may have happened, now or later: then both is right.
type promises struct {
	w          *world
	tasks      map[string]*promise
	gone       map[string]bool
	executions map[string]bool
}

// promise is what is known about one task.
type promise struct {
	name         string
	descriptions []string // one of these
	unsure       bool     // older revisions may still arrive
	paused       []bool
	unsurePause  bool
}

func newPromises(w *world) *promises {
	return &promises{w: w, tasks: map[string]*promise{}, gone: map[string]bool{}, executions: map[string]bool{}}
}

func (p *promises) created(t core.Task) {
	x := &promise{name: t.Name, descriptions: []string{t.Description}, paused: []bool{false}}
	x.unsurePause = t.PauseAfterFailures > 0
	p.tasks[t.ID] = x
}

func (p *promises) described(id, description string, err error, unsure bool) {
	x, ok := p.tasks[id]
	if !ok || err != nil && !unsure {
		return
	}
	x.unsurePause = true // the policy may pause it from now on
	if err == nil && !x.unsure {
		x.descriptions = nil
	}
	x.unsure = x.unsure || unsure
	x.descriptions = append(x.descriptions, description)
}

func (p *promises) paused(id string, paused bool, err error, unsure bool) {
	x, ok := p.tasks[id]
	if !ok || err != nil && !unsure {
		return
	}
	x.unsurePause = x.unsurePause || unsure
	x.paused = []bool{paused}
}

func (p *promises) deleted(id string, err error, unsure bool) {
	if err == nil || unsure {
		delete(p.tasks, id)
	}
	if err == nil {
		p.gone[id] = true
	}
}

// kept demands that everything acknowledged is there.
func (p *promises) kept() {
	for id, x := range p.tasks {
		p.keptTask(id, x)
	}
	for id := range p.gone {
		if _, err := p.w.store.Task(bg(), id); core.CodeOf(err) != core.CodeNotFound {
			p.w.trace.violate([]string{id}, "task %s was deleted and is there", short(id))
		}
	}
	for id := range p.executions {
		if _, err := p.w.store.Execution(bg(), id); err != nil {
			p.w.trace.violate([]string{id}, "execution %s was accepted and is not there: %v", short(id), err)
		}
	}
}

func (p *promises) keptTask(id string, x *promise) {
	t, err := p.w.store.Task(bg(), id)
	if err != nil {
		p.w.trace.violate([]string{id}, "task %s was created and is not there: %v", short(id), err)
		return
	}
	if !slices.Contains(x.descriptions, t.Description) {
		p.w.trace.violate([]string{id}, "task %s is %q, and %q was accepted", short(id), t.Description, x.descriptions)
	}
	if !x.unsurePause && !slices.Contains(x.paused, t.PauseReason != nil) {
		p.w.trace.violate([]string{id}, "task %s paused is %v, and %v was accepted", short(id), t.PauseReason != nil, x.paused)
	}
	same, err := p.w.store.Tasks(bg(), core.TaskFilter{Query: x.name}, core.Page{Limit: 10})
	if err != nil || len(same) != 1 {
		p.w.trace.violate([]string{id}, "%d tasks are called %s: one key made more than one", len(same), x.name)
	}
}
