package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
	"github.com/nexuscore/scheduler/internal/plugintest"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// places are the ways to send a message, with the route of the fake each takes.
var places = map[string]struct {
	route string
	data  object
	// once says whether a repetition is known, whatever happens in between.
	once bool
}{
	"discord":      {"discord.create_message", object{"platform": "discord", "channelId": "42", "content": "hi", "messageKey": "k"}, true},
	"webhook":      {"discord.execute_webhook", object{"platform": "discord", "webhook": "discord_webhook", "content": "hi", "messageKey": "k"}, false},
	"chat":         {"twitch.send_chat_message", object{"platform": "twitch", "channelId": "42", "content": "hi", "messageKey": "k"}, false},
	"announcement": {"twitch.send_announcement", object{"platform": "twitch", "channelId": "42", "content": "hi", "announcement": object{}}, false},
}

// Each fault meets the first attempt; what it means is what the second one does,
// some seconds later, with the checkpoint of the first.
func TestFaults(t *testing.T) {
	type fault struct {
		fakeplatform.Fault
		permanent bool
		after     int64 // milliseconds that the platform asks for
		happened  int   // how often the message is there after both attempts, where a repetition is not known
	}
	for name, f := range map[string]fault{
		"429 of the user":       {fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 3000}, false, 3000, 1},
		"429 of the resource":   {fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, Scope: "shared", RetryAfterMS: 4000}, false, 4000, 1},
		"429 of all":            {fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, Scope: "global", RetryAfterMS: 5000}, false, 5000, 1},
		"503":                   {fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: 503}, false, 0, 1},
		"500":                   {fakeplatform.Fault{Kind: fakeplatform.FaultStatus}, false, 0, 1},
		"reset before":          {fakeplatform.Fault{Kind: fakeplatform.FaultResetBefore}, false, 0, 1},
		"reset after":           {fakeplatform.Fault{Kind: fakeplatform.FaultResetAfter}, false, 0, 2},
		"401":                   {fakeplatform.Fault{Kind: fakeplatform.FaultUnauthorized}, true, 0, 0},
		"403":                   {fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: 403}, true, 0, 0},
		"404":                   {fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: 404}, true, 0, 0},
		"an answer cut short":   {fakeplatform.Fault{Kind: fakeplatform.FaultWrongJSON}, false, 0, 2},
		"an answer that crawls": {fakeplatform.Fault{Kind: fakeplatform.FaultSlowBody, DelayMS: 1}, false, 0, 1},
	} {
		for place, p := range places {
			t.Run(name+"/"+place, func(t *testing.T) {
				w := plugintest.New(t)
				f.Route, f.Times = p.route, 1
				w.Break(f.Fault)
				first := w.Run(plugin(), sdktest.Case{Data: p.data})
				bodiless := place == "announcement" && (f.Kind == fakeplatform.FaultWrongJSON)
				if f.Kind == fakeplatform.FaultSlowBody || bodiless {
					first.RequireOK(t)
					return
				}
				if f.permanent {
					first.RequireFailure(t, wire.Permanent)
					require.Empty(t, w.Effects(""))
					return
				}
				require.Equal(t, f.after, first.RequireFailure(t, wire.Retryable).RetryAfterMS)
				w.At = w.At.Add(10e9)
				second := w.Run(plugin(), plugintest.Again(sdktest.Case{Data: p.data}, first))
				second.RequireOK(t)
				want := f.happened
				if p.once {
					want = 1
				}
				require.Len(t, w.Effects(p.route), want)
			})
		}
	}
}

func TestADroppedMessageIsNotTriedAgain(t *testing.T) {
	w := plugintest.New(t)
	w.Break(fakeplatform.Fault{Route: "twitch.send_chat_message", Kind: fakeplatform.FaultNotSent})
	failure := w.Run(plugin(), sdktest.Case{Data: places["chat"].data}).RequireFailure(t, wire.Permanent)
	require.Equal(t, "twitch: the message was not sent: The message was held by AutoMod (automod_held)", failure.Message)
}

// An attempt that dies at any operation is followed by one that ends the work.
// Discord knows the bot's message again; what was noted is not sent again
// anywhere; only a death between the effect and the note does it twice.
func TestDeaths(t *testing.T) {
	for name, p := range places {
		t.Run(name, func(t *testing.T) {
			twice := 0
			plugintest.Deaths(t, plugin(), func(*plugintest.World) sdktest.Case {
				return sdktest.Case{Data: p.data}
			}, func(t *testing.T, w *plugintest.World, second sdktest.Result) {
				if failure := second.Failure; name == "announcement" && failure != nil {
					require.Equal(t, wire.Retryable, failure.Kind) // two announcements in one moment
					twice++
					return
				}
				second.RequireOK(t)
				if place := places[name]; place.data["messageKey"] != nil {
					require.Contains(t, second.State, "message/k")
				}
				switch n := len(w.Effects("")); n {
				case 1:
				case 2:
					twice++
				default:
					t.Fatalf("%d messages were sent", n)
				}
			})
			want := 1
			if p.once {
				want = 0
			}
			require.Equal(t, want, twice)
		})
	}
}

// Edits and deletes can be repeated.
func TestDeathsOfChanges(t *testing.T) {
	for _, action := range []string{"edit", "delete"} {
		t.Run(action, func(t *testing.T) {
			plugintest.Deaths(t, plugin(), func(w *plugintest.World) sdktest.Case {
				if len(w.Journal().Requests("")) == 0 {
					w.Run(plugin(), sdktest.Case{Data: object{"platform": "discord", "channelId": "42", "content": "hi"}}).RequireOK(t)
				}
				data := object{"platform": "discord", "action": action, "messageKey": "k"}
				if action == "edit" {
					data["content"] = "second"
				}
				id := w.Detail("discord.create_message", 0)["id"].(string)
				return sdktest.Case{Data: data, State: map[string]any{"message/k": sent{Platform: "discord", ChannelID: "42", MessageID: id}}}
			}, func(t *testing.T, w *plugintest.World, second sdktest.Result) {
				second.RequireOK(t)
				if action == "delete" {
					require.Equal(t, []string{"message created", "message deleted"}, w.Effects(""))
					require.Empty(t, second.State)
				} else {
					require.Equal(t, "second", w.Detail("discord.edit_message", 0)["content"])
				}
			})
		})
	}
}
