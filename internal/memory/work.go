package memory

import (
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Claim starts an attempt of each execution that waits, is due and is held by
// no gate. Queued ones that are held, or not due, go back to pending.
func (s *Store) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	now, err := s.begin(ctx, "claim executions")
	if err != nil {
		return nil, err
	}
	defer s.end()

	claimed := make([]core.Execution, 0, len(ids))
	for _, e := range s.executions.claimable(ids) {
		if e.DueAt.After(now) || !s.executions.open(&e, s.typeLimit) {
			s.unqueue(e.ID)
			continue
		}
		if err := e.Start(owner, s.token+1, now, now.Add(ttl)); err != nil {
			return nil, err // claimable lets only those through that can start
		}
		s.token++
		s.executions.put(cloneExecution(e))
		s.touch(e.TaskID, now)
		claimed = append(claimed, e)
	}
	return claimed, nil
}

// claimable returns copies of those that wait, each once. Where they compete
// for a gate, the first in line gets it, whatever the order of ids.
func (l *ledger) claimable(ids []string) []core.Execution {
	var rows []*core.Execution
	for _, id := range ids {
		if e, ok := l.live[id]; ok && e.Status != core.StatusRunning && e.Awaits == nil {
			rows = append(rows, e)
		}
	}
	slices.SortFunc(rows, byExecutionRank)
	rows = slices.Compact(rows)
	claimable := make([]core.Execution, len(rows))
	for i, row := range rows {
		claimable[i] = cloneExecution(*row)
	}
	return claimable
}

// touch notes that an execution of the task has started. The task may be gone.
func (s *Store) touch(taskID string, now time.Time) {
	if t, err := s.tasks.get(taskID, core.AnyVersion); err == nil {
		t.LastRun = &now
		s.tasks.put(t)
	}
}

// held returns the execution of a lease that is still held. An expired lease is
// held until it is reaped: nobody else has the execution yet.
func (s *Store) held(l core.Lease) (*core.Execution, bool) {
	e, ok := s.executions.live[l.ExecutionID]
	return e, ok && e.Status == core.StatusRunning && e.Token == l.Token
}

// Heartbeat extends the leases that are still held.
func (s *Store) Heartbeat(ctx context.Context, leases []core.Lease, ttl time.Duration) (core.HeartbeatReport, error) {
	now, err := s.begin(ctx, "heartbeat")
	if err != nil {
		return core.HeartbeatReport{}, err
	}
	defer s.end()

	var report core.HeartbeatReport
	for _, l := range leases {
		row, ok := s.held(l)
		if !ok {
			report.Lost = append(report.Lost, l.ExecutionID)
			continue
		}
		e := cloneExecution(*row)
		e.LeaseUntil = core.Instant(now.Add(ttl))
		s.executions.put(e)
		if e.CancelRequested {
			report.Cancel = append(report.Cancel, e.ID)
		}
	}
	return report, nil
}

// Finish applies the end of attempts whose lease is still held.
func (s *Store) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	now, err := s.begin(ctx, "finish executions")
	if err != nil {
		return nil, err
	}
	defer s.end()

	finished := make([]core.Finished, len(done))
	for i, c := range done {
		row, ok := s.held(c.Lease)
		if !ok {
			continue
		}
		e := s.settle(row, now, c.Settle)
		finished[i] = core.Finished{Applied: true, Execution: e}
		if e.Status == core.StatusSucceeded {
			s.perform(c.Effects, now)
		}
		s.executions.log(c.ExecutionID, c.Log)
		s.follow(e, now)
	}
	return finished, nil
}

// settle replaces an execution by what fn makes of it and returns the new state.
func (s *Store) settle(row *core.Execution, now time.Time, fn func(time.Time, *core.Execution)) core.Execution {
	e := cloneExecution(*row)
	fn(now, &e)
	s.executions.put(cloneExecution(e))
	return e
}

// follow applies what the end of an execution does to its task and to those that
// depend on it.
func (s *Store) follow(e core.Execution, now time.Time) {
	s.outbox.post(core.MessagesOf([]core.Execution{e}, now))
	s.pokeDependents(e, now)
	row, ok := s.tasks.rows[e.TaskID]
	if !ok || !e.Status.Final() {
		return
	}
	if next, changed := cloneTask(*row).AfterExecution(e); changed {
		s.tasks.put(cloneTask(successor(*row, next, now)))
	}
}

// log keeps what an attempt logged. An attempt that was handed back and begun
// anew has one log, in the order of the lines.
func (l *ledger) log(id string, a core.AttemptLog) {
	if len(a.Lines) == 0 && a.Dropped == 0 {
		return
	}
	a = cloneLog(a)
	logs := l.logs[id]
	if last := len(logs) - 1; last >= 0 && logs[last].Attempt == a.Attempt {
		logs[last].Lines = append(logs[last].Lines, a.Lines...)
		logs[last].Dropped += a.Dropped
		return
	}
	l.logs[id] = append(logs, a)
}

// Reap applies settle to running executions whose lease has expired, the
// longest expired first.
func (s *Store) Reap(ctx context.Context, limit int, settle func(now time.Time, e *core.Execution)) ([]core.Execution, error) {
	now, err := s.begin(ctx, "reap executions")
	if err != nil {
		return nil, err
	}
	defer s.end()

	var expired []*core.Execution
	for e := range s.executions.leases.all() {
		if len(expired) >= limit || !e.LeaseUntil.Before(now) {
			break
		}
		expired = append(expired, e)
	}
	reaped := make([]core.Execution, len(expired))
	for i, e := range expired {
		reaped[i] = s.settle(e, now, settle)
		s.follow(reaped[i], now)
	}
	return reaped, nil
}
