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

// posting is data that read from both platforms and post to one.
func posting(platform string) object {
	return object{
		"name": "x", "sources": list{object{"kind": "helix_streams", "userIds": []string{"9"}}, object{"kind": "discord_guild", "guildIds": []string{"7"}}},
		"metrics": list{object{"as": "n", "op": "count"}}, "storeAs": "last", "publish": true,
		"post": object{"platform": platform, "channelId": "42", "content": "{{.Data.metrics.n}}"},
	}
}

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault   fakeplatform.Fault
		post    string
		kind    wire.ErrorKind // "": the run goes on by itself
		after   int64
		posted  int
		limited bool
	}{
		"a short 429":          {fakeplatform.Fault{Route: "twitch.get_streams", Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 3000}, "discord", "", 0, 1, true},
		"a long 429":           {fakeplatform.Fault{Route: "discord.get_guild", Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 90_000}, "discord", wire.Retryable, 90_000, 1, false},
		"503":                  {fakeplatform.Fault{Route: "discord.get_guild", Kind: fakeplatform.FaultStatus, Status: 503}, "discord", wire.Retryable, 0, 1, false},
		"409":                  {fakeplatform.Fault{Route: "twitch.get_streams", Kind: fakeplatform.FaultStatus, Status: 409}, "discord", wire.Retryable, 0, 1, false},
		"a reset":              {fakeplatform.Fault{Route: "twitch.get_streams", Kind: fakeplatform.FaultResetAfter}, "discord", wire.Retryable, 0, 1, false},
		"wrong JSON":           {fakeplatform.Fault{Route: "twitch.get_streams", Kind: fakeplatform.FaultWrongJSON}, "discord", wire.Retryable, 0, 1, false},
		"401":                  {fakeplatform.Fault{Route: "twitch.get_streams", Kind: fakeplatform.FaultUnauthorized}, "discord", wire.Permanent, 0, 0, false},
		"reset before a post":  {fakeplatform.Fault{Route: "discord.create_message", Kind: fakeplatform.FaultResetBefore}, "discord", wire.Retryable, 0, 1, false},
		"reset after a post":   {fakeplatform.Fault{Route: "discord.create_message", Kind: fakeplatform.FaultResetAfter}, "discord", wire.Retryable, 0, 1, false},
		"reset after a chat":   {fakeplatform.Fault{Route: "twitch.send_chat_message", Kind: fakeplatform.FaultResetAfter}, "twitch", wire.Retryable, 0, 2, false},
		"a chat that is held":  {fakeplatform.Fault{Route: "twitch.send_chat_message", Kind: fakeplatform.FaultNotSent}, "twitch", wire.Permanent, 0, 0, false},
		"a post that may wait": {fakeplatform.Fault{Route: "discord.create_message", Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 2000}, "discord", wire.Retryable, 2000, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			test.fault.Times = 1
			w.Break(test.fault)
			c := at(w, posting(test.post))
			result := w.Run(plugin(), c)
			if test.kind != "" {
				require.Equal(t, test.after, result.RequireFailure(t, test.kind).RetryAfterMS)
				require.Empty(t, result.State)
				require.Empty(t, result.Events)
			}
			if test.kind == wire.Retryable {
				w.At = w.At.Add(2 * time.Minute)
				result = w.Run(plugin(), plugintest.Again(c, result))
			}
			if test.kind != wire.Permanent {
				result.RequireOK(t)
				require.Len(t, result.Events, 1)
				require.Contains(t, result.State, "last")
			}
			require.Equal(t, test.limited, result.Slept > 0)
			require.Len(t, w.Effects(""), test.posted)
		})
	}
}

func TestDeaths(t *testing.T) {
	for platform, most := range map[string]int{"discord": 0, "twitch": 1} {
		t.Run(platform, func(t *testing.T) {
			twice := 0
			plugintest.Deaths(t, plugin(), func(w *plugintest.World) sdktest.Case { return at(w, posting(platform)) },
				func(t *testing.T, w *plugintest.World, r sdktest.Result) {
					r.RequireOK(t)
					require.Len(t, r.Events, 1)
					twice += len(w.Effects("")) - 1
				})
			require.Equal(t, most, twice, "only a death between the message and its note sends it again")
		})
	}
}

// Without secrets nothing is asked for, and the run says which one is missing.
func TestAMissingSecret(t *testing.T) {
	w := plugintest.New(t)
	c := at(w, posting("discord"))
	c.Secrets = []string{"twitch_token"}
	require.Contains(t, w.Run(plugin(), c).RequireFailure(t, wire.Denied).Message, "twitch_client_id")
	require.Empty(t, w.Journal().Requests(""))
}
