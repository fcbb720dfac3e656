package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
	"github.com/nexuscore/scheduler/internal/plugintest"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// Each fault meets the second of three users; the second attempt goes on from the
// checkpoint of the first.
func TestFaults(t *testing.T) {
	type outcome struct {
		kind  wire.ErrorKind // "": the run goes on by itself
		after int64
		did   int // effects of both attempts
	}
	for name, test := range map[string]struct {
		fault fakeplatform.Fault
		want  outcome
	}{
		"a short 429":       {fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 3000}, outcome{"", 0, 3}},
		"a long 429":        {fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 90_000, Scope: "global"}, outcome{wire.Retryable, 90_000, 3}},
		"503":               {fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: 503}, outcome{wire.Retryable, 0, 3}},
		"reset before":      {fakeplatform.Fault{Kind: fakeplatform.FaultResetBefore}, outcome{wire.Retryable, 0, 3}},
		"reset after":       {fakeplatform.Fault{Kind: fakeplatform.FaultResetAfter}, outcome{wire.Retryable, 0, 4}},
		"401":               {fakeplatform.Fault{Kind: fakeplatform.FaultUnauthorized}, outcome{wire.Permanent, 0, 1}},
		"a slow answer":     {fakeplatform.Fault{Kind: fakeplatform.FaultSlowBody, DelayMS: 1}, outcome{"", 0, 3}},
		"a change besides":  {fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: 409}, outcome{wire.Retryable, 0, 3}},
		"an unknown status": {fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: 418}, outcome{wire.Permanent, 0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			test.fault.Route = "twitch.ban"
			test.fault.Times = 1
			c := at(w, on("twitch", "timeout", object{"userIds": []string{"1"}, "durationMs": 600_000}))
			w.Run(plugin(), c).RequireOK(t)
			w.Break(test.fault)
			c = at(w, on("twitch", "timeout", object{"userIds": []string{"2", "3"}, "durationMs": 600_000}))
			first := w.Run(plugin(), c)
			if test.want.kind == "" {
				first.RequireOK(t)
			} else {
				require.Equal(t, test.want.after, first.RequireFailure(t, test.want.kind).RetryAfterMS)
			}
			if test.want.kind == wire.Retryable {
				w.At = w.At.Add(2 * time.Minute)
				w.Run(plugin(), plugintest.Again(c, first)).RequireOK(t)
			}
			require.Len(t, w.Effects(""), test.want.did)
			for i := range w.Effects("") {
				require.Equal(t, time.Date(2026, 5, 1, 12, 10, 0, 0, time.UTC), w.Detail("twitch.ban", i)["until"])
			}
		})
	}
}

// A run that dies at any of its operations is completed by the next attempt, and
// only the one target at which it died may be asked for twice.
func TestDeaths(t *testing.T) {
	tests := map[string]struct {
		data  object
		want  []string // effects; the same when nothing dies
		twice bool     // one effect may be there twice: the platform cannot know
	}{
		"discord bans":     {on("discord", "ban", object{"userIds": numbers(3)}), []string{"users banned"}, false},
		"discord kicks":    {on("discord", "kick", object{"userIds": numbers(3)}), []string{"user kicked", "user kicked", "user kicked"}, false},
		"discord timeouts": {on("discord", "timeout", object{"userIds": numbers(2), "durationMs": 60_000}), []string{"user timed out", "user timed out"}, true},
		"twitch bans":      {on("twitch", "ban", object{"userIds": numbers(2)}), []string{"user banned", "user banned"}, false},
		"twitch warnings":  {on("twitch", "warn", object{"userIds": numbers(2), "reason": "x"}), []string{"user warned", "user warned"}, true},
		"twitch clear":     {on("twitch", "delete_messages", object{"all": true}), []string{"chat cleared"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			twice := 0
			plugintest.Deaths(t, plugin(), func(w *plugintest.World) sdktest.Case { return at(w, test.data) }, func(t *testing.T, w *plugintest.World, r sdktest.Result) {
				r.RequireOK(t)
				twice += len(w.Effects("")) - len(test.want)
				if !test.twice {
					require.Equal(t, test.want, w.Effects(""))
				}
			})
			if test.twice {
				require.Equal(t, len(test.want), twice, "only a death between an effect and its note repeats it")
			}
		})
	}
}

// The messages of a run that died are gone after the next attempt.
func TestDeathsWhileMessagesAreDeleted(t *testing.T) {
	var ids []string
	var world *plugintest.World
	plugintest.Deaths(t, plugin(), func(w *plugintest.World) sdktest.Case {
		if w != world {
			world, ids = w, nil
			for _, age := range []time.Duration{1, 2, 15 * 24, 16 * 24} {
				ids = append(ids, w.AddMessage("42", "9", "x", w.At.Add(-age*time.Hour), false))
			}
			w.AddMessage("42", "9", "stays", w.At, true)
		}
		return at(w, on("discord", "delete_messages", object{"messageIds": ids}))
	}, func(t *testing.T, w *plugintest.World, r sdktest.Result) {
		r.RequireOK(t)
		require.Equal(t, []string{"stays"}, w.Contents("42"))
		require.Len(t, w.Effects(""), 3)
	})
}

// An attempt that failed for want of a note would make sure that it is done again.
func TestAWarningThatCannotBeNotedIsGiven(t *testing.T) {
	w := plugintest.New(t)
	result := w.Run(plugintest.WithoutCheckpoints(plugin()), at(w, on("twitch", "warn", object{"userIds": numbers(2), "reason": "x"})))
	result.RequireOK(t)
	require.Equal(t, []string{"user warned", "user warned"}, w.Effects(""))
	require.Equal(t, "warn", result.Logs[0].Level)
	require.Contains(t, result.Logs[0].Message, "another attempt would")
}
