package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// step is something that happens to a breaker, and what it says afterwards.
type step struct {
	after   time.Duration // since the step before
	run     verdict       // a run begins and ends so
	refused time.Duration // instead, none begins for this long
	state   core.PluginState
}

func TestBreaker(t *testing.T) {
	const s, m = time.Second, time.Minute
	open := []step{{run: crash, state: core.PluginLoaded}, {run: crash, state: core.PluginLoaded}, {run: crash, state: core.PluginQuarantined}}
	after := func(steps ...step) []step { return append(append([]step(nil), open...), steps...) }
	tests := map[string][]step{
		"opens at the limit":             open,
		"an end of its own begins anew":  {open[0], open[1], {run: sound, state: core.PluginLoaded}, open[0], open[1], open[2]},
		"an end from outside is nothing": {open[0], open[1], {run: unknown, state: core.PluginLoaded}, open[2]},
		"starts nothing meanwhile":       after(step{after: 29 * s, refused: s, state: core.PluginQuarantined}),
		"a good trial closes it":         after(step{after: 30 * s, run: sound, state: core.PluginLoaded}, open[0], open[1], open[2]),
		"an unclear trial is repeated":   after(step{after: 30 * s, run: unknown, state: core.PluginTrial}, step{run: sound, state: core.PluginLoaded}),
		"a bad trial doubles": after(step{after: 30 * s, run: crash, state: core.PluginQuarantined},
			step{after: 59 * s, refused: s, state: core.PluginQuarantined}, step{after: s, run: crash, state: core.PluginQuarantined}, step{refused: 2 * m, state: core.PluginQuarantined}),
		"a good trial ends the doubling": after(step{after: 30 * s, run: crash, state: core.PluginQuarantined}, step{after: m, run: sound, state: core.PluginLoaded},
			open[0], open[1], open[2], step{refused: 30 * s, state: core.PluginQuarantined}),
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			b, now := &breaker{limit: 3}, time.Unix(1_000_000, 0)
			for i, want := range steps {
				now = now.Add(want.after)
				ticket, wait, ok := b.begin(now)
				require.Equal(t, want.refused == 0, ok, i)
				require.Equal(t, want.refused, wait, i)
				if ok {
					b.end(ticket, want.run, "why", now)
				}
				state, q := b.status(now)
				require.Equal(t, want.state, state, i)
				require.Equal(t, state == core.PluginLoaded, q == nil, i)
			}
		})
	}
}

func TestBreakerDoublesUpToTenMinutes(t *testing.T) {
	b, now := &breaker{limit: 1}, time.Unix(0, 0)
	for _, want := range []time.Duration{30, 60, 120, 240, 480, 600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 600} {
		ticket, _, ok := b.begin(now)
		require.True(t, ok)
		require.True(t, b.end(ticket, crash, "why", now))
		_, q := b.status(now)
		require.Equal(t, want*time.Second, q.Until.Sub(now))
		require.Equal(t, time.Unix(0, 0).UTC(), q.Since)
		now = q.Until
	}
}

func TestBreakerHasOneTrialAtATime(t *testing.T) {
	b, now := &breaker{limit: 1}, time.Unix(0, 0)
	first, _, _ := b.begin(now)
	late, _, _ := b.begin(now)
	b.end(first, crash, "why", now)
	now = now.Add(minCoolOff)
	require.True(t, b.admits(now))
	trial, _, ok := b.begin(now)
	require.True(t, ok)
	require.False(t, b.admits(now))
	_, wait, ok := b.begin(now)
	require.False(t, ok)
	require.Equal(t, trialPause, wait)

	require.False(t, b.end(late, sound, "", now), "it began before")
	require.False(t, b.end(late, crash, "why", now))
	require.False(t, b.admits(now), "the trial goes on")
	require.True(t, b.end(trial, sound, "", now))
	require.True(t, b.admits(now))
}

func TestBreakerIsReleased(t *testing.T) {
	b, now := &breaker{limit: 1}, time.Unix(0, 0)
	require.False(t, b.release())
	first, _, _ := b.begin(now)
	b.end(first, crash, "why", now)
	trial, _, _ := b.begin(now.Add(minCoolOff))
	require.True(t, b.release())
	require.True(t, b.admits(now))
	require.False(t, b.end(trial, crash, "why", now), "it began before the release")
	state, q := b.status(now)
	require.Equal(t, core.PluginLoaded, state)
	require.Nil(t, q)
}
