package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// invoker is the plugin of all task types, as one node runs it.
type invoker struct{ node *node }

// Invoke does what the seed says about this attempt.
func (i invoker) Invoke(ctx context.Context, in core.Invocation) (core.Outcome, error) {
	if i.node.link.dead.Load() {
		return core.Outcome{}, errDead // a dead node has no effects
	}
	w := i.node.w
	w.journal.note(i.node.name, in)
	d := w.source.fresh(fmt.Sprint(in.TaskName, in.NominalTime, in.Trigger, in.Attempt))
	out := core.Outcome{Plugin: "simulated@1", Result: json.RawMessage(`{}`)}
	if w.calm.Load() {
		return out, rest(ctx, d.between(0, time.Second))
	}
	switch n := d.below(100); {
	case n < 50:
		return out, rest(ctx, d.between(0, 300*time.Millisecond))
	case n < 70:
		return out, rest(ctx, d.between(time.Second, 40*time.Second))
	case n < 75: // deaf to every order to end
		time.Sleep(d.between(time.Second, 25*time.Second))
		return out, nil
	case n < 77:
		time.Sleep(d.between(time.Second, 25*time.Second))
		return out, ctx.Err()
	case n < 78:
		panic("simulated: a defect of the runtime")
	}
	if err := rest(ctx, d.between(0, 5*time.Second)); err != nil {
		return out, err
	}
	return out, failure(d)
}

// rest works for d, or until it is told to end.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// asksAgain is the text of a failure that names the time of the next attempt.
const asksAgain = "simulated: later"

// failure draws a way to fail.
func failure(d *dice) error {
	f := &core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable, Message: "simulated"}
	switch d.below(6) {
	case 0:
		f.Class = core.ClassPermanent
	case 1:
		f.Class, f.Code = core.ClassTimeout, core.CodeTimeout
	case 2:
		f.Class, f.Code = core.ClassDenied, core.CodePluginDenied
	case 3:
		f.RetryAfter, f.Message = d.between(time.Millisecond, 40*time.Second), asksAgain
	case 4:
		return errors.New("simulated: something unknown")
	}
	return f
}

// journal is what the plugin was called for, whatever the store believes.
type journal struct {
	w *world

	mu    sync.Mutex
	calls map[string]int // by execution
	seen  map[int64]bool // tokens
}

func newJournal(w *world) *journal {
	return &journal{w: w, calls: map[string]int{}, seen: map[int64]bool{}}
}

// note records a call and looks whether it may be.
func (j *journal) note(node string, in core.Invocation) {
	j.w.trace.note("%s: plugin called for %s attempt %d token %d", node, short(in.ExecutionID), in.Attempt, in.Token)
	j.mu.Lock()
	j.calls[in.ExecutionID]++
	again := j.seen[in.Token]
	j.seen[in.Token] = true
	j.mu.Unlock()
	if again {
		j.w.trace.violate([]string{in.ExecutionID}, "the plugin was called twice under token %d", in.Token)
	}
	j.w.store.checkCall(node, in)
}

func (j *journal) callsOf(executionID string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.calls[executionID]
}
