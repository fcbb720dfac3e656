package memory

import (
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// CreateExecution stores an execution that somebody asked for, and returns with
// it the ids of running ones that its overlap policy asked to end.
func (s *Store) CreateExecution(ctx context.Context, e core.Execution, key *core.Idempotency) (core.Execution, []string, error) {
	now, err := s.begin(ctx, "create execution")
	if err != nil {
		return core.Execution{}, nil, err
	}
	defer s.end()

	earlier, err := s.earlier(e, key)
	if err != nil {
		return core.Execution{}, nil, err
	}
	if earlier != nil {
		s.requests.remember(key, earlier.ID, now)
		return cloneExecution(*earlier), nil, core.ErrReplayed
	}
	if s.executions.get(e.ID) != nil || s.executions.planned(&e) {
		return core.Execution{}, nil, core.Errorf(core.CodeConflict, "execution %s exists", e.ID)
	}
	admission := e.Policy.Overlap.Admit(s.executions.active(e.TaskID))
	if !admission.Admit {
		return core.Execution{}, nil, e.Policy.Overlap.LockedError(admission, s.executions.byTask[e.TaskID].live.sorted[0])
	}
	var running []string
	if admission.CancelPrevious {
		_, running = s.endActive(e.TaskID, reasonNextOccurrence, now)
	}
	s.executions.put(cloneExecution(e))
	s.requests.remember(key, e.ID, now)
	return cloneExecution(e), running, nil
}

// earlier returns what an earlier request for the same execution made: one with
// the same key, or a retry of the same execution that has not ended.
func (s *Store) earlier(e core.Execution, key *core.Idempotency) (*core.Execution, error) {
	made, err := s.requests.made(key)
	if err != nil {
		return nil, err
	}
	if known := s.executions.get(made); known != nil {
		return known, nil
	}
	d, ok := s.executions.byTask[e.TaskID]
	if e.RetryOf == nil || !ok {
		return nil, nil
	}
	for _, id := range d.live.sorted {
		if other := s.executions.live[id]; other.RetryOf != nil && *other.RetryOf == *e.RetryOf {
			return other, nil
		}
	}
	return nil, nil
}

// Execution returns an execution, live or finished, or NOT_FOUND.
func (s *Store) Execution(ctx context.Context, id string) (core.Execution, error) {
	if _, err := s.begin(ctx, "read execution"); err != nil {
		return core.Execution{}, err
	}
	defer s.end()

	e := s.executions.get(id)
	if e == nil {
		return core.Execution{}, notFound("execution", id)
	}
	return cloneExecution(*e), nil
}

// Executions lists live and finished executions, newest first.
func (s *Store) Executions(ctx context.Context, f core.ExecutionFilter, p core.Page) ([]core.Execution, error) {
	if _, err := s.begin(ctx, "list executions"); err != nil {
		return nil, err
	}
	defer s.end()

	page := []core.Execution{}
	for id := range s.executions.listed(f.TaskID).before(p.After) {
		if len(page) >= p.Limit {
			break
		}
		if e := s.executions.get(id); selectsExecution(f, e) {
			page = append(page, cloneExecution(*e))
		}
	}
	return page, nil
}

// listed returns the ids of a task's executions, or of all.
func (l *ledger) listed(taskID string) *ids {
	if taskID == "" {
		return &l.ids
	}
	if d, ok := l.byTask[taskID]; ok {
		return &d.ids
	}
	return &ids{}
}

func selectsExecution(f core.ExecutionFilter, e *core.Execution) bool {
	return (f.Type == "" || f.Type == e.Type) &&
		(len(f.Statuses) == 0 || slices.Contains(f.Statuses, e.Status)) &&
		(f.Trigger == "" || f.Trigger == e.Trigger) &&
		(f.From == nil || !e.CreatedAt.Before(*f.From)) &&
		(f.To == nil || e.CreatedAt.Before(*f.To))
}

// ExecutionLogs returns what the plugin logged, attempt by attempt, or
// NOT_FOUND.
func (s *Store) ExecutionLogs(ctx context.Context, id string) ([]core.AttemptLog, error) {
	if _, err := s.begin(ctx, "read execution logs"); err != nil {
		return nil, err
	}
	defer s.end()

	if s.executions.get(id) == nil {
		return nil, notFound("execution", id)
	}
	return cloneLogs(s.executions.logs[id]), nil
}

// Cancel ends waiting executions and asks running ones to end.
func (s *Store) Cancel(ctx context.Context, c core.Cancellation) (core.CancelReport, error) {
	now, err := s.begin(ctx, "cancel")
	if err != nil {
		return core.CancelReport{}, err
	}
	defer s.end()
	if c.ExecutionID != "" {
		return s.cancelExecution(c, now)
	}
	return s.cancelTask(c, now)
}

func (s *Store) cancelExecution(c core.Cancellation, now time.Time) (core.CancelReport, error) {
	e := s.executions.get(c.ExecutionID)
	if e == nil {
		return core.CancelReport{}, notFound("execution", c.ExecutionID)
	}
	if e.Status.Final() {
		return core.CancelReport{}, core.Errorf(core.CodeConflict, "execution %s is %s already", e.ID, e.Status)
	}
	ended, ok := s.endOne(e.ID, c.Reason, now)
	if !ok {
		return core.CancelReport{Running: []string{e.ID}}, nil
	}
	return core.CancelReport{Cancelled: []core.Execution{ended}}, nil
}

func (s *Store) cancelTask(c core.Cancellation, now time.Time) (core.CancelReport, error) {
	t, err := s.tasks.get(c.TaskID, core.AnyVersion)
	if err != nil {
		return core.CancelReport{}, err
	}
	var report core.CancelReport
	report.Cancelled, report.Running = s.endActive(t.ID, c.Reason, now)
	// Its one occurrence lies ahead: there is nothing to cancel yet, and later
	// there would be.
	if t.ScheduleType == core.ScheduleOnce && t.Enabled && t.NextRun != nil {
		next := t
		next.Enabled, next.NextRun, next.Plan.NextNominal = false, nil, nil
		s.tasks.put(successor(t, next, now))
		report.Disabled = true
	}
	return report, nil
}

// Occurred tells which nominal times of a task have an execution that succeeded
// or has not ended.
func (s *Store) Occurred(ctx context.Context, taskID string, from, to time.Time) (map[time.Time]core.Status, error) {
	if _, err := s.begin(ctx, "read occurrences"); err != nil {
		return nil, err
	}
	defer s.end()

	return s.occurred(taskID, from, to), nil
}

func (s *Store) occurred(taskID string, from, to time.Time) map[time.Time]core.Status {
	occurred := map[time.Time]core.Status{}
	if d, ok := s.executions.byTask[taskID]; ok {
		for id := range d.ids.before("") {
			e := s.executions.get(id)
			inRange := !e.NominalTime.Before(from) && e.NominalTime.Before(to)
			if inRange && (e.Status == core.StatusSucceeded || !e.Status.Final()) {
				occurred[e.NominalTime] = e.Status
			}
		}
	}
	return occurred
}
