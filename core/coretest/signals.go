package coretest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestSignals proves that signals keep the contract of core.Signals. open
// returns signals without subscribers.
func TestSignals(t *testing.T, open func(t testing.TB) core.Signals) {
	for behaviour, prove := range map[string]func(f *signalsFixture){
		"every subscriber gets every signal, in order":         signalsFanOut,
		"a subscription begins with what comes after it":       signalsFromNow,
		"a subscriber that sleeps loses the oldest":            signalsSlow,
		"an ended subscription gets nothing and holds nobody":  signalsEnd,
		"without subscribers a signal is gone":                 signalsNobody,
		"subscriptions may come and go while signals are sent": signalsHammer,
	} {
		t.Run(behaviour, func(t *testing.T) { prove(&signalsFixture{TB: t, Signals: open(t)}) })
	}
}

type signalsFixture struct {
	testing.TB
	core.Signals
}

func finishedSignal(id string) core.Signal {
	return core.Signal{Kind: core.SignalFinished, ExecutionID: id}
}

// next waits for a signal.
func (f *signalsFixture) next(ch <-chan core.Signal) core.Signal {
	f.Helper()
	select {
	case s, ok := <-ch:
		require.True(f, ok, "the channel was closed")
		return s
	case <-time.After(patience):
		require.Fail(f, "no signal came")
		return core.Signal{}
	}
}

func signalsFanOut(f *signalsFixture) {
	a, endA := f.Subscribe()
	defer endA()
	b, endB := f.Subscribe()
	defer endB()
	want := []core.Signal{
		{Kind: core.SignalPlan}, {Kind: core.SignalDispatch},
		{Kind: core.SignalCancel, ExecutionID: core.NewID()}, finishedSignal(core.NewID()),
	}
	for _, s := range want {
		f.Send(f.Context(), s)
	}
	for _, s := range want {
		require.Equal(f, s, f.next(a))
		require.Equal(f, s, f.next(b))
	}
}

func signalsFromNow(f *signalsFixture) {
	f.Send(f.Context(), finishedSignal("before"))
	time.Sleep(briefly) // a signal on its way to another node arrives
	ch, end := f.Subscribe()
	defer end()
	f.Send(f.Context(), finishedSignal("after"))
	require.Equal(f, "after", f.next(ch).ExecutionID)
}

func signalsSlow(f *signalsFixture) {
	const sent = 20_000
	ch, end := f.Subscribe()
	defer end()
	awake, endAwake := f.Subscribe()
	defer endAwake()
	id := func(n int) string { return fmt.Sprintf("%06d", n) }
	for n := range sent {
		f.Send(f.Context(), finishedSignal(id(n)))
	}
	for f.next(awake).ExecutionID != id(sent-1) { // all have arrived
	}

	last, got := "", 0
	for last != id(sent-1) {
		s := f.next(ch)
		require.Greater(f, s.ExecutionID, last, "out of order")
		last = s.ExecutionID
		got++
	}
	require.Less(f, got, sent, "the buffer has no bound")
}

func signalsEnd(f *signalsFixture) {
	ch, end := f.Subscribe()
	other, endOther := f.Subscribe()
	defer endOther()
	end()
	end()
	f.Send(f.Context(), finishedSignal("late"))
	require.Equal(f, "late", f.next(other).ExecutionID)
	select {
	case s, ok := <-ch:
		require.False(f, ok, "received %v", s)
	case <-time.After(briefly):
	}
}

func signalsNobody(f *signalsFixture) {
	f.Send(f.Context(), finishedSignal("a"))
}

func signalsHammer(f *signalsFixture) {
	together(8, func(i int) {
		for n := range 50 {
			if i%2 == 0 {
				f.Send(f.Context(), finishedSignal(fmt.Sprint(n)))
				continue
			}
			ch, end := f.Subscribe()
			select {
			case <-ch:
			case <-time.After(time.Millisecond):
			}
			end()
		}
	})
}
