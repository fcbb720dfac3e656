package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
	"github.com/nexuscore/scheduler/internal/metrics"
)

// page is what Prometheus reads.
func page(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return string(body)
}

func execution(typ string, end func(e *core.Execution)) *core.Execution {
	e := coretest.Execution(coretest.Task(func(s *core.TaskSpec) { s.Type = typ }))
	if end != nil {
		end(&e)
	}
	return &e
}

func ran(took time.Duration, s core.Status) func(e *core.Execution) {
	return func(e *core.Execution) {
		start, end := coretest.Epoch(), coretest.Epoch().Add(took)
		e.Status, e.StartTime, e.EndTime = s, &start, &end
	}
}

func TestWhatHappensIsCounted(t *testing.T) {
	m := metrics.New("1.2.3")
	code := core.CodeTimeout
	for _, e := range []core.Event{
		{Kind: core.EventPlanned, Execution: execution("reminder", nil)},
		{Kind: core.EventPlanned, Execution: execution("reminder", func(e *core.Execution) { e.Dismiss(core.StatusMissed, "", coretest.Epoch()) })},
		{Kind: core.EventStarted, Execution: execution("reminder", nil), Lateness: 30 * time.Millisecond},
		{Kind: core.EventAttempt, Execution: execution("reminder", func(e *core.Execution) { e.ErrorCode = &code })},
		{Kind: core.EventAttempt, Execution: execution("reminder", nil)},
		{Kind: core.EventFinished, Execution: execution("reminder", ran(2*time.Second, core.StatusSucceeded))},
		{Kind: core.EventFinished, Execution: execution("reminder", ran(2*time.Second, core.StatusFailed))},
		{Kind: core.EventLate, Execution: execution("reminder", nil)},
		{Kind: core.EventGivenUp, Message: core.MessageNotification},
		{Kind: core.EventReaped, Execution: execution("reminder", nil)},
		{Kind: core.EventFault, Part: "planner", Err: errors.New("x")},
		{Kind: core.EventHealed, Part: "planner"},
	} {
		m.Observe(e)
	}
	text := page(t, m)
	for _, line := range []string{
		`scheduler_build_info{version="1.2.3"} 1`,
		`scheduler_executions_planned_total{trigger="manual",type="reminder"} 2`,
		`scheduler_executions_finished_total{status="missed",type="reminder"} 1`,
		`scheduler_executions_finished_total{status="succeeded",type="reminder"} 1`,
		`scheduler_executions_finished_total{status="failed",type="reminder"} 1`,
		`scheduler_attempts_failed_total{code="TIMEOUT",type="reminder"} 1`,
		`scheduler_execution_duration_seconds_count{type="reminder"} 2`,
		`scheduler_execution_duration_seconds_bucket{type="reminder",le="1"} 0`,
		`scheduler_start_lateness_seconds_bucket{type="reminder",le="0.05"} 1`,
		`scheduler_executions_late_total{type="reminder"} 1`,
		`scheduler_messages_given_up_total{kind="notification"} 1`,
		`scheduler_leases_expired_total 1`,
		`scheduler_engine_faults_total{part="planner"} 1`,
	} {
		require.Contains(t, text, line+"\n")
	}
	require.Contains(t, text, "process_resident_memory_bytes")
	require.Contains(t, text, "go_goroutines")
}

func TestWhatPluginsDoIsCounted(t *testing.T) {
	m := metrics.New("test")
	observeHosting(m)
	text := page(t, m)
	for _, line := range []string{
		`scheduler_plugin_calls_total{op="http",outcome="ok",type="x"} 2`,
		`scheduler_plugin_call_duration_seconds_bucket{op="http",outcome="ok",le="0.1"} 1`,
		`scheduler_plugin_call_duration_seconds_count{op="http",outcome="ok"} 2`,
		`scheduler_plugin_requests_total{status="4xx",type="x"} 1`, `scheduler_plugin_requests_total{status="none",type="x"} 1`,
		`scheduler_plugin_request_bytes_total{direction="out",type="x"} 15`, `scheduler_plugin_request_bytes_total{direction="in",type="x"} 30`,
		`scheduler_plugin_runs_total{outcome="ok",type="x"} 1`, `scheduler_plugin_runs_total{outcome="TIMEOUT",type="x"} 1`,
		`scheduler_plugin_run_duration_seconds_count{type="x"} 2`, `scheduler_plugin_cpu_seconds_total{type="x"} 0.75`,
		`scheduler_plugin_load_duration_seconds_count{outcome="loaded",runtime="wasm"} 1`, `scheduler_plugin_load_duration_seconds_count{outcome="failed",runtime="process"} 1`,
	} {
		require.Contains(t, text, line+"\n")
	}
}

// observeHosting has everything happen to a plugin that is counted.
func observeHosting(m *metrics.Metrics) {
	m.ObserveCall("x", "http", "ok", time.Second)
	m.ObserveCall("x", "http", "ok", 50*time.Millisecond)
	m.ObserveRequest("x", 404, 10, 30)
	m.ObserveRequest("x", 0, 5, 0)
	m.ObserveRun("x", "", time.Second, time.Second/2)
	m.ObserveRun("x", core.CodeTimeout, time.Second, time.Second/4)
	m.ObserveLoad("wasm", true, time.Second)
	m.ObserveLoad("process", false, time.Second)
}

// Anybody can name a task type; a thousand of them must not become a thousand
// series.
func TestTaskTypesAreBounded(t *testing.T) {
	m := metrics.New("test")
	for i := range 1000 {
		m.Observe(core.Event{Kind: core.EventLate, Execution: execution(fmt.Sprint("type-", i), nil)})
	}
	text := page(t, m)
	require.Equal(t, 101, strings.Count(text, "\nscheduler_executions_late_total{"))
	require.Contains(t, text, `scheduler_executions_late_total{type="other"} 900`)
}

type fixedLoad struct{ err error }

func (l fixedLoad) Load(context.Context) (core.Load, error) {
	return core.Load{Node: "a", Running: 3, Slots: 10, Waiting: 7, Room: 993}, l.err
}

type deadStore struct{ core.Store }

func (deadStore) Stats(context.Context) (core.Stats, error) { return core.Stats{}, errors.New("down") }

func TestTheNodeIsLookedAt(t *testing.T) {
	store := memory.NewStore(coretest.NewClock(t))
	task, err := store.CreateTask(t.Context(), coretest.Task(), nil)
	require.NoError(t, err)
	_, _, err = store.CreateExecution(t.Context(), coretest.Execution(task), nil)
	require.NoError(t, err)
	m := metrics.New("test")
	m.Watch(store, fixedLoad{})
	text := page(t, m)
	for _, line := range []string{
		`scheduler_store_up 1`, `scheduler_tasks_enabled 1`, `scheduler_executions{status="pending"} 1`, `scheduler_executions{status="running"} 0`,
		`scheduler_slots 10`, `scheduler_slots_busy 3`, `scheduler_queue_length 7`, `scheduler_queue_room 993`,
	} {
		require.Contains(t, text, line+"\n")
	}
}

// fixedPlugins are the plugins of a node.
type fixedPlugins []core.PluginStatus

func (p fixedPlugins) Plugins() []core.PluginStatus { return p }

func TestPluginsAreLookedAt(t *testing.T) {
	m := metrics.New("test")
	m.WatchPlugins(fixedPlugins{
		{Type: "x", State: core.PluginQuarantined, Version: "1.2.0", Digest: "abc", Calls: core.PluginCounters{Crashed: 7}},
		{Type: "y", State: core.PluginFailed},
	})
	text := page(t, m)
	for _, line := range []string{
		`scheduler_plugin_info{digest="abc",type="x",version="1.2.0"} 1`, `scheduler_plugin_crashes_total{type="x"} 7`,
		`scheduler_plugin_state{state="quarantined",type="x"} 1`, `scheduler_plugin_state{state="loaded",type="x"} 0`, `scheduler_plugin_state{state="failed",type="y"} 1`,
	} {
		require.Contains(t, text, line+"\n")
	}
	require.NotContains(t, text, `scheduler_plugin_info{digest=""`)
}

func TestWhatDoesNotAnswerIsLeftOut(t *testing.T) {
	m := metrics.New("test")
	m.Watch(deadStore{}, fixedLoad{errors.New("down")})
	text := page(t, m)
	require.Contains(t, text, "scheduler_store_up 0\n")
	require.NotContains(t, text, "scheduler_tasks_enabled")
	require.NotContains(t, text, "scheduler_queue_length")
}

func TestLocksAreTimed(t *testing.T) {
	m := metrics.New("test")
	l := m.Locker(memory.NewLocker(coretest.NewClock(t)))
	lease, err := l.Acquire(t.Context(), "x", "a", time.Minute)
	require.NoError(t, err)
	_, err = l.Acquire(t.Context(), "x", "b", time.Minute)
	require.Error(t, err)
	require.NoError(t, l.Release(t.Context(), lease))
	text := page(t, m)
	require.Contains(t, text, `scheduler_lock_acquisition_seconds_count{result="acquired"} 1`)
	require.Contains(t, text, `scheduler_lock_acquisition_seconds_count{result="held"} 1`)
}

// The page for operators lists every metric, and none that does not exist.
func TestTheDocumentationIsComplete(t *testing.T) {
	m := metrics.New("test")
	m.Watch(memory.NewStore(coretest.NewClock(t)), fixedLoad{})
	m.WatchPlugins(fixedPlugins{{Type: "x", State: core.PluginLoaded}})
	observeHosting(m)
	e := execution("x", ran(time.Second, core.StatusSucceeded))
	code := core.CodeTimeout
	e.ErrorCode = &code
	for _, k := range []core.EventKind{core.EventPlanned, core.EventStarted, core.EventAttempt, core.EventFinished, core.EventLate, core.EventReaped, core.EventFault, core.EventGivenUp} {
		m.Observe(core.Event{Kind: k, Execution: e, Part: "x"})
	}
	_, err := m.Locker(memory.NewLocker(coretest.NewClock(t))).Acquire(t.Context(), "x", "a", time.Minute)
	require.NoError(t, err)
	shown := map[string]bool{}
	for _, found := range regexp.MustCompile(`# TYPE (scheduler_\w+)`).FindAllStringSubmatch(page(t, m), -1) {
		shown[found[1]] = true
	}
	doc, err := os.ReadFile("../../docs/monitoring.md")
	require.NoError(t, err)
	listed := map[string]bool{}
	for _, found := range regexp.MustCompile("\\| `(scheduler_\\w+)").FindAllStringSubmatch(string(doc), -1) {
		listed[found[1]] = true
	}
	require.Equal(t, shown, listed)
}
