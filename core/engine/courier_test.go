package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/internal/memory"
)

// notifying asks for n notifications, and fails the first attempts.
func notifying(n, failures int) invoker {
	return func(_ context.Context, in core.Invocation) (core.Outcome, error) {
		var out core.Outcome
		for i := range n {
			out.Effects.Messages = append(out.Effects.Messages, core.NotificationOf(in, fmt.Sprint(i+1), json.RawMessage(`{}`)))
		}
		if in.Attempt <= failures {
			return out, &core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable, Message: "no"}
		}
		return out, nil
	}
}

func (l *listener) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, m := range l.told {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestOnlyASuccessNotifiesAndOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, people listener
		e := w.node(notifying(2, 2), telling(&events, &people))
		x := w.execute(w.task(policy(func(p *core.Policy) {
			p.RetryPolicy = core.RetryPolicy{Attempts: 3, Delay: core.MillisOf(time.Minute), Backoff: core.BackoffFixed, MaxDelay: core.MillisOf(time.Minute)}
		})))
		time.Sleep(90 * time.Second)
		require.Empty(t, people.ids(), "two attempts have failed")
		time.Sleep(time.Hour)
		stop(e, time.Second)
		require.Equal(t, []string{x.ID + ":1", x.ID + ":2"}, people.ids())
		require.Equal(t, core.MessageNotification, people.told[0].Kind)
	})
}

func TestTheNodeWithTheDutyDeliversAtOnceWhatAnotherOneWrote(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, people listener
		locker := memory.NewLocker(core.SystemClock{})
		with := func(owner string, people *listener) func(*engine.Config) {
			return func(c *engine.Config) {
				c.Owner, c.Locker, c.Publisher, c.Messenger, c.Idle = owner, locker, &events, people, time.Hour
			}
		}
		duty := w.node(notifying(1, 0), with("duty", &people))
		time.Sleep(time.Second)
		stopped := &listener{}
		other := w.node(notifying(1, 0), with("other", stopped))
		time.Sleep(time.Second)
		begin := time.Now()
		for range 20 { // both run some
			w.execute(w.task())
		}
		time.Sleep(time.Second)
		require.Len(t, people.ids(), 20)
		require.Empty(t, stopped.ids())
		for _, at := range people.at {
			require.Less(t, at.Sub(begin), time.Second)
		}
		stop(duty, time.Second)
		stop(other, time.Second)
	})
}

func TestNotificationsOfATaskKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		away := true
		people := &slowly{takes: func(m core.Message) time.Duration {
			return 500 * time.Millisecond / time.Duration(m.Seq) // later ones would be faster
		}}
		people.refuse = func(m core.Message) error {
			if away {
				return errors.New("down")
			}
			return nil
		}
		e := w.node(notifying(12, 0), func(c *engine.Config) { c.Messenger = people })
		x := w.execute(w.task())
		time.Sleep(time.Second)
		require.Equal(t, []string{x.ID + ":1"}, people.ids(), "those behind wait with the first one")
		people.mu.Lock()
		away, people.told = false, nil
		people.mu.Unlock()
		time.Sleep(time.Hour)
		require.Len(t, people.ids(), 12)

		y := w.execute(w.task())
		time.Sleep(time.Minute)
		stop(e, time.Second)
		for i, id := range people.ids()[12:] {
			require.Equal(t, fmt.Sprint(y.ID, ":", i+1), id)
		}
	})
}

// Who notifies nobody wakes nobody.
func TestOnlyANotificationIsSignalled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		signals, end := w.signals.Subscribe()
		defer end()
		count := func() (n int) {
			for {
				select {
				case s := <-signals:
					if s.Kind == core.SignalNotify {
						n++
					}
				default:
					return n
				}
			}
		}
		for n, run := range []invoker{instantly, notifying(1, 0), notifying(1, 100)} {
			e := w.node(run)
			w.execute(w.task(policy(once)))
			time.Sleep(time.Minute)
			stop(e, time.Second)
			require.Equal(t, n%2, count(), n)
		}
	})
}

// slowly takes its time for each message.
type slowly struct {
	listener
	takes func(core.Message) time.Duration
}

func (s *slowly) Deliver(ctx context.Context, m core.Message) error {
	time.Sleep(s.takes(m))
	return s.listener.Deliver(ctx, m)
}

func TestASlowServiceGetsEachNotificationOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		people := &slowly{takes: func(core.Message) time.Duration { return 8 * time.Second }}
		e := w.node(notifying(20, 0), func(c *engine.Config) { c.Messenger = people })
		x := w.execute(w.task())
		time.Sleep(time.Hour)
		stop(e, time.Second)
		require.Len(t, people.ids(), 20)
		for i, id := range people.ids() {
			require.Equal(t, fmt.Sprint(x.ID, ":", i+1), id)
		}
	})
}

// given counts what was given up.
type given map[core.MessageKind]int

func (g given) Observe(e core.Event) {
	if e.Kind == core.EventGivenUp {
		g[e.Message]++
	}
}

func TestANotificationThatIsRefusedIsGivenUpAndCounted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var events, people listener
		people.refuse = func(m core.Message) error {
			if m.ID[len(m.ID)-2:] == ":1" {
				return &core.Failure{Class: core.ClassPermanent, Message: "no such channel"}
			}
			return nil
		}
		g := given{}
		e := w.node(notifying(2, 0), telling(&events, &people), func(c *engine.Config) { c.Observer = g })
		x := w.execute(w.task())
		time.Sleep(time.Hour)
		stop(e, time.Second)
		require.Equal(t, []string{x.ID + ":1", x.ID + ":2"}, people.ids(), "a refusal holds nobody up")
		require.Equal(t, given{core.MessageNotification: 1}, g)
	})
}
