package coretest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestLinearizable proves that claims, cancels and ends of one execution that
// run into each other have some order in which each answer is right: exactly one
// terminal state wins, and whoever asks is told so. It checks recorded
// histories with porcupine (Lowe, "Testing for linearizability").
func TestLinearizable(t *testing.T, open func(t testing.TB, clock core.Clock) core.Store) {
	const executions = 60
	store := open(t, NewClock(t))
	task, err := store.CreateTask(t.Context(), Task(Overlap(core.OverlapAllow)), nil)
	require.NoError(t, err)
	for i := range executions {
		e, _, err := store.CreateExecution(t.Context(), Execution(task), nil)
		require.NoError(t, err)
		h := &history{store: store, id: e.ID, begin: time.Now(), admitted: make(chan struct{})}
		if i%2 == 0 {
			h.admit() // people do not wait: they often come before the workers
		}
		h.race(t)
		result, _ := porcupine.CheckOperationsVerbose(lifeOfAnExecution, h.operations, 10*time.Second)
		require.Equal(t, porcupine.Ok, result, "no order explains %s", h)
	}
}

// act is what a client asks for, and told what it hears.
type (
	act  string
	told string
)

const (
	claim  act = "claim"
	cancel act = "cancel"
	finish act = "finish"

	done    told = "done"    // claimed, ended
	asked   told = "asked"   // it runs and was asked to end
	refused told = "refused" // too late
)

// lifeOfAnExecution is the sequential model: pending, running or ended.
var lifeOfAnExecution = porcupine.Model{
	Init: func() any { return core.StatusPending },
	Step: func(state, input, output any) (bool, any) {
		s, heard := state.(core.Status), output.(told)
		switch input.(act) {
		case claim:
			if s == core.StatusPending {
				return heard == done, core.StatusRunning
			}
			return heard == refused, s
		case finish:
			if s == core.StatusRunning {
				return heard == done, core.StatusSucceeded
			}
			return heard == refused, s
		}
		switch s {
		case core.StatusPending:
			return heard == done, core.StatusCancelled
		case core.StatusRunning:
			return heard == asked, s
		}
		return heard == refused, s
	},
}

// history records what clients asked of one execution, and when.
type history struct {
	store core.Store
	id    string
	begin time.Time

	admitted chan struct{} // closed when people may come
	once     sync.Once

	mu         sync.Mutex
	operations []porcupine.Operation
}

func (h *history) String() string {
	text := ""
	for _, o := range h.operations {
		text += string(o.Input.(act)) + ":" + string(o.Output.(told)) + " "
	}
	return text
}

// race lets workers and people at the execution at once.
func (h *history) race(t *testing.T) {
	var all sync.WaitGroup
	for client := range 6 {
		all.Go(func() {
			if client%2 == 0 {
				h.work(t, client)
			} else {
				<-h.admitted
				h.do(t, client, cancel, h.cancel)
			}
		})
	}
	all.Wait()
}

// admit lets people come: while it runs, if a worker was first.
func (h *history) admit() { h.once.Do(func() { close(h.admitted) }) }

// work claims, and finishes what it got.
func (h *history) work(t *testing.T, client int) {
	var got []core.Execution
	h.do(t, client, claim, func(ctx context.Context) (told, error) {
		var err error
		got, err = h.store.Claim(ctx, []string{h.id}, testOwner, time.Minute)
		if len(got) == 0 {
			return refused, err
		}
		return done, err
	})
	h.admit()
	if len(got) == 0 {
		return
	}
	h.do(t, client, finish, func(ctx context.Context) (told, error) {
		finished, err := h.store.Finish(ctx, []core.Completion{completion(got[0], succeed)})
		if err == nil && !finished[0].Applied {
			return refused, nil
		}
		return done, err
	})
}

func (h *history) cancel(ctx context.Context) (told, error) {
	report, err := h.store.Cancel(ctx, core.Cancellation{ExecutionID: h.id, Reason: "test"})
	switch {
	case core.CodeOf(err) == core.CodeConflict:
		return refused, nil
	case len(report.Running) > 0:
		return asked, err
	}
	return done, err
}

// do records one call.
func (h *history) do(t *testing.T, client int, what act, call func(context.Context) (told, error)) {
	from := time.Since(h.begin)
	heard, err := call(t.Context())
	to := time.Since(h.begin)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{
		ClientId: client, Input: what, Call: int64(from), Output: heard, Return: int64(to),
	})
}
