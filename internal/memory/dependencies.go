package memory

import (
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// dependencies returns what tasks have done last; unknown ones are left out.
func (s *Store) dependencies(ids []string) []core.DependencyState {
	var states []core.DependencyState
	for _, id := range ids {
		t, ok := s.tasks.rows[id]
		if !ok {
			continue
		}
		state := core.DependencyState{TaskID: id, Name: t.Name}
		if d, ok := s.executions.byTask[id]; ok {
			state.Succeeded, state.Failed = d.last.Succeeded, d.last.Failed
		}
		states = append(states, state)
	}
	return states
}

// Dependencies returns what tasks have done last.
func (s *Store) Dependencies(ctx context.Context, ids []string) ([]core.DependencyState, error) {
	if _, err := s.begin(ctx, "read dependencies"); err != nil {
		return nil, err
	}
	defer s.end()
	return s.dependencies(ids), nil
}

// checkDependencies refuses unknown tasks and ways that lead back.
func (s *Store) checkDependencies(t core.Task) error {
	for i, id := range t.DependsOn {
		if _, ok := s.tasks.rows[id]; !ok {
			return core.UnknownDependency(i)
		}
	}
	cycle, err := core.FindCycle(t.ID, t.DependsOn, func(id string) ([]string, error) {
		return s.tasks.rows[id].DependsOn, nil
	})
	if err == nil && cycle != nil {
		err = core.CycleError(cycle)
	}
	return err
}

func (s *Store) countDependents(id string) int { return len(s.dependents(id)) }

// dependents lists the tasks that depend on one.
func (s *Store) dependents(id string) []string {
	var all []string
	for _, t := range s.tasks.rows {
		if slices.Contains(t.DependsOn, id) {
			all = append(all, t.ID)
		}
	}
	return all
}

// add stores a planned execution. One that waits for dependencies is looked at
// at once.
func (s *Store) add(e core.Execution) {
	s.executions.put(cloneExecution(e))
	if e.Awaits != nil {
		s.judgeAt[e.ID] = e.CreatedAt
	}
}

// pokeDependents makes the planner look at the tasks that run after one whose
// execution has ended, and Judge at the executions that wait for it.
func (s *Store) pokeDependents(e core.Execution, now time.Time) {
	if !e.Counts() {
		return
	}
	for _, id := range s.dependents(e.TaskID) {
		t := cloneTask(*s.tasks.rows[id])
		if t.ScheduleType == core.ScheduleDependency && t.Enabled && t.PauseReason == nil {
			t.NextRun = &now
			s.tasks.put(t)
		}
		if d, ok := s.executions.byTask[id]; ok {
			for _, live := range d.live.sorted {
				if s.executions.live[live].Awaits != nil {
					s.judgeAt[live] = now
				}
			}
		}
	}
}

// endActive ends a task's waiting executions, asks its running ones to end, and
// lets those that depend on it know.
func (s *Store) endActive(taskID, reason string, now time.Time) (cancelled []core.Execution, running []string) {
	cancelled, running = s.executions.endActive(taskID, reason, now)
	for _, e := range cancelled {
		s.follow(e, now)
	}
	return cancelled, running
}

// endOne is endActive for one execution.
func (s *Store) endOne(id, reason string, now time.Time) (e core.Execution, ended bool) {
	e, ended = s.executions.end(id, reason, now)
	if ended {
		s.follow(e, now)
	}
	return e, ended
}

// Judge looks at the executions that wait for dependencies.
func (s *Store) Judge(ctx context.Context, limit int,
	rule func(now time.Time, e core.Execution, states []core.DependencyState) core.Verdict,
) (core.JudgeReport, error) {
	now, err := s.begin(ctx, "judge")
	if err != nil {
		return core.JudgeReport{}, err
	}
	defer s.end()

	var report core.JudgeReport
	for _, id := range s.toJudge(now, limit) {
		delete(s.judgeAt, id)
		row, live := s.executions.live[id]
		if !live || row.Awaits == nil {
			continue
		}
		e := cloneExecution(*row)
		if e.Settle(rule(now, cloneExecution(e), s.dependencies(e.Awaits.Tasks)), now) {
			s.executions.put(cloneExecution(e))
			s.follow(e, now)
			report.Changed = append(report.Changed, e)
		} else if e.Awaits.Until != nil {
			s.judgeAt[id] = *e.Awaits.Until
		}
	}
	report.Wait = s.untilNextJudging(now)
	return report, nil
}

// toJudge lists the executions to look at, in a stable order.
func (s *Store) toJudge(now time.Time, limit int) []string {
	var ids []string
	for id, at := range s.judgeAt {
		if !at.After(now) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(limit, len(ids))]
}

func (s *Store) untilNextJudging(now time.Time) time.Duration {
	wait := time.Duration(-1)
	for _, at := range s.judgeAt {
		if d := max(0, at.Sub(now)); wait < 0 || d < wait {
			wait = d
		}
	}
	return wait
}

// checkReferences looks whether what a task was computed from is still so, and
// whether what it depends on is there.
func (s *Store) checkReferences(t *core.Task) error {
	var shared *core.Schedule
	if t.ScheduleID != nil && t.Basis != nil {
		row, ok := s.schedules.rows[*t.ScheduleID]
		if !ok {
			return core.ErrBasisChanged
		}
		shared = row
	}
	if err := t.CheckBasis(shared, s.calendars.set(t.Calendars)); err != nil {
		return err
	}
	t.Basis = nil
	return s.checkDependencies(*t)
}
