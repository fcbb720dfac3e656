package simulation

import (
	"context"
	"sync"

	"github.com/nexuscore/scheduler/core"
)

// outside listens to what the nodes tell. Deliveries fail, arrive late and come
// twice, as calls do.
type outside struct {
	mu   sync.Mutex
	told map[string]map[string]string // execution → type of an event → id of the message
	odd  []string                     // what should never be told
}

func newOutside() *outside { return &outside{told: map[string]map[string]string{}} }

func (o *outside) take(messages []core.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range messages {
		types, ok := o.told[m.ExecutionID]
		if !ok {
			types = map[string]string{}
			o.told[m.ExecutionID] = types
		}
		if id, known := types[m.Type]; known && id != m.ID {
			o.odd = append(o.odd, m.Type+" of "+short(m.ExecutionID)+" was told as two messages")
		}
		types[m.Type] = m.ID
	}
}

// speaker is a node's way to the outside.
type speaker struct {
	outside *outside
	link    *link
}

func (s speaker) Publish(ctx context.Context, messages []core.Message) error {
	return tell(ctx, s.link, "publish event", func(context.Context) error {
		s.outside.take(messages)
		return nil
	})
}

// heard demands that the outside knows how each execution has ended, and of
// each late one, and nothing else.
func (w *world) heard() {
	o := w.outside
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, what := range o.odd {
		w.trace.violate(nil, "%s", what)
	}
	for id, e := range w.store.known {
		end := "execution." + string(e.Status)
		if _, told := o.told[id][end]; e.Status.Final() != told {
			w.trace.violate([]string{id}, "execution %s is %s, and that it was told is %v", short(id), e.Status, told)
		}
		for typ := range o.told[id] {
			if typ != end && typ != core.TypeExecutionLate {
				w.trace.violate([]string{id}, "execution %s is %s and %s was told", short(id), e.Status, typ)
			}
		}
		if _, told := o.told[id][core.TypeExecutionLate]; told && e.Policy.Alerts.LateAfterMs == 0 {
			w.trace.violate([]string{id}, "execution %s was told to be late and has no limit", short(id))
		} else if !told && startedLate(e) {
			w.trace.violate([]string{id}, "execution %s started late and nobody was told", short(id))
		}
	}
}

// startedLate reports whether the only attempt of an execution began too late:
// one that was handed back, or tried again, is watched from another time.
func startedLate(e core.Execution) bool {
	after := e.Policy.Alerts.LateAfterMs.Duration()
	return after > 0 && e.Status == core.StatusSucceeded && len(e.Attempts) == 1 && e.Trigger == core.TriggerSchedule &&
		e.StartTime.Sub(e.DueAt) >= after
}
