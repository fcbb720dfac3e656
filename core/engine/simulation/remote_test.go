package simulation

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// remote is the store as an actor sees it through its link.
type remote struct {
	core.Store
	link *link
}

// The calls of the engine.

func (r remote) PlanDue(ctx context.Context, limit int, decide func(time.Time, core.DueTask) core.Plan) (core.PlanReport, error) {
	return call(ctx, r.link, "plan", func(ctx context.Context) (core.PlanReport, error) { return r.Store.PlanDue(ctx, limit, decide) })
}

func (r remote) Judge(ctx context.Context, limit int, rule func(time.Time, core.Execution, []core.DependencyState) core.Verdict) (core.JudgeReport, error) {
	return call(ctx, r.link, "judge", func(ctx context.Context) (core.JudgeReport, error) { return r.Store.Judge(ctx, limit, rule) })
}

func (r remote) Ready(ctx context.Context, limit int, closed func(taskType, rateKey string) bool) (core.ReadyReport, error) {
	return call(ctx, r.link, "ready", func(ctx context.Context) (core.ReadyReport, error) { return r.Store.Ready(ctx, limit, closed) })
}

func (r remote) MarkQueued(ctx context.Context, marks []core.QueueMark) ([]string, error) {
	return call(ctx, r.link, "mark", func(ctx context.Context) ([]string, error) { return r.Store.MarkQueued(ctx, marks) })
}

func (r remote) Unqueue(ctx context.Context, ids []string) error {
	return tell(ctx, r.link, "unqueue", func(ctx context.Context) error { return r.Store.Unqueue(ctx, ids) })
}

func (r remote) UnqueueStale(ctx context.Context, types []string, age time.Duration, limit int) (int, error) {
	return call(ctx, r.link, "unqueue stale", func(ctx context.Context) (int, error) { return r.Store.UnqueueStale(ctx, types, age, limit) })
}

func (r remote) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	return call(ctx, r.link, "claim", func(ctx context.Context) ([]core.Execution, error) { return r.Store.Claim(ctx, ids, owner, ttl) })
}

func (r remote) Heartbeat(ctx context.Context, leases []core.Lease, ttl time.Duration) (core.HeartbeatReport, error) {
	return call(ctx, r.link, "heartbeat", func(ctx context.Context) (core.HeartbeatReport, error) { return r.Store.Heartbeat(ctx, leases, ttl) })
}

func (r remote) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	return call(ctx, r.link, "finish", func(ctx context.Context) ([]core.Finished, error) { return r.Store.Finish(ctx, done) })
}

func (r remote) Reap(ctx context.Context, limit int, settle func(time.Time, *core.Execution)) ([]core.Execution, error) {
	return call(ctx, r.link, "reap", func(ctx context.Context) ([]core.Execution, error) { return r.Store.Reap(ctx, limit, settle) })
}

func (r remote) Outbox(ctx context.Context, kind core.MessageKind, limit int) (core.OutboxReport, error) {
	return call(ctx, r.link, "outbox", func(ctx context.Context) (core.OutboxReport, error) { return r.Store.Outbox(ctx, kind, limit) })
}

func (r remote) SettleOutbox(ctx context.Context, done []int64, later []core.Postponed) error {
	return tell(ctx, r.link, "settle outbox", func(ctx context.Context) error { return r.Store.SettleOutbox(ctx, done, later) })
}

func (r remote) RaiseLate(ctx context.Context, limit int) (core.LateReport, error) {
	return call(ctx, r.link, "late", func(ctx context.Context) (core.LateReport, error) { return r.Store.RaiseLate(ctx, limit) })
}

// The calls of the API.

func (r remote) Task(ctx context.Context, id string) (core.Task, error) {
	return call(ctx, r.link, "task", func(ctx context.Context) (core.Task, error) { return r.Store.Task(ctx, id) })
}

func (r remote) CreateTask(ctx context.Context, t core.Task, key *core.Idempotency) (core.Task, error) {
	return call(ctx, r.link, "create", func(ctx context.Context) (core.Task, error) { return r.Store.CreateTask(ctx, t, key) })
}

func (r remote) UpdateTask(ctx context.Context, id string, version int64, change func(time.Time, core.Task) (core.Task, error)) (core.Task, error) {
	return call(ctx, r.link, "update", func(ctx context.Context) (core.Task, error) { return r.Store.UpdateTask(ctx, id, version, change) })
}

func (r remote) DeleteTask(ctx context.Context, id string, version int64) ([]string, error) {
	return call(ctx, r.link, "delete", func(ctx context.Context) ([]string, error) { return r.Store.DeleteTask(ctx, id, version) })
}

func (r remote) UpdateSchedule(ctx context.Context, id string, version int64,
	change func(time.Time, core.Schedule) (core.Schedule, error),
	retime func(time.Time, core.Schedule, core.Task) (core.Task, error),
) (core.Schedule, error) {
	return call(ctx, r.link, "update schedule", func(ctx context.Context) (core.Schedule, error) {
		return r.Store.UpdateSchedule(ctx, id, version, change, retime)
	})
}

// submitted is the answer to CreateExecution.
type submitted struct {
	execution core.Execution
	running   []string
}

func (r remote) CreateExecution(ctx context.Context, e core.Execution, key *core.Idempotency) (core.Execution, []string, error) {
	s, err := call(ctx, r.link, "submit", func(ctx context.Context) (s submitted, err error) {
		s.execution, s.running, err = r.Store.CreateExecution(ctx, e, key)
		return s, err
	})
	return s.execution, s.running, err
}

func (r remote) PlanBackfill(ctx context.Context, taskID string, from, to time.Time, key *core.Idempotency,
	decide func(time.Time, core.BackfillTask) (core.BackfillPlan, error),
) ([]string, error) {
	return call(ctx, r.link, "backfill", func(ctx context.Context) ([]string, error) {
		return r.Store.PlanBackfill(ctx, taskID, from, to, key, decide)
	})
}

func (r remote) Execution(ctx context.Context, id string) (core.Execution, error) {
	return call(ctx, r.link, "execution", func(ctx context.Context) (core.Execution, error) { return r.Store.Execution(ctx, id) })
}

func (r remote) Cancel(ctx context.Context, c core.Cancellation) (core.CancelReport, error) {
	return call(ctx, r.link, "cancel", func(ctx context.Context) (core.CancelReport, error) { return r.Store.Cancel(ctx, c) })
}

func (r remote) MadeBefore(ctx context.Context, key core.Idempotency) (string, error) {
	return call(ctx, r.link, "made before", func(ctx context.Context) (string, error) { return r.Store.MadeBefore(ctx, key) })
}
