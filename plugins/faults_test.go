package plugins_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/fakeplatform"
)

// fault is something that goes wrong once with the request that has the effect,
// and what comes of it.
type fault struct {
	name string
	on   string // the only platform that has it; "" is any
	set  fakeplatform.Fault
	code core.Code // how the first attempt ends
	// final says that no other attempt follows, whatever the delivery.
	final bool
	// told says that the platform named the time of the next attempt.
	told bool
	// done says that the effect was there before it went wrong.
	done bool
}

const patience = 90 * time.Second // longer than a type waits by itself

func faults() []fault {
	limited := func(scope string) fakeplatform.Fault {
		return fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, Scope: scope, RetryAfterMS: patience.Milliseconds()}
	}
	status := func(n int) fakeplatform.Fault {
		return fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: n}
	}
	kind := func(k fakeplatform.FaultKind) fakeplatform.Fault { return fakeplatform.Fault{Kind: k} }
	const failed = core.CodeExecutionFailed
	return []fault{
		{name: "429", set: limited("user"), code: failed, told: true},
		{name: "429 shared", on: "discord", set: limited("shared"), code: failed, told: true},
		{name: "429 global", on: "discord", set: limited("global"), code: failed, told: true},
		{name: "500", set: status(500), code: failed},
		{name: "503", set: status(503), code: failed},
		{name: "409", on: "twitch", set: status(409), code: failed},
		{name: "reset before", set: kind(fakeplatform.FaultResetBefore), code: failed},
		{name: "reset after", set: kind(fakeplatform.FaultResetAfter), code: failed, done: true},
		{name: "hang before", set: kind(fakeplatform.FaultHang), code: core.CodeTimeout},
		{name: "hang after", set: kind(fakeplatform.FaultHangAfter), code: core.CodeTimeout, done: true},
		{name: "cut short", set: kind(fakeplatform.FaultWrongJSON), code: failed, done: true},
		{name: "not sent", on: "twitch", set: kind(fakeplatform.FaultNotSent), code: failed, final: true},
		{name: "400", set: status(400), code: failed, final: true},
		{name: "401", set: kind(fakeplatform.FaultUnauthorized), code: failed, final: true},
		{name: "403", set: status(403), code: failed, final: true},
	}
}

// meets tells whether an act can meet the fault.
func (f fault) meets(a act) bool {
	switch {
	case f.on != "" && f.on != a.platform():
		return false
	case f.set.Kind == fakeplatform.FaultNotSent:
		return a.route == "twitch.send_chat_message"
	case f.set.Kind == fakeplatform.FaultWrongJSON:
		return !a.bodiless
	case f.set.Status == 403: // messages that cannot be deleted together are deleted one by one
		return a.route != "discord.bulk_delete"
	}
	return true
}

// ends is what must have become of an execution: its status, its attempts and how
// often the effect is there.
func (f fault) ends(a act, delivery core.DeliveryPolicy) (status core.Status, attempts, effects int) {
	before := 0
	if f.done {
		before = 1
	}
	switch {
	case f.final, delivery == core.AtMostOnce && !f.told:
		return core.StatusFailed, 1, before
	case f.done && a.again:
		return core.StatusSucceeded, 2, 2
	}
	return core.StatusSucceeded, 2, 1
}

// Every type, on every platform it acts on, in both runtimes, meets every fault,
// under both deliveries: how often has the outside world changed in the end?
func TestFaults(t *testing.T) {
	for _, runtime := range runtimes {
		for _, a := range acts() {
			t.Run(runtime+"/"+a.taskType+" "+a.name, func(t *testing.T) {
				t.Parallel()
				l := &life{platforms: newPlatforms(t, runtime, a.taskType), act: a}
				for _, delivery := range []core.DeliveryPolicy{core.AtLeastOnce, core.AtMostOnce} {
					for _, f := range faults() {
						if f.meets(a) {
							t.Run(f.name+", "+string(delivery), func(t *testing.T) { l.meet(t, f, delivery) })
						}
					}
				}
				t.Run("401 storm", l.storm)
			})
		}
	}
}

// meet lets an execution meet a fault.
func (l *life) meet(t *testing.T, f fault, delivery core.DeliveryPolicy) {
	l.afresh()
	e, data := l.execution(delivery)
	f.set.Route, f.set.Times = l.act.route, 1
	require.NoError(t, l.Faults().Add(f.set))
	e = l.live(t, e, data)
	status, attempts, effects := f.ends(l.act, delivery)
	require.Equal(t, status, e.Status, "%+v", e.Attempts)
	require.Len(t, e.Attempts, attempts)
	require.Equal(t, f.code, *e.Attempts[0].ErrorCode)
	require.Len(t, l.Journal().Effects(l.act.route), effects)
}

// storm runs again and again with tokens that the platforms refuse.
func (l *life) storm(t *testing.T) {
	l.afresh()
	e, data := l.execution(core.AtLeastOnce)
	require.Equal(t, core.StatusSucceeded, l.live(t, e, data).Status)
	l.afresh()
	require.NoError(t, l.Faults().Add(fakeplatform.Fault{Route: "*", Kind: fakeplatform.FaultUnauthorized}))
	for range 8 {
		e, data := l.execution(core.AtLeastOnce)
		e = l.live(t, e, data)
		require.Equal(t, core.StatusFailed, e.Status)
		require.Len(t, e.Attempts, 1)
		require.Contains(t, *e.Error, "401")
	}
	require.Len(t, l.Journal().Requests(""), 5, "then the host asks no more for a while")
	require.Empty(t, l.Journal().Effects(""))
}
