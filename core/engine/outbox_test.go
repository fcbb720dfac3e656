package engine_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/internal/memory"
)

// listener keeps what it is told, with the time, and refuses as told.
type listener struct {
	mu     sync.Mutex
	told   []core.Message
	at     []time.Time
	refuse func(m core.Message) error
}

func (l *listener) Deliver(_ context.Context, m core.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told, l.at = append(l.told, m), append(l.at, time.Now())
	if l.refuse != nil {
		return l.refuse(m)
	}
	return nil
}

func (l *listener) Publish(ctx context.Context, messages []core.Message) error {
	for _, m := range messages {
		if err := l.Deliver(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (l *listener) types() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var types []string
	for _, m := range l.told {
		types = append(types, m.Type)
	}
	return types
}

// telling connects a node's outbox.
func telling(events, alerts *listener) func(*engine.Config) {
	return func(c *engine.Config) { c.Publisher, c.Messenger = events, alerts }
}

func failsAlways(context.Context, core.Invocation) (core.Outcome, error) {
	return core.Outcome{}, &core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable, Message: "no"}
}

func TestAFinalFailureIsToldOnceAndAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, alerts listener
		e := w.node(failsAlways, telling(&events, &alerts))
		begin := time.Now()
		w.execute(w.task(policy(func(p *core.Policy) {
			p.RetryPolicy = core.RetryPolicy{Attempts: 3, Delay: core.MillisOf(time.Minute), Backoff: core.BackoffFixed, MaxDelay: core.MillisOf(time.Hour)}
		})))
		time.Sleep(time.Hour)
		stop(e, time.Second)
		require.Equal(t, []string{"execution.failed"}, alerts.types())
		require.Equal(t, []string{"execution.failed"}, events.types())
		require.Less(t, alerts.at[0].Sub(begin), 2*time.Minute+time.Second)
		require.Contains(t, string(alerts.told[0].Data), "failed after 3 of 3 attempts: no")
	})
}

func TestALateExecutionIsToldWhenItIsLate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, alerts listener
		e := w.node(taking(time.Hour), telling(&events, &alerts), func(c *engine.Config) { c.Concurrency = 1 })
		patient := policy(func(p *core.Policy) {
			p.TimeoutMs, p.Alerts.LateAfterMs = core.MillisOf(2*time.Hour), core.MillisOf(30*time.Second)
		})
		w.execute(w.task(patient))
		time.Sleep(time.Second)
		begin := time.Now()
		w.task(at(begin.Add(time.Minute)), patient)
		time.Sleep(30 * time.Minute)
		require.Equal(t, []string{"execution.late"}, alerts.types())
		require.Equal(t, 90*time.Second, alerts.at[0].Sub(begin))
		time.Sleep(24 * time.Hour)
		stop(e, time.Second)
		require.Equal(t, []string{"execution.late"}, alerts.types())
		require.Equal(t, []string{"execution.late", "execution.succeeded", "execution.succeeded"}, events.types())
	})
}

func TestWhatCameDueWhileNobodyWasThereIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.task(every(time.Minute), policy(func(p *core.Policy) {
			p.Alerts.LateAfterMs, p.Misfire.WindowMs = core.MillisOf(time.Second), core.MillisOf(150*time.Second)
		}))
		time.Sleep(5*time.Minute + 10*time.Second)
		var events, alerts listener
		e := w.node(instantly, telling(&events, &alerts))
		time.Sleep(time.Second)
		stop(e, time.Second)
		require.ElementsMatch(t, []string{"execution.missed", "execution.late"}, alerts.types())
		require.Contains(t, string(alerts.told[0].Data)+string(alerts.told[1].Data), "missed 2 occurrences", "and two were replaced")
	})
}

func TestAlertsAreTriedAgainUntilTheyAreTaken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, alerts listener
		refusals := []error{errors.New("down"), &core.Failure{Class: core.ClassRetryable, RetryAfter: time.Minute}, nil}
		alerts.refuse = func(core.Message) error {
			err := refusals[0]
			refusals = refusals[1:]
			return err
		}
		e := w.node(failsAlways, telling(&events, &alerts))
		w.execute(w.task(policy(once)))
		time.Sleep(24 * time.Hour)
		stop(e, time.Second)
		require.Empty(t, refusals)
		require.Equal(t, alerts.told[0].ID, alerts.told[2].ID)
		require.InDelta(t, 5*time.Second, alerts.at[1].Sub(alerts.at[0]), float64(time.Second))
		require.InDelta(t, time.Minute, alerts.at[2].Sub(alerts.at[1]), float64(7*time.Second))
	})
}

func TestAlertsEndWithARefusalForGoodOrAfterADay(t *testing.T) {
	for name, refusal := range map[string]error{
		"permanent": &core.Failure{Class: core.ClassPermanent},
		"endless":   errors.New("down"),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				var events, alerts listener
				alerts.refuse = func(core.Message) error { return refusal }
				e := w.node(failsAlways, telling(&events, &alerts))
				w.execute(w.task(policy(once)))
				time.Sleep(26 * time.Hour)
				tried := len(alerts.types())
				time.Sleep(26 * time.Hour)
				stop(e, time.Second)
				require.Len(t, alerts.types(), tried)
				require.Equal(t, name == "permanent", tried == 1)
				report, err := w.store.Outbox(context.Background(), core.MessageAlert, 1)
				require.NoError(t, err)
				require.Empty(t, report.Messages)
				require.Negative(t, report.Wait)
			})
		})
	}
}

func TestEventsWaitForThePublisherAndKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, alerts listener
		down := true
		events.refuse = func(core.Message) error {
			if down {
				return errors.New("down")
			}
			return nil
		}
		a := w.node(instantly, telling(&events, &alerts), func(c *engine.Config) { c.Owner = "a" })
		b := w.node(instantly, telling(&events, &alerts), func(c *engine.Config) { c.Owner = "b" })
		w.task(every(time.Second))
		time.Sleep(10*time.Minute + 500*time.Millisecond)
		events.mu.Lock()
		down, events.told = false, nil
		events.mu.Unlock()
		stop(a, time.Second) // the other one takes over
		time.Sleep(time.Minute)
		stop(b, time.Second)
		require.GreaterOrEqual(t, len(events.told), 600)
		for i := 1; i < len(events.told); i++ {
			require.Greater(t, events.told[i].Seq, events.told[i-1].Seq)
		}
	})
}

// A task that runs after another one ends, however it ends, is not left to the
// next look round.
func TestADependentStartsAtOnceWhenTheJudgeEndsItsDependency(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(failingFor(broken("first"))))
		first := w.task(named("first"), policy(once))
		second := w.task(named("second"), every(time.Hour), after(first))
		w.task(named("third"), after(second), policy(func(p *core.Policy) { p.DependencyPolicy.Condition = core.OnCompletion }))
		time.Sleep(time.Hour + time.Minute) // the second one is due and waits
		begin := time.Now()
		w.execute(first)
		time.Sleep(time.Second)
		stop(e, time.Second)
		calls := j.all()
		require.Len(t, calls, 2)
		require.Equal(t, "third", calls[1].in.TaskName)
		require.Less(t, calls[1].at.Sub(begin), time.Second)
	})
}

// TestALateExecutionIsToldOnceAlsoWhenItIsHandedBack: it is late, runs, and is
// handed back by a node that stops; then it waits for long again.
func TestALateExecutionIsToldOnceAlsoWhenItIsHandedBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, alerts listener
		e := w.node(taking(time.Hour), telling(&events, &alerts), func(c *engine.Config) { c.Concurrency = 1 })
		patient := timeout(2 * time.Hour)
		w.execute(w.task(patient))
		time.Sleep(time.Second)
		x := w.execute(w.task(patient, policy(func(p *core.Policy) { p.Alerts.LateAfterMs = core.MillisOf(30 * time.Second) })))
		time.Sleep(time.Hour + time.Minute)
		require.Equal(t, core.StatusRunning, w.execution(x.ID).Status)
		require.Equal(t, []string{"execution.late"}, alerts.types())
		stop(e, 0)
		require.Equal(t, core.StatusPending, w.execution(x.ID).Status)
		time.Sleep(10 * time.Minute)
		e = w.node(instantly, telling(&events, &alerts))
		time.Sleep(10 * time.Minute)
		stop(e, time.Second)
		require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status)
		require.Equal(t, []string{"execution.late"}, alerts.types())
	})
}

// TestAnOutageIsNoStormOfAlerts: after some hours each task catches up once, and
// nothing that its policy makes of the others is an accident.
func TestAnOutageIsNoStormOfAlerts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		const tasks = 500
		for range tasks {
			w.task(every(time.Hour), policy(func(p *core.Policy) { p.Misfire.WindowMs = core.MillisOf(8 * 24 * time.Hour) }))
		}
		time.Sleep(3*time.Hour + time.Minute)
		var events, alerts listener
		e := w.node(instantly, telling(&events, &alerts))
		time.Sleep(time.Minute)
		stop(e, 0)
		require.Empty(t, alerts.types())
		require.Len(t, events.types(), 3*tasks, "two missed and one succeeded of each")
	})
}

// TestARefusedAlertIsLoggedInItsOwnWords: the code that the failure has would
// tell of an execution that failed.
func TestARefusedAlertIsLoggedInItsOwnWords(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, alerts listener
		alerts.refuse = func(core.Message) error {
			return &core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassPermanent, Message: "the service answered 400"}
		}
		var log bytes.Buffer
		e := w.node(failsAlways, telling(&events, &alerts), func(c *engine.Config) {
			c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Mutex: &sync.Mutex{}, Level: hclog.Error})
		})
		w.execute(w.task(policy(once)))
		time.Sleep(time.Minute)
		stop(e, time.Second)
		require.Contains(t, log.String(), `alert given up`)
		require.Contains(t, log.String(), `error="the service answered 400"`)
		require.NotContains(t, log.String(), "EXECUTION_FAILED")
	})
}

// A node that nobody listens to must not drop events that another one would
// take to somebody.
func TestANodeWithoutListenersLeavesTheEventsToOneThatHasThem(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, alerts listener
		locker := memory.NewLocker(core.SystemClock{})
		deaf := w.node(instantly, func(c *engine.Config) { c.Owner, c.Locker = "deaf", locker })
		time.Sleep(time.Second)
		hearing := w.node(instantly, telling(&events, &alerts), func(c *engine.Config) { c.Owner, c.Locker = "hearing", locker })
		time.Sleep(time.Second)
		for range 5 {
			w.execute(w.task())
		}
		time.Sleep(time.Minute)
		stop(deaf, time.Second)
		stop(hearing, time.Second)
		require.Len(t, events.types(), 5)
	})
}
