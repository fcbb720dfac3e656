package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// maxPutOff is the longest that an execution is put off. Its wait is in the store
// that all nodes share: the plugin may be sound on another one, or be released
// here, long before the quarantine of this node would be over.
const maxPutOff = 2 * time.Second

// Invoke implements core.Invoker. A type that is not loaded, and a closed host,
// fail with PLUGIN_UNAVAILABLE; a plugin that is quarantined is not started
// (core.NotStartedError). When as many runs as the plugin's concurrency allows
// are under way, it waits for one to end, or for ctx.
func (h *Host) Invoke(ctx context.Context, in core.Invocation) (core.Outcome, error) {
	s, err := h.enter(in.Type)
	if err != nil {
		return core.Outcome{}, err
	}
	defer s.runs.leave()
	ctx, cancel := s.runs.bound(ctx, in.Deadline)
	defer cancel()

	count := h.counters.of(in.Type)
	count.total.Add(1)
	count.active.Add(1)
	defer count.active.Add(-1)

	out, err := h.attempt(ctx, s, in)
	if _, waits := errors.AsType[*core.NotStartedError](err); waits {
		count.total.Add(-1)
	} else if err != nil {
		count.failed.Add(1)
	}
	return out, err
}

// enter finds the plugin of a type and counts the run in. A plugin that is
// being closed takes no more runs; then there is a newer generation.
func (h *Host) enter(taskType string) (*slot, error) {
	for {
		g := h.current.Load()
		if g == nil {
			return nil, unavailable("the plugin host is closed")
		}
		s, ok := g.slots[taskType]
		switch {
		case !ok:
			return nil, unavailable("no plugin is listed for the task type %q", taskType)
		case s.problem != nil:
			return nil, unavailable("the plugin of %q is not loaded: %v", taskType, s.problem)
		case s.runs.enter():
			return s, nil
		}
	}
}

// bound makes the context of a run: it ends at the attempt's deadline and, for
// a plugin that is being closed, with errReplaced.
func (r *runs) bound(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(r.ended, func() { end(context.Cause(r.ended)) })
	release := func() { stop(); end(nil) }
	if deadline.IsZero() {
		return ctx, release
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	return ctx, func() { cancel(); release() }
}

// attempt waits for a free place and runs the plugin once.
func (h *Host) attempt(ctx context.Context, s *slot, in core.Invocation) (core.Outcome, error) {
	out := core.Outcome{} // without a plugin until something has begun
	if len(in.Data) > maxData {
		return out, &core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassPermanent, Message: fmt.Sprintf("task data of %d bytes, at most %d are allowed", len(in.Data), maxData)}
	}
	select {
	case s.free <- struct{}{}:
		defer func() { <-s.free }()
	case <-ctx.Done():
		return out, ended(ctx)
	}
	// The plugin's own limit starts now: waiting is not its fault.
	ctx, cancel := context.WithTimeout(ctx, s.entry.limits.Timeout)
	defer cancel()
	if ctx.Err() != nil {
		return out, ended(ctx)
	}

	t, wait, ok := s.breaker.begin(h.clock.Now())
	if !ok {
		return out, &core.NotStartedError{Reason: fmt.Sprintf("the plugin of %q is quarantined; GET /plugins says why", in.Type), Wait: min(wait, maxPutOff)}
	}
	v, cause := unknown, error(nil) // unless the plugin says more; a panic of the host says nothing
	defer func() { h.ended(s, t, v, cause) }()

	c := h.newCall(s, in)
	start := c.now()
	result, v, begun, err := s.run(ctx, c)
	cause = err
	if begun {
		out.Plugin = s.manifest.id()
	}
	if denied := c.finish(); denied != nil {
		err = denied
	}
	h.cfg.Observer.ObserveRun(in.Type, codeOf(err), c.now().Sub(start), time.Duration(c.computed.Load()))
	out.Logs, out.LogsDropped = c.logs.close()
	if err != nil {
		return out, err
	}
	out.Result, out.Effects = result, c.effects.Effects
	return out, nil
}

func (h *Host) newCall(s *slot, in core.Invocation) *call {
	logger := h.cfg.Logger.With("type", in.Type, "plugin", s.manifest.id(),
		"execution_id", in.ExecutionID, "task_id", in.TaskID, "attempt", in.Attempt)
	c := &call{
		in: in, grants: s.entry.grants, config: s.entry.config, logger: logger,
		logs: newLogbook(s.entry.limits, logger), limit: s.entry.limits.HostCalls,
		state: h.cfg.State, checkpoints: h.cfg.Checkpoints, pruner: h.cfg.Pruner, drafter: h.cfg.Drafter, limits: s.entry.limits, now: core.SystemClock{}.Now,
		web: h.newWeb(s, in.Type, logger), observer: h.cfg.Observer,
	}
	c.budget.Store(int64(c.limit))
	return c
}

// run hands the request to the plugin and reads its response. The verdict is
// about the program; begun is false when the plugin has not seen the request.
func (s *slot) run(ctx context.Context, c *call) (_ json.RawMessage, _ verdict, begun bool, _ error) {
	request, err := encodeRequest(ctx, c.in)
	if err != nil {
		return nil, unknown, false, fmt.Errorf("invoke %s: %w", s.manifest.id(), err)
	}
	frame, err := s.plugin.Handle(ctx, request, c)
	v := verdictOn(err)
	if err != nil {
		_, not := errors.AsType[NotBegunError](err)
		return nil, v, !not, failureOf(ctx, err)
	}
	result, err := resultOf(frame)
	return result, v, true, err
}

// resultOf reads a response. What the handler reports is an error, too.
func resultOf(frame []byte) (json.RawMessage, error) {
	result, told, err := readResponse(frame)
	switch {
	case err != nil:
		return nil, broken(err)
	case told != nil:
		return nil, reported(told)
	case len(result) == 0:
		return json.RawMessage("null"), nil
	}
	return withoutNUL(result), nil
}

// readResponse returns what is in a response: a result, or what the handler
// reports.
func readResponse(frame []byte) (result json.RawMessage, told *wire.Error, err error) {
	var response wire.Response
	result, err = wire.Decode(frame, &response)
	if err == nil && response.Error == nil && len(result) > 0 {
		err = checkJSON(result)
	}
	return result, response.Error, err
}

// encodeRequest tells the plugin the deadline that really holds, which may be
// earlier than the attempt's.
func encodeRequest(ctx context.Context, in core.Invocation) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	return wire.Encode(wire.Request{
		ABI: wire.ABI, ContentType: wire.ContentJSON,
		Execution: wire.Execution{
			ID: in.ExecutionID, TaskID: in.TaskID, TaskName: in.TaskName, Type: in.Type, Trigger: string(in.Trigger),
			Attempt: in.Attempt, MaxAttempts: in.MaxAttempts, Token: in.Token, IdempotencyKey: in.ExecutionID,
			NominalTime: in.NominalTime.UTC(), Deadline: deadline.UTC(),
		},
	}, orEmpty(in.Data))
}

// orEmpty is the data of a task that was written without.
func orEmpty(data json.RawMessage) json.RawMessage {
	if len(data) == 0 {
		return json.RawMessage("{}")
	}
	return data
}
