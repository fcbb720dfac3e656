package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Why a running attempt is told to end; found with context.Cause.
var (
	errTimeout   = errors.New("timeout")
	errCancelled = errors.New("cancelled on request")
	errLeaseGone = errors.New("lease lost")
	errShutdown  = errors.New("worker shuts down")
)

// worker takes items from the queue, claims their executions and runs them, as
// many at once as there are slots.
type worker struct {
	cfg     Config
	keeper  *keeper
	shaper  *shaper
	report  *reporter
	done    chan<- core.Completion
	left    func()        // a claim has left something out that waits again
	slots   chan struct{} // a token is a running execution
	running sync.WaitGroup
	attempt context.Context // base of all attempts; ended by stop
	stop    context.CancelCauseFunc
}

func newWorker(cfg Config, k *keeper, s *shaper, r *reporter, done chan<- core.Completion, left func()) *worker {
	w := &worker{cfg: cfg, keeper: k, shaper: s, report: r, done: done, left: left, slots: make(chan struct{}, cfg.Concurrency)}
	w.attempt, w.stop = context.WithCancelCause(context.Background())
	return w
}

// receive is one receiver: it takes as many items as there are free slots and
// starts what they name, until ctx ends. It takes no more, because what it held
// would be overtaken by nobody, however urgent.
func (w *worker) receive(ctx context.Context) {
	for {
		n := w.takeSlots(ctx, w.cfg.Concurrency)
		if n == 0 {
			return
		}
		delivery, err := w.cfg.Queue.Receive(ctx, n)
		if err == nil {
			err = w.startAll(ctx, delivery, n)
		} else {
			w.giveSlots(n)
		}
		if err != nil && ctx.Err() == nil {
			w.fault(err)
			pause(ctx, minBackoff)
		}
	}
}

// startAll claims and starts a bundle, as many at a time as there are slots. n
// slots are held when it begins and none when it ends. The bundle is
// acknowledged when the store has answered for all of it.
func (w *worker) startAll(ctx context.Context, d core.Delivery, n int) error {
	defer func() { w.giveSlots(n) }()
	for rest := d.Items; len(rest) > 0; {
		if n == 0 {
			if n = w.takeSlots(ctx, len(rest)); n == 0 {
				return ctx.Err() // not acknowledged: what is left comes again
			}
		}
		batch := rest[:min(n, len(rest))]
		rest = rest[len(batch):]
		n -= len(batch)
		if !w.start(ctx, batch) {
			w.giveSlots(len(batch))
			return ctx.Err()
		}
	}
	if d.Ack == nil {
		return nil
	}
	return d.Ack(ctx)
}

// start claims a batch and starts what it got; each item has a slot. It repeats
// the claim while the store does not answer, and reports false when ctx ended.
func (w *worker) start(ctx context.Context, batch []core.QueueItem) bool {
	ids := make([]string, len(batch))
	for i, item := range batch {
		ids[i] = item.ExecutionID
	}
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		asked := w.cfg.Clock.Now()
		// A claim that is on its way is not cut off: its outcome would be unknown
		// and the attempt lost.
		claimed, err := w.claim(ctx, ids)
		if err == nil {
			w.runAll(ctx, claimed, asked)
			if len(claimed) < len(batch) {
				w.giveSlots(len(batch) - len(claimed))
				w.left()
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		w.fault(fmt.Errorf("claim: %w", err))
		pause(ctx, backoff)
	}
}

// claim asks the store, for no longer than the leases would last.
func (w *worker) claim(ctx context.Context, ids []string) ([]core.Execution, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.LeaseTTL)
	defer cancel()
	return w.cfg.Store.Claim(ctx, ids, w.cfg.Owner, w.cfg.LeaseTTL)
}

// attempt is an execution that was claimed.
type attempt struct {
	core.Execution
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// runAll starts claimed executions, each in a slot of its own. Those that the
// queue has carried out of their hours, and those that a rate limit does not
// let start, are put off instead.
func (w *worker) runAll(receiving context.Context, claimed []core.Execution, asked time.Time) {
	receiving = context.WithoutCancel(receiving) // what is claimed is started or given back
	open := make([]attempt, 0, len(claimed))
	for _, e := range claimed {
		a := attempt{Execution: e}
		a.ctx, a.cancel = context.WithCancelCause(w.attempt)
		w.keeper.add(e, asked, a.cancel)
		ok, next, err := openAt(receiving, w.cfg.Store, e.Hours, e.AttemptStart)
		if err != nil {
			ok, next = false, e.AttemptStart // ask again
			w.fault(fmt.Errorf("hours: %w", err))
		}
		if ok {
			open = append(open, a)
		} else {
			w.putOff(a, next)
		}
	}
	refused := w.refused(receiving, open)
	for _, a := range open {
		if due, ok := refused[a.ID]; ok {
			w.putOff(a, due)
		} else {
			w.run(a)
		}
	}
}

// refused asks the limiter for all that have a rate limit, in one call, and
// returns those that may not start, with their due time. That is the old one:
// the shaper keeps them back, in their order.
func (w *worker) refused(ctx context.Context, open []attempt) map[string]time.Time {
	var requests []core.LimitRequest
	var owners []attempt
	for _, a := range open {
		for _, r := range w.cfg.Rates.Of(a.Type, a.Policy.RateLimit) {
			requests, owners = append(requests, r), append(owners, a)
		}
	}
	if len(requests) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.LeaseTTL/2)
	defer cancel()
	refused := map[string]time.Time{}
	decisions, err := w.cfg.Limiter.Take(ctx, requests)
	if err != nil {
		w.fault(fmt.Errorf("rate limits: %w", err))
		for _, a := range owners {
			refused[a.ID] = a.AttemptStart.Add(limiterPause)
		}
		return refused
	}
	now := w.cfg.Clock.Now()
	for i, d := range decisions {
		if !d.Allowed {
			refused[owners[i].ID] = owners[i].DueAt
			w.shaper.refused(now, requests[i], d.Wait)
		}
	}
	return refused
}

// limiterPause is how long executions wait for a limiter that does not answer.
const limiterPause = time.Second

// putOff gives a claim back before the attempt has begun, until due.
func (w *worker) putOff(a attempt, due time.Time) {
	a.cancel(nil)
	w.end(core.Completion{
		Lease:   core.Lease{ExecutionID: a.ID, Token: a.Token},
		Claimed: &a.Execution,
		Settle:  func(_ time.Time, e *core.Execution) { e.PutOff(due) },
	})
}

// end hands a completion over and gives up the slot, in this order: a store that
// is slower than the work then slows the work, instead of letting ends that
// nobody has written, and leases to be kept for them, pile up.
func (w *worker) end(done core.Completion) {
	w.done <- done
	<-w.slots
}

// run starts an attempt.
func (w *worker) run(a attempt) {
	e := a.Execution
	w.cfg.Observer.Observe(core.Event{
		Kind: core.EventStarted, At: e.AttemptStart, Execution: &e, Lateness: e.AttemptStart.Sub(e.DueAt),
	})
	w.running.Go(func() {
		defer a.cancel(nil)
		deadline := e.Policy.TimeoutMs.Duration()
		ctx, stop := context.WithTimeoutCause(a.ctx, deadline, errTimeout)
		defer stop()
		if !w.keeper.valid(core.Lease{ExecutionID: e.ID, Token: e.Token}, w.cfg.Clock.Now()) {
			a.cancel(errLeaseGone) // the claim and the limiter took so long that it may run elsewhere
		}
		out, err := w.invoke(ctx, e, deadline)
		w.end(completion(e, out, err, context.Cause(ctx)))
	})
}

// invoke runs the plugin. One that does not end within the grace period after
// it was told to is left behind, so that it cannot hold the slot for ever.
func (w *worker) invoke(ctx context.Context, e core.Execution, timeout time.Duration) (core.Outcome, error) {
	type answer struct {
		out core.Outcome
		err error
	}
	if ctx.Err() != nil {
		return core.Outcome{}, ctx.Err()
	}
	answers := make(chan answer, 1)
	go func() {
		out, err := w.safely(ctx, core.Invocation{
			ExecutionID: e.ID, TaskID: e.TaskID, TaskName: e.TaskName, Type: e.Type, Trigger: e.Trigger,
			Attempt: e.Attempt, MaxAttempts: e.MaxAttempts, Token: e.Token, NominalTime: e.NominalTime,
			Deadline: w.cfg.Clock.Now().Add(timeout), Data: e.Data,
			Report: w.report.of(core.Lease{ExecutionID: e.ID, Token: e.Token}),
		})
		answers <- answer{out, err}
	}()
	select {
	case a := <-answers:
		return a.out, a.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(w.cfg.CancelGrace)
	defer grace.Stop()
	select {
	case a := <-answers:
		return a.out, a.err
	case <-grace.C:
		w.fault(fmt.Errorf("execution %s: plugin %s ignored the order to end and was left behind", e.ID, e.Type))
		return core.Outcome{}, context.Cause(ctx)
	}
}

// safely turns a panic of the invoker into an error: a defect in one runtime
// must not end the node.
func (w *worker) safely(ctx context.Context, in core.Invocation) (out core.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("invoke %s: panic: %v", in.Type, r)
			w.fault(err)
		}
	}()
	return w.cfg.Invoker.Invoke(ctx, in)
}

// completion says what becomes of an execution whose attempt has ended with err,
// after it was told to end for cause (nil: it was not). Success counts whatever
// the cause: the effect is there.
func completion(e core.Execution, out core.Outcome, err, cause error) core.Completion {
	c := core.Completion{
		Lease:   core.Lease{ExecutionID: e.ID, Token: e.Token},
		Claimed: &e,
		Log:     core.AttemptLog{Attempt: e.Attempt, Lines: out.Logs, Dropped: out.LogsDropped},
	}
	spread := rand.Float64()
	waiting, notStarted := errors.AsType[*core.NotStartedError](err)
	switch {
	case notStarted:
		c.Settle = func(now time.Time, e *core.Execution) { e.NotStarted(now, waiting.Wait) }
	case err == nil:
		c.Settle = func(now time.Time, e *core.Execution) { e.Succeed(out, now) }
		c.Effects = out.Effects
	case errors.Is(cause, errShutdown):
		c.Settle = func(now time.Time, e *core.Execution) { e.HandBack(now) }
	case errors.Is(cause, errLeaseGone):
		// It is written when nobody has taken the execution back yet. Then this
		// counts as a loss as if somebody had: work that makes its node deaf must
		// come to an end.
		c.Settle = func(now time.Time, e *core.Execution) { e.LoseLease(now) }
	default:
		f := failure(e, err, cause)
		c.Settle = func(now time.Time, e *core.Execution) { e.Fail(f, out.Plugin, spread, now) }
	}
	return c
}

// failure names how an attempt failed. The worker's own reason for ending it
// wins over what the plugin makes of being ended.
func failure(e core.Execution, err, cause error) *core.Failure {
	switch {
	case errors.Is(cause, errTimeout):
		return &core.Failure{
			Code: core.CodeTimeout, Class: core.ClassTimeout,
			Message: fmt.Sprintf("did not end within %s", e.Policy.TimeoutMs.Duration()),
		}
	case errors.Is(cause, errCancelled):
		return &core.Failure{Code: core.CodeCancelled, Class: core.ClassCancelled, Message: errCancelled.Error()}
	}
	return core.FailureOf(err)
}

// takeSlots waits for a free slot and takes what else is free, up to want. It
// returns 0 when ctx ended.
func (w *worker) takeSlots(ctx context.Context, want int) int {
	if ctx.Err() != nil {
		return 0 // select would choose at random
	}
	select {
	case <-ctx.Done():
		return 0
	case w.slots <- struct{}{}:
	}
	for n := 1; n < min(want, w.cfg.Batch); n++ {
		select {
		case w.slots <- struct{}{}:
		default:
			return n
		}
	}
	return min(want, w.cfg.Batch)
}

func (w *worker) giveSlots(n int) {
	for range n {
		<-w.slots
	}
}

func (w *worker) fault(err error) {
	w.cfg.Observer.Observe(core.Event{Kind: core.EventFault, At: w.cfg.Clock.Now(), Part: "worker", Err: err})
	w.cfg.Logger.Warn("worker", "error", err)
}
