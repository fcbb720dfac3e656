package engine_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/internal/memory"
)

// world is what the nodes of a test share. All of it lives in one synctest
// bubble, so time stands still while anybody computes.
type world struct {
	t         *testing.T
	store     core.Store
	signals   *memory.Signals
	scheduler *core.Scheduler
	timetable core.Timetable
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: memory.NewStore(core.SystemClock{}), signals: memory.NewSignals()}
	w.timetable = core.Timetable{MinInterval: time.Second}
	w.scheduler = core.NewScheduler(core.SchedulerConfig{
		Store: w.store, Types: anyType{}, Signals: w.signals, Clock: core.SystemClock{}, Timetable: w.timetable,
		Defaults: core.Defaults{Timeout: time.Minute, RetryAttempts: 3, RetryDelay: 10 * time.Second},
	})
	return w
}

// node starts an engine; options change its configuration first.
func (w *world) node(run invoker, options ...func(*engine.Config)) *engine.Engine {
	w.t.Helper()
	cfg := engine.Config{
		Store: w.store, Queue: memory.NewQueue(1000), Locker: memory.NewLocker(core.SystemClock{}),
		Limiter: memory.NewLimiter(core.SystemClock{}), Invoker: run, Signals: w.signals,
		Timetable: w.timetable, Owner: "node", Concurrency: 10,
	}
	for _, o := range options {
		o(&cfg)
	}
	e, err := engine.New(cfg)
	require.NoError(w.t, err)
	require.NoError(w.t, e.Start())
	w.t.Cleanup(func() { stop(e, 0) }) // also when the test has failed
	return e
}

// stop drains a node with a grace period.
func stop(e *engine.Engine, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	e.Stop(ctx)
}

// task creates a task; options say what it is like.
func (w *world) task(options ...func(*core.TaskSpec)) core.Task {
	w.t.Helper()
	spec := w.scheduler.NewSpec()
	spec.Name, spec.Type = "task", "test"
	spec.RetryPolicy.Jitter = false
	for _, o := range options {
		o(&spec)
	}
	t, err := w.scheduler.CreateTask(context.Background(), spec, nil)
	require.NoError(w.t, err)
	return t
}

func (w *world) execute(t core.Task) core.Execution {
	w.t.Helper()
	e, err := w.scheduler.Execute(context.Background(), t.ID, nil)
	require.NoError(w.t, err)
	return e
}

func (w *world) execution(id string) core.Execution {
	w.t.Helper()
	e, err := w.scheduler.Execution(context.Background(), id)
	require.NoError(w.t, err)
	return e
}

// history lists all executions of a task, oldest first.
func (w *world) history(taskID string) []core.Execution {
	w.t.Helper()
	var all []core.Execution
	page := core.Page{Limit: 200}
	for {
		items, err := w.store.Executions(context.Background(), core.ExecutionFilter{TaskID: taskID}, page)
		require.NoError(w.t, err)
		if len(items) == 0 {
			slices.Reverse(all)
			return all
		}
		all = append(all, items...)
		page.After = items[len(items)-1].ID
	}
}

func statusesOf(all []core.Execution) []core.Status {
	var s []core.Status
	for _, e := range all {
		s = append(s, e.Status)
	}
	return s
}

// anyType knows every task type and takes any data.
type anyType struct{}

func (anyType) ValidateData(string, json.RawMessage) error { return nil }
func (anyType) Plugins() []core.PluginStatus               { return nil }

// invoker is a plugin written as a function.
type invoker func(ctx context.Context, in core.Invocation) (core.Outcome, error)

func (f invoker) Invoke(ctx context.Context, in core.Invocation) (core.Outcome, error) {
	return f(ctx, in)
}

// instantly is a plugin that does nothing, well.
func instantly(context.Context, core.Invocation) (core.Outcome, error) {
	return core.Outcome{Plugin: "test@1", Result: json.RawMessage(`{"ok":true}`)}, nil
}

// taking is a plugin that works for d, or until it is told to end.
func taking(d time.Duration) invoker {
	return func(ctx context.Context, _ core.Invocation) (core.Outcome, error) {
		select {
		case <-ctx.Done():
			return core.Outcome{}, ctx.Err()
		case <-time.After(d):
			return core.Outcome{Plugin: "test@1"}, nil
		}
	}
}

// failing is a plugin that always fails in one way.
func failing(f core.Failure) invoker {
	return func(context.Context, core.Invocation) (core.Outcome, error) {
		return core.Outcome{Plugin: "test@1"}, &f
	}
}

// journal records what a plugin was called for.
type journal struct {
	mu    sync.Mutex
	calls []call
}

type call struct {
	at time.Time
	in core.Invocation
}

// record wraps a plugin.
func (j *journal) record(next invoker) invoker {
	return func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
		j.mu.Lock()
		j.calls = append(j.calls, call{time.Now(), in})
		j.mu.Unlock()
		return next(ctx, in)
	}
}

func (j *journal) all() []call {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.calls)
}

// The options of tasks.

func every(d time.Duration) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.IntervalMs = core.MillisOf(d) }
}

func at(t time.Time) func(*core.TaskSpec) { return func(s *core.TaskSpec) { s.RunAt = &t } }

func cron(expr string) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.CronExpression = expr }
}

func overlap(p core.OverlapPolicy) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.Overlap = p }
}

func timeout(d time.Duration) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.TimeoutMs = core.MillisOf(d) }
}

func policy(change func(*core.Policy)) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { change(&s.Policy) }
}
