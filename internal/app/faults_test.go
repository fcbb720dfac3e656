package app_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the database as another program sees it

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/app"
)

// hand is a clock that is moved by hand.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time { return h.now }

func TestAPartThatGoesOnFailingIsAProblem(t *testing.T) {
	const second = time.Second
	fault := func(part string) core.Event { return core.Event{Kind: core.EventFault, Part: part} }
	healed := func(part string) core.Event { return core.Event{Kind: core.EventHealed, Part: part} }
	type step struct {
		after   time.Duration
		event   core.Event
		problem string // "" for none
	}
	for name, steps := range map[string][]step{
		"again and again": {{0, fault("planner"), ""}, {3 * second, fault("planner"), ""}, {3 * second, fault("planner"), "planner"}},
		"another part":    {{0, fault("completer"), ""}, {3 * second, fault("completer"), ""}, {3 * second, fault("completer"), "completer"}},
		"with slow steps": {{0, fault("planner"), ""}, {12 * second, fault("planner"), ""}, {12 * second, fault("planner"), "for 24s"}},
		"not for long":    {{0, fault("planner"), ""}, {second, fault("planner"), ""}, {second, fault("planner"), ""}},
		"two hiccups":     {{0, fault("planner"), ""}, {14 * second, fault("planner"), ""}},
		"steps that hang": {{0, fault("planner"), ""}, {35 * second, fault("planner"), ""}, {35 * second, fault("planner"), "for 1m10s"}},
		"hiccups": {
			{0, fault("planner"), ""}, {second, healed("planner"), ""}, {5 * second, fault("planner"), ""}, {second, healed("planner"), ""},
			{5 * second, fault("planner"), ""}, {second, fault("planner"), ""},
		},
		"healed": {
			{0, fault("planner"), ""}, {3 * second, fault("planner"), ""}, {3 * second, fault("planner"), "planner"},
			{second, healed("planner"), ""}, {0, fault("planner"), ""},
		},
		"a success of another part": {
			{0, fault("planner"), ""}, {3 * second, fault("planner"), ""}, {3 * second, fault("planner"), "planner"},
			{second, healed("completer"), "planner"}, {30 * second, core.Event{Kind: core.EventStarted}, "planner"},
		},
		"one that can wait": {{0, fault("janitor"), ""}, {30 * second, fault("janitor"), ""}, {second, fault("janitor"), ""}},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &hand{now: time.Unix(1e9, 0)}
			f := app.NewFaults(clock)
			for i, s := range steps {
				clock.now = clock.now.Add(s.after)
				f.Observe(s.event)
				if s.problem == "" {
					require.NoError(t, f.Problem(), i)
				} else {
					require.ErrorContains(t, f.Problem(), s.problem, i)
				}
			}
		})
	}
}

// TestADatabaseThatTakesNoWritesIsNotReady: reading works all the while, as it
// does on a full disk.
func TestADatabaseThatTakesNoWritesIsNotReady(t *testing.T) {
	e := withPlugins(t)
	s := e.start(t)
	db, err := sql.Open("sqlite", filepath.Join(e["DATA_DIR"], app.DatabaseName)+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Exec(`CREATE TRIGGER full BEFORE INSERT ON executions BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END`)
	require.NoError(t, err)
	s.task("quick", object{"intervalMs": 1000})

	ready := func() int {
		resp, err := client.Get("http://" + s.Addr() + "/health/ready")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Eventually(t, func() bool { return ready() == http.StatusServiceUnavailable }, 20*time.Second, 50*time.Millisecond)
	failure := s.call(503, "GET", "/health/ready", nil)["error"].(object)
	require.Contains(t, failure["message"], "free space")
	for _, part := range []string{"database", "executor"} {
		require.Equal(t, "degraded", s.check(part)["status"])
		require.Contains(t, s.check(part)["error"], "the database does not take what the planner writes")
	}

	_, err = db.Exec(`DROP TRIGGER full`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return ready() == http.StatusOK }, 30*time.Second, 50*time.Millisecond)
}
