package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// herald takes alerts from the outbox to people. One node at a time does it. An
// alert that is refused for good, or for a day, is given up and logged.
type herald struct {
	cfg  Config
	duty duty
}

const (
	alertBatch    = 16 // at most this many wait for one round
	alertsAtOnce  = 8
	alertTime     = 10 * time.Second // for one delivery
	alertBackoff  = 5 * time.Second  // after the first failure; then it doubles
	maxAlertWait  = 30 * time.Minute
	alertPatience = 24 * time.Hour // then it is old news
)

// step delivers one batch.
func (h *herald) step(ctx context.Context) (time.Duration, error) {
	mine, err := h.duty.take(ctx)
	if err != nil || !mine {
		return h.cfg.LeaseTTL, err
	}
	report, err := h.cfg.Store.Outbox(ctx, core.MessageAlert, alertBatch)
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

// deliver tries all messages, a few at once, and returns how each one failed.
func (h *herald) deliver(ctx context.Context, messages []core.Message) []error {
	failures := make([]error, len(messages))
	slots := make(chan struct{}, alertsAtOnce)
	var wg sync.WaitGroup
	for i, m := range messages {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, alertTime)
			defer cancel()
			failures[i] = h.cfg.Alerter.Alert(ctx, m)
		})
	}
	wg.Wait()
	return failures
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
	log := h.cfg.Logger.With("type", m.Type, "task_id", m.TaskID, "execution_id", m.ExecutionID, "error", reason)
	if told && f.Class == core.ClassPermanent || h.cfg.Clock.Now().Sub(m.Time) > alertPatience {
		log.Error("alert given up")
		return 0, false
	}
	wait = alertBackoff << min(m.Tries, 20)
	if told && f.RetryAfter > 0 {
		wait = f.RetryAfter
	}
	wait = min(wait, maxAlertWait)
	log.Warn("alert not delivered", "again_in", wait)
	return wait + rand.N(wait/10+1), true
}
