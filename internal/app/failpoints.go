//go:build failpoints

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// SCHED_FAILPOINTS names points, each with what happens at its n-th hit (the
// first when n is left out):
//
//	claim.after=crash@3,publish.before=error,finish.before=sleep(500)
//
// A point is a call of a port and whether it is before or after it happened.
// crash kills the process as kill -9 does; error makes the call fail before it
// happened, or its answer get lost; sleep takes milliseconds.
type failpoints map[string]*failpoint

type failpoint struct {
	action string
	at     int64
	hits   atomic.Int64
}

var errFailpoint = errors.New("failpoint")

// withFailpoints puts the points between the service and its backends.
func withFailpoints(b *backends, i core.Invoker) core.Invoker {
	f := failpoints{}
	for _, word := range strings.Split(os.Getenv("SCHED_FAILPOINTS"), ",") {
		name, action, ok := strings.Cut(strings.TrimSpace(word), "=")
		if !ok {
			continue
		}
		p := &failpoint{at: 1}
		action, n, counted := strings.Cut(action, "@")
		if counted {
			p.at, _ = strconv.ParseInt(n, 10, 64)
		}
		p.action = action
		f[name] = p
	}
	if len(f) == 0 {
		return i
	}
	b.store = failStore{b.store, f}
	b.queue = failQueue{b.queue, f}
	if b.publisher != nil {
		b.publisher = failPublisher{b.publisher, f}
	}
	return failInvoker{i, f}
}

// hit does what the point says, if it is its turn.
func (f failpoints) hit(name string) error {
	p, ok := f[name]
	if !ok || p.hits.Add(1) != p.at {
		return nil
	}
	fmt.Fprintf(os.Stderr, "failpoint %s: %s\n", name, p.action)
	switch {
	case p.action == "crash":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	case p.action == "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case p.action == "error":
		return fmt.Errorf("%s: %w", name, errFailpoint)
	case strings.HasPrefix(p.action, "sleep("):
		ms, _ := strconv.Atoi(strings.Trim(p.action[len("sleep"):], "()"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
	return nil
}

// around calls do between the points before and after a call.
func around[T any](f failpoints, name string, do func() (T, error)) (T, error) {
	var none T
	if err := f.hit(name + ".before"); err != nil {
		return none, err
	}
	v, err := do()
	if err != nil {
		return v, err
	}
	if err := f.hit(name + ".after"); err != nil {
		return none, err
	}
	return v, nil
}

// none is the answer of calls that have none.
type none = struct{}

func told(f failpoints, name string, do func() error) error {
	_, err := around(f, name, func() (none, error) { return none{}, do() })
	return err
}

type failStore struct {
	core.Store
	points failpoints
}

func (s failStore) PlanDue(ctx context.Context, limit int, decide func(time.Time, core.DueTask) core.Plan) (core.PlanReport, error) {
	report, err := s.Store.PlanDue(ctx, limit, func(now time.Time, d core.DueTask) core.Plan {
		p := decide(now, d)
		_ = s.points.hit("plan.within") // between the look and the write
		return p
	})
	if err == nil && len(report.Planned) > 0 { // a look that finds nothing is no point to fail at
		err = s.points.hit("plan.after")
	}
	return report, err
}

func (s failStore) Judge(ctx context.Context, limit int, rule func(time.Time, core.Execution, []core.DependencyState) core.Verdict) (core.JudgeReport, error) {
	return around(s.points, "judge", func() (core.JudgeReport, error) { return s.Store.Judge(ctx, limit, rule) })
}

func (s failStore) CreateTask(ctx context.Context, t core.Task, key *core.Idempotency) (core.Task, error) {
	return around(s.points, "create", func() (core.Task, error) { return s.Store.CreateTask(ctx, t, key) })
}

// submitted is the answer of CreateExecution.
type submitted struct {
	execution core.Execution
	running   []string
}

func (s failStore) CreateExecution(ctx context.Context, e core.Execution, key *core.Idempotency) (core.Execution, []string, error) {
	a, err := around(s.points, "submit", func() (a submitted, err error) {
		a.execution, a.running, err = s.Store.CreateExecution(ctx, e, key)
		return a, err
	})
	return a.execution, a.running, err
}

func (s failStore) Cancel(ctx context.Context, c core.Cancellation) (core.CancelReport, error) {
	return around(s.points, "cancel", func() (core.CancelReport, error) { return s.Store.Cancel(ctx, c) })
}

func (s failStore) MarkQueued(ctx context.Context, marks []core.QueueMark) ([]string, error) {
	return around(s.points, "mark", func() ([]string, error) { return s.Store.MarkQueued(ctx, marks) })
}

func (s failStore) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	return around(s.points, "claim", func() ([]core.Execution, error) { return s.Store.Claim(ctx, ids, owner, ttl) })
}

func (s failStore) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	return around(s.points, "finish", func() ([]core.Finished, error) { return s.Store.Finish(ctx, done) })
}

func (s failStore) SettleOutbox(ctx context.Context, done []int64, later []core.Postponed) error {
	return told(s.points, "settle", func() error { return s.Store.SettleOutbox(ctx, done, later) })
}

type failQueue struct {
	core.Queue
	points failpoints
}

func (q failQueue) Publish(ctx context.Context, items []core.QueueItem) error {
	return told(q.points, "publish", func() error { return q.Queue.Publish(ctx, items) })
}

func (q failQueue) Receive(ctx context.Context, want int) (core.Delivery, error) {
	d, err := around(q.points, "receive", func() (core.Delivery, error) { return q.Queue.Receive(ctx, want) })
	if ack := d.Ack; ack != nil {
		d.Ack = func(ctx context.Context) error { return told(q.points, "ack", func() error { return ack(ctx) }) }
	}
	return d, err
}

type failPublisher struct {
	core.Publisher
	points failpoints
}

func (p failPublisher) Publish(ctx context.Context, messages []core.Message) error {
	return told(p.points, "event", func() error { return p.Publisher.Publish(ctx, messages) })
}

type failInvoker struct {
	core.Invoker
	points failpoints
}

func (i failInvoker) Invoke(ctx context.Context, in core.Invocation) (core.Outcome, error) {
	return around(i.points, "invoke", func() (core.Outcome, error) { return i.Invoker.Invoke(ctx, in) })
}
