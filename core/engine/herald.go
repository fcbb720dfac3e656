package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// herald takes one kind of messages from the outbox to people: alerts, or
// notifications. One node at a time does it. A message that is refused for good,
// or for a day, is given up, logged and counted.
type herald struct {
	cfg  Config
	kind core.MessageKind
	duty duty
}

const (
	heraldBatch    = 64 // at most this many wait for one round
	heraldAtOnce   = 16
	deliveryTime   = 10 * time.Second // for one delivery
	heraldRound    = 15 * time.Second // then no other delivery begins, so that a round ends within stepTime
	heraldBackoff  = 5 * time.Second  // after the first failure; then it doubles
	maxHeraldWait  = 30 * time.Minute
	heraldPatience = 24 * time.Hour // then it is old news
)

// step delivers one batch.
func (h *herald) step(ctx context.Context) (time.Duration, error) {
	mine, err := h.duty.take(ctx)
	if err != nil || !mine {
		return h.cfg.LeaseTTL, err
	}
	report, err := h.cfg.Store.Outbox(ctx, h.kind, heraldBatch)
	if err != nil || len(report.Messages) == 0 {
		return report.Wait, err
	}
	failures := h.deliver(ctx, report.Messages)
	if ctx.Err() != nil {
		return 0, ctx.Err() // what was delivered comes again, under the same id
	}
	var done []int64
	var later []core.Postponed
	for i, m := range report.Messages {
		if errors.Is(failures[i], errUntried) {
			continue
		}
		if wait, again := h.after(m, failures[i]); again {
			later = append(later, core.Postponed{Seq: m.Seq, After: wait})
		} else {
			done = append(done, m.Seq)
		}
	}
	if err := h.cfg.Store.SettleOutbox(ctx, done, later); err != nil {
		return 0, err
	}
	return 0, nil // look again: those put off have a time now
}

// errUntried stands for a delivery that a slow round has left to the next one.
var errUntried = errors.New("not tried")

// deliver tries the messages and returns how each one failed. Those about one
// task go one after the other, in order; several tasks at once.
func (h *herald) deliver(ctx context.Context, messages []core.Message) []error {
	failures := make([]error, len(messages))
	round, cancel := context.WithTimeout(ctx, heraldRound)
	defer cancel()
	byTask := map[string][]int{}
	for i, m := range messages {
		byTask[m.TaskID] = append(byTask[m.TaskID], i)
	}
	slots := make(chan struct{}, heraldAtOnce)
	var wg sync.WaitGroup
	for _, ofTask := range byTask {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			h.deliverInOrder(ctx, round, messages, ofTask, failures)
		})
	}
	wg.Wait()
	return failures
}

// deliverInOrder tries some of the messages, one after the other, and begins
// none when the round is over. When one has to wait, those behind it wait with
// it.
func (h *herald) deliverInOrder(ctx, round context.Context, messages []core.Message, indexes []int, failures []error) {
	var waits error
	for _, i := range indexes {
		switch {
		case waits != nil:
			failures[i] = waits
		case round.Err() != nil:
			failures[i] = errUntried
		default:
			failures[i] = h.deliverOne(ctx, messages[i])
		}
		if failures[i] != nil && !refused(failures[i]) {
			waits = failures[i]
		}
	}
}

func (h *herald) deliverOne(ctx context.Context, m core.Message) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	return h.cfg.Messenger.Deliver(ctx, m)
}

// refused reports whether another try would fail as this one did.
func refused(err error) bool {
	f, told := errors.AsType[*core.Failure](err)
	return told && f.Class == core.ClassPermanent
}

// after decides about a message whose delivery ended with err: whether there is
// another one, and after how long.
func (h *herald) after(m core.Message, err error) (wait time.Duration, again bool) {
	if err == nil {
		return 0, false
	}
	f, told := errors.AsType[*core.Failure](err)
	reason := err.Error()
	if told {
		reason = f.Message // its code is that of an execution, and this is none
	}
	log := h.cfg.Logger.With("type", m.Type, "id", m.ID, "task_id", m.TaskID, "execution_id", m.ExecutionID, "error", reason)
	now := h.cfg.Clock.Now()
	if refused(err) || now.Sub(m.Time) > heraldPatience {
		log.Error(string(h.kind) + " given up")
		h.cfg.Observer.Observe(core.Event{Kind: core.EventGivenUp, At: now, Message: h.kind})
		return 0, false
	}
	wait = heraldBackoff << min(m.Tries, 20)
	if told && f.RetryAfter > 0 {
		wait = f.RetryAfter
	}
	wait = min(wait, maxHeraldWait)
	log.Warn(string(h.kind)+" not delivered", "again_in", wait)
	return wait + rand.N(wait/10+1), true
}
