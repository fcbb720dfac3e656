package sqlstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// TestNobodyWaitsInACircle does everything at once to a few tasks that share a
// schedule, a calendar and dependencies. Nothing may be undone by a deadlock:
// that costs a second. In such a crowd some find no turn.
func TestNobodyWaitsInACircle(t *testing.T) {
	c := newCircus(t)
	for _, p := range c.nodes {
		sqlstore.NeverWait(p)
	}
	c.crowded = func(err error) bool {
		e := pq.As(err)
		return e != nil && e.Code == "55P03"
	}
	c.run()
	require.Zero(t, c.deadlocks.Load(), "transactions wait for each other in a circle")
}

// As the store really is, everybody gets a turn.
func TestNobodyFailsInACrowd(t *testing.T) { newCircus(t).run() }

func (c *circus) run() {
	t := c.t
	var acts, workers errgroup.Group
	var over atomic.Bool
	for _, act := range []func(s *sqlstore.Postgres) error{
		c.plan, c.plan, c.judge, c.reap, c.request, c.request, c.cancel,
		c.changeTask, c.changeSchedule, c.changeCalendar, c.comeAndGo,
	} {
		acts.Go(func() error {
			for round := range c.rounds {
				if err := act(c.anyNode()); err != nil && !c.crowded(err) {
					return fmt.Errorf("round %d: %w", round, err)
				}
			}
			return nil
		})
	}
	for range 3 {
		workers.Go(func() error {
			for !over.Load() {
				if err := c.work(c.anyNode()); err != nil && !c.crowded(err) {
					return err
				}
			}
			return nil
		})
	}
	err := acts.Wait()
	over.Store(true)
	require.NoError(t, errors.Join(err, workers.Wait()))
	require.Positive(t, c.finished.Load())
}

// circus is what the acts share.
type circus struct {
	t         *testing.T
	rounds    int
	nodes     []*sqlstore.Postgres
	schedule  core.Schedule
	calendar  core.Calendar
	tasks     []core.Task
	deadlocks atomic.Int64
	crowded   func(error) bool // an error that may come
	finished  atomic.Int64

	mu   sync.Mutex
	live []string
}

// TestEndsAndHeartbeatsDoNotWaitInACircle lets groups end of which some succeed and
// some are repeated, while their leases are extended.
func TestEndsAndHeartbeatsDoNotWaitInACircle(t *testing.T) {
	c := &circus{t: t}
	p, waiting := c.withWaiting(1000)
	for group := range slices.Chunk(waiting, 200) {
		claimed, err := p.Claim(t.Context(), group, "node", time.Minute)
		require.NoError(t, err)
		require.Len(t, claimed, len(group))
		leases, done := make([]core.Lease, len(claimed)), make([]core.Completion, len(claimed))
		for i := range claimed {
			leases[i] = core.Lease{ExecutionID: claimed[i].ID, Token: claimed[i].Token}
			done[i] = core.Completion{Lease: leases[i], Claimed: &claimed[i], Settle: func(now time.Time, e *core.Execution) {
				if i%5 > 0 {
					e.Succeed(core.Outcome{}, now)
				} else {
					e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable}, "p@1", 0, now)
				}
			}}
		}
		var beats errgroup.Group
		var over atomic.Bool
		beats.Go(func() (err error) {
			for !over.Load() && err == nil {
				_, err = p.Heartbeat(t.Context(), leases, time.Minute)
			}
			return err
		})
		finished, err := p.Finish(t.Context(), done)
		over.Store(true)
		require.NoError(t, errors.Join(err, beats.Wait()))
		for i, f := range finished {
			require.True(t, f.Applied)
			require.Equal(t, i%5 > 0, f.Execution.Status.Final())
		}
	}
	require.Zero(t, c.deadlocks.Load())
}

// TestMarksDoNotWaitInACircle lets several nodes mark, put off and take back the same
// executions, in no order.
func TestMarksDoNotWaitInACircle(t *testing.T) {
	c := &circus{t: t}
	p, waiting := c.withWaiting(600)
	some := func(n int) (marks []core.QueueMark, ids []string) {
		for _, i := range rand.Perm(len(waiting))[:n] {
			marks, ids = append(marks, core.QueueMark{ID: waiting[i]}), append(ids, waiting[i])
		}
		return marks, ids
	}
	var acts errgroup.Group
	for n := range 6 {
		acts.Go(func() error {
			for range 40 {
				marks, ids := some(100 + 70*n)
				if n%2 == 1 {
					if err := p.Unqueue(t.Context(), ids); err != nil {
						return err
					}
					continue
				}
				if n == 0 {
					for i := range marks {
						marks[i].DeferTo = time.Now()
					}
				}
				if _, err := p.MarkQueued(t.Context(), marks); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, acts.Wait())
	require.Zero(t, c.deadlocks.Load())
}

// withWaiting opens a store with n executions that wait.
func (c *circus) withWaiting(n int) (*sqlstore.Postgres, []string) {
	p, err := sqlstore.OpenPostgres(c.t.Context(), sqlstore.PostgresConfig{URL: sqlstore.EmptyTestDatabase(c.t), MaxConns: 12, Logger: c.counter()})
	require.NoError(c.t, err)
	c.t.Cleanup(func() { require.NoError(c.t, p.Close()) })
	_, err = p.CreateTask(c.t.Context(), coretest.DueAt(coretest.Task(coretest.Overlap(core.OverlapAllow), func(s *core.TaskSpec) {
		s.RetryPolicy = core.RetryPolicy{Attempts: 5, Delay: 1, Backoff: core.BackoffFixed}
	}), time.Now().Add(-time.Minute)), nil)
	require.NoError(c.t, err)
	report, err := p.PlanDue(c.t.Context(), 1, func(now time.Time, d core.DueTask) core.Plan {
		plan := core.Plan{State: d.Task.Plan}
		for range n {
			plan.Executions = append(plan.Executions, core.NewExecution(d.Task, core.TriggerManual, now, now, now))
		}
		return plan
	})
	require.NoError(c.t, err)
	require.Len(c.t, report.Planned, n)
	ids := make([]string, n)
	for i, e := range report.Planned {
		ids[i] = e.ID
	}
	return p, ids
}

func newCircus(t *testing.T) *circus {
	c := &circus{t: t, rounds: 60, crowded: func(error) bool { return false }}
	url := sqlstore.EmptyTestDatabase(t)
	for range 2 {
		p, err := sqlstore.OpenPostgres(t.Context(), sqlstore.PostgresConfig{URL: url, MaxConns: 12, Logger: c.counter()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		c.nodes = append(c.nodes, p)
	}
	var err error
	c.schedule, err = c.nodes[0].CreateSchedule(t.Context(), coretest.Schedule(), nil)
	require.NoError(t, err)
	c.calendar, err = c.nodes[0].CreateCalendar(t.Context(), core.NewCalendar(core.CalendarSpec{Name: "holidays", Weekdays: []string{"SAT"}}, time.Now()), nil)
	require.NoError(t, err)
	for i := range 6 {
		task, err := c.nodes[0].CreateTask(t.Context(), c.newTask(i), nil)
		require.NoError(t, err)
		c.tasks = append(c.tasks, task)
	}
	return c
}

// counter counts the transactions that were undone by a deadlock.
func (c *circus) counter() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: writer(func(line string) {
		if strings.Contains(line, "40P01") {
			c.deadlocks.Add(1)
		}
	})})
}

func (c *circus) newTask(i int) core.Task {
	return coretest.DueAt(coretest.Task(func(s *core.TaskSpec) {
		s.Overlap = []core.OverlapPolicy{core.OverlapCancelPrevious, core.OverlapAllow, core.OverlapSkip}[i%3]
		s.PauseAfterFailures = 1000
		s.ConcurrencyKey, s.MaxConcurrency = fmt.Sprint("key-", i%2), 3
		s.RetryPolicy = core.RetryPolicy{Attempts: 2, Delay: 1, Backoff: core.BackoffFixed}
		if i%2 == 0 {
			s.ScheduleID = &c.schedule.ID
		} else {
			s.Calendars = []string{c.calendar.Name}
		}
		if i > 0 && len(c.tasks) >= i {
			s.DependsOn = []string{c.tasks[i-1].ID}
		}
	}), time.Now())
}

func (c *circus) anyNode() *sqlstore.Postgres { return c.nodes[rand.IntN(len(c.nodes))] }

func (c *circus) any() core.Task { return c.tasks[rand.IntN(len(c.tasks))] }

func (c *circus) remember(es []core.Execution) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range es {
		if !e.Status.Final() {
			c.live = append(c.live, e.ID)
		}
	}
	if len(c.live) > 40 {
		c.live = c.live[len(c.live)-40:]
	}
}

func (c *circus) plan(s *sqlstore.Postgres) error {
	report, err := s.PlanDue(c.t.Context(), 4, func(now time.Time, d core.DueTask) core.Plan {
		next := now.Add(time.Millisecond)
		e := core.NewExecution(d.Task, core.TriggerSchedule, *d.Task.NextRun, *d.Task.NextRun, now)
		if len(d.Task.DependsOn) > 0 && rand.IntN(2) == 0 {
			e.Awaits = &core.Awaited{Tasks: d.Task.DependsOn}
		}
		return core.Plan{
			NextRun: &next, State: d.Task.Plan, Executions: []core.Execution{e},
			CancelPrevious: d.Task.Overlap.Admit(d.Active).CancelPrevious,
		}
	})
	c.remember(report.Planned)
	return err
}

func (c *circus) work(s *sqlstore.Postgres) error {
	c.mu.Lock()
	rand.Shuffle(len(c.live), func(i, j int) { c.live[i], c.live[j] = c.live[j], c.live[i] })
	ids := append([]string{}, c.live[:min(len(c.live), 12)]...)
	c.mu.Unlock()
	claimed, err := s.Claim(c.t.Context(), ids, "node", time.Second)
	if err != nil {
		return err
	}
	leases, done := make([]core.Lease, len(claimed)), make([]core.Completion, len(claimed))
	for i, e := range claimed {
		leases[i] = core.Lease{ExecutionID: e.ID, Token: e.Token}
		done[i] = core.Completion{Lease: leases[i], Claimed: &claimed[i], Settle: func(now time.Time, e *core.Execution) {
			if rand.IntN(2) == 0 {
				e.Succeed(core.Outcome{}, now)
			} else {
				e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable}, "p@1", 0, now)
			}
		}}
	}
	rand.Shuffle(len(done), func(i, j int) { done[i], done[j] = done[j], done[i] })
	var beat errgroup.Group
	beat.Go(func() error {
		_, err := s.Heartbeat(c.t.Context(), leases, time.Second)
		return err
	})
	finished, err := s.Finish(c.t.Context(), done)
	c.finished.Add(int64(len(finished)))
	return errors.Join(err, beat.Wait())
}

func (c *circus) judge(s *sqlstore.Postgres) error {
	_, err := s.Judge(c.t.Context(), 10, func(time.Time, core.Execution, []core.DependencyState) core.Verdict {
		return []core.Verdict{{Ruling: core.RulingOpen}, {Ruling: core.RulingWait}, {Ruling: core.RulingFail}}[rand.IntN(3)]
	})
	return err
}

func (c *circus) reap(s *sqlstore.Postgres) error {
	_, err := s.Reap(c.t.Context(), 10, func(now time.Time, e *core.Execution) { e.LoseLease(now) })
	return err
}

func (c *circus) request(s *sqlstore.Postgres) error {
	e := coretest.Execution(c.any())
	_, _, err := s.CreateExecution(c.t.Context(), e, nil)
	if err == nil {
		c.remember([]core.Execution{e})
	}
	return tolerate(err, core.CodeTaskLocked)
}

func (c *circus) cancel(s *sqlstore.Postgres) error {
	_, err := s.Cancel(c.t.Context(), core.Cancellation{TaskID: c.any().ID})
	return err
}

func (c *circus) changeTask(s *sqlstore.Postgres) error {
	_, err := s.UpdateTask(c.t.Context(), c.any().ID, core.AnyVersion, func(_ time.Time, t core.Task) (core.Task, error) {
		t.Description = fmt.Sprint(rand.Int())
		return t, nil
	})
	return err
}

func (c *circus) changeSchedule(s *sqlstore.Postgres) error {
	_, err := s.UpdateSchedule(c.t.Context(), c.schedule.ID, core.AnyVersion,
		func(_ time.Time, sc core.Schedule) (core.Schedule, error) { return sc, nil },
		func(_ time.Time, _ core.Schedule, t core.Task) (core.Task, error) { return t, nil })
	return err
}

func (c *circus) changeCalendar(s *sqlstore.Postgres) error {
	_, err := s.UpdateCalendar(c.t.Context(), c.calendar.Name, core.AnyVersion,
		func(_ time.Time, cal core.Calendar) (core.Calendar, error) { return cal, nil },
		func(_ time.Time, _ core.CalendarSet, t core.Task) (core.Task, error) { return t, nil })
	return err
}

// comeAndGo makes a task that depends on others, runs it and deletes it.
func (c *circus) comeAndGo(s *sqlstore.Postgres) error {
	task := c.newTask(2)
	task.DependsOn = []string{c.tasks[0].ID, c.tasks[1].ID}
	task, err := s.CreateTask(c.t.Context(), task, nil)
	if err != nil {
		return err
	}
	e := coretest.Execution(task)
	if _, _, err := s.CreateExecution(c.t.Context(), e, nil); tolerate(err, core.CodeTaskLocked) != nil {
		return err
	}
	c.remember([]core.Execution{e})
	_, err = s.DeleteTask(c.t.Context(), task.ID, core.AnyVersion)
	return err
}

// tolerate drops an error that the contract foresees.
func tolerate(err error, code core.Code) error {
	if core.CodeOf(err) == code {
		return nil
	}
	return err
}

// writer is a function that gets what is written.
type writer func(text string)

func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

// A task whose executions somebody is changing is planned later; the others are
// not kept waiting.
func TestPlanningLeavesOutATaskWhoseExecutionsAreBusy(t *testing.T) {
	url := sqlstore.EmptyTestDatabase(t)
	p, db := sqlstore.OpenTestPostgres(t, url, nil), rawPostgres(t, url)
	var busy core.Task
	for range 2 {
		task, err := p.CreateTask(t.Context(), coretest.DueAt(coretest.Task(coretest.Overlap(core.OverlapCancelPrevious)), time.Now().Add(-time.Minute)), nil)
		require.NoError(t, err)
		_, _, err = p.CreateExecution(t.Context(), coretest.Execution(task), nil)
		require.NoError(t, err)
		busy = task
	}
	other, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	_, err = other.Exec(`SELECT 1 FROM executions WHERE task_id = $1 FOR UPDATE`, busy.ID)
	require.NoError(t, err)
	replace := func(now time.Time, d core.DueTask) core.Plan {
		plan := planOne(now, d)
		plan.CancelPrevious = true
		return plan
	}
	report, err := p.PlanDue(t.Context(), 10, replace)
	require.NoError(t, err)
	require.Len(t, report.Planned, 1)
	require.NotEqual(t, busy.ID, report.Planned[0].TaskID)
	require.Zero(t, report.Wait, "the other one is due still")
	require.NoError(t, other.Rollback())
	report, err = p.PlanDue(t.Context(), 10, replace)
	require.NoError(t, err)
	require.Len(t, report.Planned, 1)
	require.Equal(t, busy.ID, report.Planned[0].TaskID)
}
