package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
	"github.com/nexuscore/scheduler/internal/plugintest"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// everywhere goes to both platforms and to the notification service.
var everywhere = object{
	"channelId": "42", "twitchChannelId": "43", "message": "Time to start streaming!", "notifyVia": []string{"discord", "twitch", "email"},
}

// A fault of one route does not hold up the other, and the second attempt takes
// only the one that is left.
func TestFaults(t *testing.T) {
	for name, f := range map[string]struct {
		fakeplatform.Fault
		kind     wire.ErrorKind
		after    int64
		messages map[string]int // after both attempts
	}{
		"429 of Discord's user":     {fakeplatform.Fault{Route: "discord.*", Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 3000}, wire.Retryable, 3000, map[string]int{"discord": 1, "twitch": 1}},
		"429 of Discord's resource": {fakeplatform.Fault{Route: "discord.*", Kind: fakeplatform.FaultRateLimited, Scope: "shared", RetryAfterMS: 4000}, wire.Retryable, 4000, map[string]int{"discord": 1, "twitch": 1}},
		"429 of all of Discord":     {fakeplatform.Fault{Route: "discord.*", Kind: fakeplatform.FaultRateLimited, Scope: "global", RetryAfterMS: 5000}, wire.Retryable, 5000, map[string]int{"discord": 1, "twitch": 1}},
		"429 of Twitch":             {fakeplatform.Fault{Route: "twitch.*", Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 6000}, wire.Retryable, 6000, map[string]int{"discord": 1, "twitch": 1}},
		"503 of Discord":            {fakeplatform.Fault{Route: "discord.*", Kind: fakeplatform.FaultStatus, Status: 503}, wire.Retryable, 0, map[string]int{"discord": 1, "twitch": 1}},
		"503 of Twitch":             {fakeplatform.Fault{Route: "twitch.*", Kind: fakeplatform.FaultStatus, Status: 503}, wire.Retryable, 0, map[string]int{"discord": 1, "twitch": 1}},
		"reset before Discord has":  {fakeplatform.Fault{Route: "discord.*", Kind: fakeplatform.FaultResetBefore}, wire.Retryable, 0, map[string]int{"discord": 1, "twitch": 1}},
		"reset after Discord has":   {fakeplatform.Fault{Route: "discord.*", Kind: fakeplatform.FaultResetAfter}, wire.Retryable, 0, map[string]int{"discord": 1, "twitch": 1}},
		"reset before Twitch has":   {fakeplatform.Fault{Route: "twitch.*", Kind: fakeplatform.FaultResetBefore}, wire.Retryable, 0, map[string]int{"discord": 1, "twitch": 1}},
		"reset after Twitch has":    {fakeplatform.Fault{Route: "twitch.*", Kind: fakeplatform.FaultResetAfter}, wire.Retryable, 0, map[string]int{"discord": 1, "twitch": 2}},
		"401 of Discord":            {fakeplatform.Fault{Route: "discord.*", Kind: fakeplatform.FaultUnauthorized}, wire.Permanent, 0, map[string]int{"twitch": 1}},
		"401 of Twitch":             {fakeplatform.Fault{Route: "twitch.*", Kind: fakeplatform.FaultUnauthorized}, wire.Permanent, 0, map[string]int{"discord": 1}},
		"a message that is dropped": {fakeplatform.Fault{Route: "twitch.*", Kind: fakeplatform.FaultNotSent}, wire.Permanent, 0, map[string]int{"discord": 1}},
		"an answer that is cut off": {fakeplatform.Fault{Route: "discord.*", Kind: fakeplatform.FaultWrongJSON}, wire.Retryable, 0, map[string]int{"discord": 1, "twitch": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			f.Times = 1
			w.Break(f.Fault)
			first := w.Run(plugin(), sdktest.Case{Data: everywhere})
			require.Equal(t, f.after, first.RequireFailure(t, f.kind).RetryAfterMS)
			require.Empty(t, first.Notifications, "nobody hears of a failure")
			if f.kind == wire.Retryable {
				w.At = w.At.Add(10e9)
				second := w.Run(plugin(), plugintest.Again(sdktest.Case{Data: everywhere}, first))
				var got report
				second.Decode(t, &got)
				require.Len(t, got.Messages, 2)
				require.Equal(t, []string{"email"}, second.Notifications[0].Via)
			}
			require.Equal(t, f.messages, messages(w))
		})
	}
}

// messages counts what was sent, by platform.
func messages(w *plugintest.World) map[string]int {
	n := map[string]int{}
	for _, e := range w.Journal().Effects("") {
		n[e.Platform]++
	}
	return n
}

// Of two failures the one that can be tried again decides, and both are told.
func TestBothRoutesFail(t *testing.T) {
	unauthorized := fakeplatform.Fault{Kind: fakeplatform.FaultUnauthorized}
	busy := fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 3000}
	cut := fakeplatform.Fault{Kind: fakeplatform.FaultWrongJSON}
	for name, c := range map[string]struct {
		discord, twitch fakeplatform.Fault
		kind            wire.ErrorKind
		after           int64
		text            string
	}{
		"Discord can be asked again": {busy, unauthorized, wire.Retryable, 3000, "discord: You are being rate limited. (429); twitch: 401: Unauthorized (401)"},
		"Twitch can be asked again":  {unauthorized, busy, wire.Retryable, 3000, "twitch: Too Many Requests (429); discord: 401: Unauthorized (401)"},
		"an answer was cut off":      {cut, unauthorized, wire.Retryable, 0, "discord: read the answer: unexpected end of JSON input; twitch: 401: Unauthorized (401)"},
		"neither":                    {unauthorized, unauthorized, wire.Permanent, 0, "discord: 401: Unauthorized (401); twitch: 401: Unauthorized (401)"},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			c.discord.Route, c.twitch.Route = "discord.*", "twitch.*"
			w.Break(c.discord)
			w.Break(c.twitch)
			failure := w.Run(plugin(), sdktest.Case{Data: everywhere}).RequireFailure(t, c.kind)
			require.Equal(t, c.after, failure.RetryAfterMS)
			require.Equal(t, c.text, failure.Message)
		})
	}
}

// A route that was refused for good is left alone while attempts for the other go
// on, and decides in the end.
func TestARouteThatWasRefusedIsNotTriedAgain(t *testing.T) {
	for refused, other := range map[string]string{"discord": "twitch", "twitch": "discord"} {
		t.Run(refused, func(t *testing.T) {
			w := plugintest.New(t)
			w.Break(fakeplatform.Fault{Route: refused + ".*", Kind: fakeplatform.FaultUnauthorized})
			w.Break(fakeplatform.Fault{Route: other + ".*", Kind: fakeplatform.FaultStatus, Status: 503, Times: 2})
			c := sdktest.Case{Data: everywhere}
			for range 2 {
				last := w.Run(plugin(), c)
				last.RequireFailure(t, wire.Retryable)
				c = plugintest.Again(c, last)
			}
			last := w.Run(plugin(), c)
			require.Equal(t, refused+": 401: Unauthorized (401)", last.RequireFailure(t, wire.Permanent).Message)
			require.Empty(t, last.Notifications)
			require.Equal(t, map[string]int{other: 1}, messages(w))
			asked := map[string]int{}
			for _, e := range w.Journal().Requests("") {
				asked[e.Platform]++
			}
			require.Equal(t, map[string]int{refused: 1, other: 3}, asked)
		})
	}
}

// An attempt that dies at any operation is followed by one that ends the work:
// once on Discord, once on Twitch unless it died between the effect and its note,
// and one notification, with the success.
func TestDeaths(t *testing.T) {
	twice := 0
	plugintest.Deaths(t, plugin(), func(*plugintest.World) sdktest.Case {
		return sdktest.Case{Data: everywhere}
	}, func(t *testing.T, w *plugintest.World, second sdktest.Result) {
		second.RequireOK(t)
		n := messages(w)
		require.Equal(t, 1, n["discord"])
		require.Contains(t, []int{1, 2}, n["twitch"])
		twice += n["twitch"] - 1
		require.Len(t, second.Notifications, 1)
	})
	require.Equal(t, 1, twice)
}
