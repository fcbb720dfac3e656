package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) ready(t *testing.T) {
	s.run(t, "only due executions that are not queued yet are ready", readySelects)
	s.run(t, "the lowest rank comes first: priority, and age", readyOrder)
	s.run(t, "the limit cuts the list and tells that there is more", readyLimit)
	s.run(t, "a clock that is set back takes back what was due", readyClockBack)
	s.run(t, "the wait leads to the next due execution", readyWait)
	s.run(t, "an exclusive task has one ready execution, and none while one is queued or runs", readyExclusive)
	s.run(t, "executions of a task that allows overlaps are ready together", readyAllow)
	s.run(t, "a full concurrency key holds back", readyKey)
	s.run(t, "who holds the slots is counted", readyOccupancy)
	s.run(t, "what a closed rate limit holds is left out, and nothing else", readyClosed)
	s.run(t, "the live executions of a task are counted, and the oldest are named", liveOldest)
	s.run(t, "a type that is left to other nodes is neither ready nor claimed", readyElsewhere)
	s.run(t, "a full type holds back, and lets go", readyType)
	s.run(t, "what a gate holds back does not keep the dispatcher awake", readyGateWait)
}

// from is an option of Execution: when it is due.
func from(at time.Time) func(*core.Execution) {
	return func(e *core.Execution) { e.DueAt = at }
}

// priority is an option of Execution.
func priority(p int) func(*core.Execution) {
	return func(e *core.Execution) { e.Policy.Priority = p }
}

func (f *fixture) readyIDs() []string {
	f.Helper()
	return readyIDsOf(f.look(100))
}

func readyIDsOf(report core.ReadyReport) []string {
	ids := make([]string, len(report.Executions))
	for i, e := range report.Executions {
		ids[i] = e.ID
	}
	return ids
}

func readySelects(f *fixture) {
	require.Empty(f, f.look(10).Executions)
	pending := f.putFree()
	retrying := f.settle(f.putRunning(), retryLater)
	f.mark(f.putFree())
	f.putRunning()
	f.putFinished(f.putTask())
	later := f.putFree(from(Epoch().Add(time.Minute)))
	require.Equal(f, []string{pending.ID}, f.readyIDs())

	f.clock.Set(retrying.DueAt.Add(-time.Microsecond))
	require.NotContains(f, f.readyIDs(), retrying.ID, "never early")
	f.clock.Set(retrying.DueAt)
	require.ElementsMatch(f, []string{pending.ID, retrying.ID}, f.readyIDs())
	f.clock.Set(later.DueAt)
	report := f.look(10)
	require.ElementsMatch(f, []string{pending.ID, retrying.ID, later.ID}, readyIDsOf(report))
	require.Equal(f, f.clock.Now(), report.Observed)
	for _, e := range report.Executions {
		stored := f.get(e.ID)
		require.True(f, e.Rank.Equal(stored.Rank()), e.ID)
		e.Rank = stored.Rank()
		require.Equal(f, core.ReadyOf(stored), e)
	}
}

func readyOrder(f *fixture) {
	created := func(at time.Time) func(*core.Execution) {
		return func(e *core.Execution) { e.CreatedAt, e.DueAt = at, at }
	}
	now := f.clock.Now()
	low := f.putFree(priority(0), created(now.Add(-core.AgingStep)))
	second := f.putFree(priority(5), created(now.Add(-time.Second)))
	third := f.putFree(priority(5), created(now.Add(-time.Second))) // the same, the larger id
	first := f.putFree(priority(5), created(now.Add(-time.Minute)))
	high := f.putFree(priority(9), created(now))
	aged := f.putFree(priority(0), created(now.Add(-core.MaxOvertaking-time.Second)))
	require.Equal(f, idsOf([]core.Execution{first, aged, high, second, third, low}), f.readyIDs())
}

func readyLimit(f *fixture) {
	first, second := f.putFree(priority(9)), f.putFree()
	report := f.look(1)
	require.Equal(f, []string{first.ID}, readyIDsOf(report))
	require.Zero(f, report.Wait)

	f.mark(first)
	report = f.look(1)
	require.Equal(f, []string{second.ID}, readyIDsOf(report))
	require.Negative(f, report.Wait, "nothing more is due")
}

func readyClockBack(f *fixture) {
	e := f.putFree(from(Epoch().Add(time.Minute)))
	f.clock.Advance(2 * time.Minute)
	require.Equal(f, []string{e.ID}, f.readyIDs())
	f.clock.Set(Epoch())
	report := f.look(10)
	require.Empty(f, report.Executions, "never early")
	require.Equal(f, time.Minute, report.Wait)
	f.clock.Advance(time.Minute)
	require.Equal(f, []string{e.ID}, f.readyIDs())
}

func readyWait(f *fixture) {
	require.Negative(f, f.look(10).Wait, "nothing waits")
	f.putRunning()
	f.putFree()
	require.Negative(f, f.look(10).Wait, "all that is due was listed")

	f.putFree(from(Epoch().Add(time.Hour)))
	f.putFree(from(Epoch().Add(time.Minute)))
	require.Equal(f, time.Minute, f.look(10).Wait)
	f.clock.Advance(20 * time.Second)
	require.Equal(f, 40*time.Second, f.look(10).Wait)
	require.Zero(f, func() time.Duration { f.clock.Advance(2 * time.Hour); return f.look(1).Wait }())
}

func readyExclusive(f *fixture) {
	task := f.putTask(Overlap(core.OverlapQueueAll))
	first, second := f.put(task), f.put(task)
	other := f.putFree()
	require.ElementsMatch(f, []string{first.ID, other.ID}, f.readyIDs())

	f.mark(first)
	require.Equal(f, []string{other.ID}, f.readyIDs(), "it would wait in the queue, where nobody sees it")
	running := f.start(first)[0]
	require.Equal(f, []string{other.ID}, f.readyIDs())
	f.settle(running, succeed)
	require.ElementsMatch(f, []string{second.ID, other.ID}, f.readyIDs())
}

func readyAllow(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	first, second := f.put(task), f.put(task)
	f.start(f.put(task))
	require.ElementsMatch(f, []string{first.ID, second.ID}, f.readyIDs())
}

func readyKey(f *fixture) {
	shared := Slots("channel:1", 2)
	running := f.start(f.put(f.putTask(shared)), f.put(f.putTask(shared)))
	held := f.put(f.putTask(shared))
	elsewhere, free := f.put(f.putTask(Slots("channel:2", 1))), f.putFree()
	require.ElementsMatch(f, []string{elsewhere.ID, free.ID}, f.readyIDs())

	f.settle(running[0], succeed)
	require.ElementsMatch(f, []string{held.ID, elsewhere.ID, free.ID}, f.readyIDs())
	second := f.put(f.putTask(shared))
	require.NotContains(f, f.readyIDs(), second.ID, "one slot is free, and two are ready for it")
}

func readyGateWait(f *fixture) {
	task := f.putTask(Overlap(core.OverlapQueueAll))
	f.start(f.put(task))
	f.put(task)
	f.start(f.put(f.putTask(Slots("k", 1))))
	f.put(f.putTask(Slots("k", 1)))

	report := f.look(10)
	require.Empty(f, report.Executions)
	require.Negative(f, report.Wait, "the dispatcher would look again and again")
	f.putFree(from(Epoch().Add(time.Minute)))
	require.Equal(f, time.Minute, f.look(10).Wait)
}

func readyType(f *fixture) {
	f.LimitTypes(func(taskType string) int {
		if taskType == "slow" {
			return 2
		}
		return 0
	})
	slow := func() core.Execution { return f.put(f.putTask(func(s *core.TaskSpec) { s.Type = "slow" })) }
	a, b, c, free := slow(), slow(), slow(), f.putFree()
	require.ElementsMatch(f, []string{a.ID, b.ID, free.ID}, f.readyIDs())
	f.mark(a)
	running := f.start(b)[0]
	require.Equal(f, []string{free.ID}, f.readyIDs(), "one is queued and one runs")
	f.start(a)
	claimed, err := f.Claim(f.Context(), []string{c.ID}, testOwner, testTTL)
	require.NoError(f, err)
	require.Empty(f, claimed, "the claim decides")
	f.settle(running, succeed)
	require.Equal(f, []string{c.ID, free.ID}, f.readyIDs())
	f.start(c)
}

func readyOccupancy(f *fixture) {
	f.LimitTypes(func(string) int { return 7 })
	shared := Slots("k", 3)
	f.mark(f.put(f.putTask(shared)))
	f.start(f.put(f.putTask(shared)))
	f.put(f.putTask(shared))
	f.putRunning()
	o, err := f.Occupancy(f.Context(), "k", "test")
	require.NoError(f, err)
	require.Len(f, o.KeyHolders, 2)
	require.Len(f, o.TypeHolders, 3)
	require.Subset(f, o.TypeHolders, o.KeyHolders)
	o.KeyHolders, o.TypeHolders = nil, nil
	require.Equal(f, core.Occupancy{Key: 2, Type: 3, TypeLimit: 7}, o)
	o, err = f.Occupancy(f.Context(), "", "other")
	require.NoError(f, err)
	require.Equal(f, core.Occupancy{TypeLimit: 7}, o)
}

func readyElsewhere(f *fixture) {
	e := f.putFree()
	f.LimitTypes(func(string) int { return core.NoneHere })
	require.Empty(f, f.readyIDs())
	f.mark(e) // a message that went astray
	claimed, err := f.Claim(f.Context(), []string{e.ID}, testOwner, testTTL)
	require.NoError(f, err)
	require.Empty(f, claimed)
	require.Equal(f, core.StatusPending, f.get(e.ID).Status)
	f.LimitTypes(func(string) int { return 0 })
	require.Equal(f, []string{e.ID}, f.readyIDs())
	f.start(e)
}

func readyClosed(f *fixture) {
	limited := func(key string) core.Execution {
		return f.put(f.putTask(func(s *core.TaskSpec) { s.RateLimit = &core.RateLimit{Key: key, Limit: 1, PerMs: 1000} }))
	}
	first, second, free := limited("a"), limited("b"), f.putFree()
	ready := func(closed func(taskType, rateKey string) bool) []string {
		report, err := f.Ready(f.Context(), 10, closed)
		require.NoError(f, err)
		return readyIDsOf(report)
	}
	require.Equal(f, []string{first.ID, second.ID, free.ID}, ready(nil))
	require.Equal(f, []string{second.ID, free.ID}, ready(func(_, key string) bool { return key == "a" }))
	require.Equal(f, []string{free.ID}, ready(func(_, key string) bool { return key != "" }))
	require.Empty(f, ready(func(taskType, _ string) bool { return taskType == "test" }))
}

func liveOldest(f *fixture) {
	live := func(task core.Task, limit int) core.LiveReport {
		f.Helper()
		report, err := f.Live(f.Context(), task.ID, limit)
		require.NoError(f, err)
		return report
	}
	task, other := f.putTask(Overlap(core.OverlapQueueAll)), f.putTask()
	none := live(task, 10)
	require.Zero(f, none.Active)
	require.Nil(f, none.Holder)
	require.Empty(f, none.Oldest)
	f.putFinished(task)
	f.put(other)
	var all []core.Execution
	for range 4 {
		all = append(all, f.put(task))
	}
	report := live(task, 2)
	require.Equal(f, core.Active{Waiting: 4}, report.Active)
	require.Equal(f, idsOf(all[:2]), idsOf(report.Oldest))
	requireSameExecution(f, all[0], report.Oldest[0])
	require.Nil(f, report.Holder)

	f.mark(all[3])
	require.Equal(f, all[3].ID, live(task, 2).Holder.ID, "it is not among the oldest")
	running := f.start(all[2])[0]
	report = live(task, 10)
	require.Equal(f, core.Active{Running: 1, Waiting: 3}, report.Active)
	requireSameExecution(f, running, *report.Holder)
	require.Equal(f, idsOf(all), idsOf(report.Oldest))
}
