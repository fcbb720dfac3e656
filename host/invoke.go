package host

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// Invoke implements core.Invoker. A type that is not loaded, and a closed host,
// fail with PLUGIN_UNAVAILABLE. When as many runs as the plugin's concurrency
// allows are under way, it waits for one to end, or for ctx.
func (h *Host) Invoke(ctx context.Context, in core.Invocation) (core.Outcome, error) {
	g := h.enter()
	if g == nil {
		return core.Outcome{}, unavailable("the plugin host is closed")
	}
	defer g.leave()

	s, ok := g.slots[in.Type]
	if !ok {
		return core.Outcome{}, unavailable("no plugin is listed for the task type %q", in.Type)
	}
	if s.problem != nil {
		return core.Outcome{}, unavailable("the plugin of %q is not loaded: %v", in.Type, s.problem)
	}
	ctx, cancel := g.bound(ctx, in.Deadline)
	defer cancel()

	count := h.counters.of(in.Type)
	count.total.Add(1)
	count.active.Add(1)
	defer count.active.Add(-1)

	out, err := h.attempt(ctx, s, in)
	if err != nil {
		count.failed.Add(1)
	}
	return out, err
}

// enter finds the current generation and counts the run in. A generation that
// was replaced in between takes no more runs; then there is a newer one.
func (h *Host) enter() *generation {
	for {
		g := h.current.Load()
		if g == nil || g.enter() {
			return g
		}
	}
}

// bound makes the context of a run: it ends at the attempt's deadline and, for
// a generation that was given up, with errReplaced.
func (g *generation) bound(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(g.ended, func() { end(context.Cause(g.ended)) })
	release := func() { stop(); end(nil) }
	if deadline.IsZero() {
		return ctx, release
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	return ctx, func() { cancel(); release() }
}

// attempt waits for a free place and runs the plugin once.
func (h *Host) attempt(ctx context.Context, s *slot, in core.Invocation) (core.Outcome, error) {
	out := core.Outcome{Plugin: s.manifest.id()}
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

	c := h.newCall(s, in)
	result, err := s.run(ctx, c)
	if denied := c.finish(); denied != nil {
		err = denied
	}
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
		logs: newLogbook(s.entry.limits.Logs, logger), limit: s.entry.limits.HostCalls,
		state: h.cfg.State, checkpoints: h.cfg.Checkpoints, drafter: h.cfg.Drafter, limits: s.entry.limits, now: core.SystemClock{}.Now,
		web: h.newWeb(s, in.Type, logger),
	}
	c.budget.Store(int64(c.limit))
	return c
}

// run hands the request to the plugin and reads its response.
func (s *slot) run(ctx context.Context, c *call) (json.RawMessage, error) {
	request, err := encodeRequest(ctx, c.in)
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", s.manifest.id(), err)
	}
	frame, err := s.plugin.Handle(ctx, request, c)
	if err != nil {
		return nil, failureOf(ctx, err)
	}
	var response wire.Response
	result, err := wire.Decode(frame, &response)
	if err != nil {
		return nil, broken(err)
	}
	if response.Error != nil {
		return nil, reported(response.Error)
	}
	if len(result) == 0 {
		return json.RawMessage("null"), nil
	}
	if err := checkJSON(result); err != nil {
		return nil, broken(err)
	}
	return withoutNUL(result), nil
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
