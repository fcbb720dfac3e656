package core

import (
	"context"
	"time"
)

// Execute plans an execution of a task now. Errors: NOT_FOUND, TASK_LOCKED when
// the overlap policy forbids it, PLUGIN_UNAVAILABLE, and ErrReplayed together
// with the earlier execution for a known idempotency key.
func (s *Scheduler) Execute(ctx context.Context, taskID string, key *Idempotency) (Execution, error) {
	if e, done, err := replay(ctx, s, key, s.store.Execution); done || err != nil {
		return e, err
	}
	t, err := s.store.Task(ctx, taskID)
	if err != nil {
		return Execution{}, err
	}
	if err := s.types.ValidateData(t.Type, t.Data); err != nil {
		return Execution{}, err
	}
	now := s.clock.Now()
	return s.submit(ctx, NewExecution(t, TriggerManual, now, now, now), key)
}

// Retry plans a fresh execution of a finished one that did not succeed. While
// an earlier retry of it has not ended, that one is returned with ErrReplayed.
// Errors: NOT_FOUND, CONFLICT, TASK_LOCKED, PLUGIN_UNAVAILABLE.
func (s *Scheduler) Retry(ctx context.Context, executionID string, key *Idempotency) (Execution, error) {
	if e, done, err := replay(ctx, s, key, s.store.Execution); done || err != nil {
		return e, err
	}
	old, err := s.store.Execution(ctx, executionID)
	if err != nil {
		return Execution{}, err
	}
	e, err := NewRetry(old, s.clock.Now())
	if err != nil {
		return Execution{}, err
	}
	if err := s.types.ValidateData(e.Type, e.Data); err != nil {
		return Execution{}, err
	}
	return s.submit(ctx, e, key)
}

func (s *Scheduler) submit(ctx context.Context, e Execution, key *Idempotency) (Execution, error) {
	e, running, err := s.store.CreateExecution(ctx, e, key)
	if err != nil {
		return e, err
	}
	s.sendCancel(ctx, running)
	s.signals.Send(ctx, Signal{Kind: SignalDispatch})
	return e, nil
}

// CancelTask ends every live execution of a task; a once task that is not yet
// due is disabled. Errors: NOT_FOUND.
func (s *Scheduler) CancelTask(ctx context.Context, taskID string) (CancelReport, error) {
	return s.cancel(ctx, Cancellation{TaskID: taskID, Reason: "cancelled on request"})
}

// CancelExecution ends one execution, or asks it to end. It can be repeated: an
// execution that is cancelled already is reported as cancelled again. Errors:
// NOT_FOUND, CONFLICT when it has ended otherwise.
func (s *Scheduler) CancelExecution(ctx context.Context, id string) (CancelReport, error) {
	r, err := s.cancel(ctx, Cancellation{ExecutionID: id, Reason: "cancelled on request"})
	if CodeOf(err) != CodeConflict {
		return r, err
	}
	e, readErr := s.store.Execution(ctx, id)
	if readErr != nil || e.Status != StatusCancelled {
		return r, err
	}
	return CancelReport{Cancelled: []Execution{e}}, nil
}

func (s *Scheduler) cancel(ctx context.Context, c Cancellation) (CancelReport, error) {
	r, err := s.store.Cancel(ctx, c)
	if err != nil {
		return r, err
	}
	s.sendCancel(ctx, r.Running)
	for i := range r.Cancelled {
		e := &r.Cancelled[i]
		s.observer.Observe(Event{Kind: EventFinished, At: s.clock.Now(), Execution: e})
		s.signals.Send(ctx, Signal{Kind: SignalFinished, ExecutionID: e.ID})
	}
	s.signals.Send(ctx, Signal{Kind: SignalDispatch}) // a gate may have opened
	return r, nil
}

func (s *Scheduler) sendCancel(ctx context.Context, ids []string) {
	for _, id := range ids {
		s.signals.Send(ctx, Signal{Kind: SignalCancel, ExecutionID: id})
	}
}

// Execution returns an execution, live or finished, or NOT_FOUND.
func (s *Scheduler) Execution(ctx context.Context, id string) (Execution, error) {
	return s.store.Execution(ctx, id)
}

// Executions lists live and finished executions, newest first.
func (s *Scheduler) Executions(ctx context.Context, f ExecutionFilter, p Page) ([]Execution, error) {
	return s.store.Executions(ctx, f, p)
}

// Logs returns what the plugin logged during an execution, or NOT_FOUND.
func (s *Scheduler) Logs(ctx context.Context, id string) ([]AttemptLog, error) {
	return s.store.ExecutionLogs(ctx, id)
}

// awaitPoll bounds how long Await believes a lost signal.
const awaitPoll = time.Second

// awaitRead bounds each look at the store while waiting: one that does not
// answer must not hold a waiting request for ever.
const awaitRead = 5 * time.Second

// Await returns the execution when it has ended, or as it is when ctx ends; the
// error is then nil too, so look at the status.
func (s *Scheduler) Await(ctx context.Context, id string) (Execution, error) {
	signals, unsubscribe := s.signals.Subscribe()
	defer unsubscribe()
	poll := time.NewTicker(awaitPoll)
	defer poll.Stop()
	for {
		e, err := s.look(ctx, id)
		if err != nil || e.Status.Final() || ctx.Err() != nil {
			return e, err
		}
		awaitSignal(ctx, signals, poll.C, id)
	}
}

// look reads an execution, also when ctx has ended.
func (s *Scheduler) look(ctx context.Context, id string) (Execution, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), awaitRead)
	defer cancel()
	return s.store.Execution(ctx, id)
}

// awaitSignal waits until the execution may have ended or ctx has.
func awaitSignal(ctx context.Context, signals <-chan Signal, poll <-chan time.Time, id string) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll:
			return
		case sig := <-signals:
			if sig.Kind == SignalFinished && sig.ExecutionID == id {
				return
			}
		}
	}
}
