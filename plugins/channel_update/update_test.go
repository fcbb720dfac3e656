package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
	"github.com/nexuscore/scheduler/internal/plugintest"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

type object = map[string]any

func TestADiscordChannelIsUpdated(t *testing.T) {
	w := plugintest.New(t)
	result := w.Run(plugin(), sdktest.Case{Data: object{
		"platform": "discord", "channelId": "42", "name": "live-{{.Data.game}}", "topic": "", "slowMode": 0, "nsfw": false,
		"values": object{"game": "chess"}, "reason": "the stream begins: 50 % \n{{secret:discord_token}}",
	}})
	var out output
	result.Decode(t, &out)
	require.Equal(t, output{"discord", "42", []string{"name", "topic", "slowMode", "nsfw"}}, out)
	require.Equal(t, object{"name": "live-chess", "topic": "", "rate_limit_per_user": 0.0, "nsfw": false}, w.Detail("discord.modify_channel", 0))
	require.Equal(t, "the%20stream%20begins:%2050%20%25%20%0A%7B%7Bsecret:discord_token%7D%7D", result.Requests[0].Headers["X-Audit-Log-Reason"],
		"nothing of the reason is read as a placeholder")
}

func TestOnlyWhatIsSaidIsUpdated(t *testing.T) {
	w := plugintest.New(t)
	w.Run(plugin(), sdktest.Case{Data: object{"platform": "discord", "channelId": "42", "slowMode": 30}}).RequireOK(t)
	require.Equal(t, object{"rate_limit_per_user": 30.0}, w.Detail("discord.modify_channel", 0))
	w.Run(plugin(), sdktest.Case{Data: object{"platform": "twitch", "channelId": "42", "tags": []string{}}}).RequireOK(t)
	require.Equal(t, object{"tags": []any{}}, w.Detail("twitch.modify_channel", 0))
	w.Run(plugin(), sdktest.Case{Data: object{"platform": "twitch", "channelId": "42", "chat": object{"slowMode": false}}}).RequireOK(t)
	require.Equal(t, object{"slow_mode": false}, w.Detail("twitch.update_chat_settings", 0))
}

// everything is all that can be set on Twitch.
var everything = object{
	"platform": "twitch", "channelId": "42", "title": "{{.TaskName}} at {{format .NominalTime \"15:04\"}}", "category": "minecraft",
	"tags": []string{"cozy", "Español"}, "language": "de", "delay": 5, "chat": object{
		"emoteMode": false, "followerMode": true, "followerMinutes": 10, "slowMode": true, "slowSeconds": 30, "subscriberMode": false, "uniqueChatMode": true,
	},
}

func TestATwitchChannelIsUpdated(t *testing.T) {
	w := plugintest.New(t)
	var out output
	w.Run(plugin(), sdktest.Case{Data: everything}).Decode(t, &out)
	require.Equal(t, []string{"title", "category", "tags", "language", "delay", "chat"}, out.Updated)
	require.Equal(t, object{
		"title": "Task at 03:04", "game_id": "27471", "tags": []any{"cozy", "Español"}, "broadcaster_language": "de", "delay": 5.0,
	}, w.Detail("twitch.modify_channel", 0))
	require.Equal(t, object{
		"emote_mode": false, "follower_mode": true, "follower_mode_duration": 10.0, "slow_mode": true, "slow_mode_wait_time": 30.0,
		"subscriber_mode": false, "unique_chat_mode": true,
	}, w.Detail("twitch.update_chat_settings", 0))
}

func TestACategoryThatIsNone(t *testing.T) {
	w := plugintest.New(t)
	data := object{"platform": "twitch", "channelId": "42", "category": "Minceraft", "title": "x"}
	failure := w.Run(plugin(), sdktest.Case{Data: data}).RequireFailure(t, wire.Permanent)
	require.Equal(t, `twitch: there is no category "Minceraft"; write its name as Twitch does`, failure.Message)
	require.Empty(t, w.Effects(""))
}

func TestWhatNoTaskCanSay(t *testing.T) {
	discord := func(more object) object {
		data := object{"platform": "discord", "channelId": "42"}
		for name, value := range more {
			data[name] = value
		}
		return data
	}
	twitch := func(more object) object {
		data := discord(more)
		data["platform"] = "twitch"
		return data
	}
	for name, c := range map[string]struct {
		data object
		want string
	}{
		"nothing on Discord":         {discord(nil), "'name'"},
		"nothing on Twitch":          {twitch(nil), "'title'"},
		"no channel":                 {object{"platform": "discord", "topic": "x"}, "channelId"},
		"a channel that is no id":    {discord(object{"channelId": "../x", "topic": "x"}), "/channelId"},
		"a title on Discord":         {discord(object{"title": "x"}), "/title"},
		"a topic on Twitch":          {twitch(object{"topic": "x"}), "/topic"},
		"a reason on Twitch":         {twitch(object{"title": "x", "reason": "x"}), "/reason"},
		"an empty title":             {twitch(object{"title": ""}), "/title"},
		"an empty name":              {discord(object{"name": ""}), "/name"},
		"a slow mode too slow":       {discord(object{"slowMode": 21601}), "/slowMode"},
		"a delay too long":           {twitch(object{"delay": 901}), "/delay"},
		"eleven tags":                {twitch(object{"tags": strings.Split("a b c d e f g h i j k", " ")}), "/tags"},
		"a tag of two words":         {twitch(object{"tags": []string{"a b"}}), "/tags/0"},
		"a game by name and id":      {twitch(object{"gameId": "1", "category": "x"}), "/gameId"},
		"no chat mode":               {twitch(object{"chat": object{}}), "/chat"},
		"a wait without slow mode":   {twitch(object{"chat": object{"slowSeconds": 30}}), "/chat/slowSeconds"},
		"a wait and no slow mode":    {twitch(object{"chat": object{"slowMode": false, "slowSeconds": 30}}), "/chat/slowSeconds"},
		"a wait too short":           {twitch(object{"chat": object{"slowMode": true, "slowSeconds": 2}}), "/chat/slowSeconds"},
		"minutes without followers":  {twitch(object{"chat": object{"followerMinutes": 1}}), "/chat/followerMinutes"},
		"an unknown mode":            {twitch(object{"chat": object{"quietMode": true}}), "quietMode"},
		"a language that is no code": {twitch(object{"language": "German"}), "/language"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, plugintest.Refused(t, plugin(), c.data), c.want)
		})
	}
}

func TestWhatOnlyTheFilledInTextShows(t *testing.T) {
	w := plugintest.New(t)
	for text, want := range map[string]string{
		"{{range 141}}x{{end}}":   "title: has 141 characters, 1 to 140 are allowed",
		"{{if false}}x{{end}}":    "title: has 0 characters, 1 to 140 are allowed",
		"{{.Data.game}}":          `title: template, line 1:7: at <.Data.game>: map has no entry for key "game"`,
		"{{secret:twitch_token}}": `title: template, line 1: function "secret" not defined`,
	} {
		data := object{"platform": "twitch", "channelId": "42", "title": text}
		require.Equal(t, want, w.Run(plugin(), sdktest.Case{Data: data}).RequireFailure(t, wire.Permanent).Message)
	}
	require.Empty(t, w.Journal().Requests(""))
}

// Without its secret, or the moderator's id, the type runs and says what is
// missing, before it changes anything.
func TestWhatTheOperatorHasNotSet(t *testing.T) {
	w := plugintest.New(t)
	failure := w.Run(plugin(), sdktest.Case{Data: everything, Secrets: []string{"twitch_token"}}).RequireFailure(t, wire.Denied)
	require.Contains(t, failure.Message, `secret "twitch_client_id"`)
	failure = w.Run(plugin(), sdktest.Case{Data: everything, Config: object{"twitch": object{"api": w.URL + "/twitch/helix"}}}).RequireFailure(t, wire.Permanent)
	require.Contains(t, failure.Message, "names no userId")
	require.Empty(t, w.Journal().Requests(""))
}

func TestFaults(t *testing.T) {
	topic := object{"platform": "discord", "channelId": "42", "topic": "x"}
	for name, f := range map[string]struct {
		fakeplatform.Fault
		kind  wire.ErrorKind
		after int64
	}{
		"429 of the user":     {fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 600_000}, wire.Retryable, 600_000},
		"429 of the resource": {fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, Scope: "shared", RetryAfterMS: 2000}, wire.Retryable, 2000},
		"429 of all":          {fakeplatform.Fault{Kind: fakeplatform.FaultRateLimited, Scope: "global", RetryAfterMS: 3000}, wire.Retryable, 3000},
		"503":                 {fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: 503}, wire.Retryable, 0},
		"409":                 {fakeplatform.Fault{Kind: fakeplatform.FaultStatus, Status: 409}, wire.Permanent, 0},
		"401":                 {fakeplatform.Fault{Kind: fakeplatform.FaultUnauthorized}, wire.Permanent, 0},
		"reset before":        {fakeplatform.Fault{Kind: fakeplatform.FaultResetBefore}, wire.Retryable, 0},
		"reset after":         {fakeplatform.Fault{Kind: fakeplatform.FaultResetAfter}, wire.Retryable, 0},
	} {
		for _, route := range []string{"discord.modify_channel", "twitch.get_games", "twitch.modify_channel", "twitch.update_chat_settings"} {
			t.Run(name+"/"+route, func(t *testing.T) {
				w := plugintest.New(t)
				data := everything
				if strings.HasPrefix(route, "discord.") {
					data = topic
				} else if name == "409" {
					f.kind = wire.Retryable // Twitch: somebody else was changing it
				}
				f.Route, f.Times = route, 1
				w.Break(f.Fault)
				first := w.Run(plugin(), sdktest.Case{Data: data})
				require.Equal(t, f.after, first.RequireFailure(t, f.kind).RetryAfterMS)
				if f.kind == wire.Permanent {
					return
				}
				w.Run(plugin(), plugintest.Again(sdktest.Case{Data: data}, first)).RequireOK(t)
				want := 1
				if f.Kind == fakeplatform.FaultResetAfter && route != "twitch.get_games" {
					want = 2 // the same once more
				}
				if route == "twitch.get_games" {
					route = "twitch.modify_channel"
				}
				require.Len(t, w.Effects(route), want)
				if route == "twitch.update_chat_settings" {
					require.Len(t, w.Effects("twitch.modify_channel"), 1, "what is done is not done again")
				}
			})
		}
	}
}

// An attempt that dies at any operation is followed by one that ends the work;
// each change is made at most twice, and the world is as the data say.
func TestDeaths(t *testing.T) {
	again := map[string]int{}
	plugintest.Deaths(t, plugin(), func(*plugintest.World) sdktest.Case {
		return sdktest.Case{Data: everything}
	}, func(t *testing.T, w *plugintest.World, second sdktest.Result) {
		second.RequireOK(t)
		for _, route := range []string{"twitch.modify_channel", "twitch.update_chat_settings"} {
			n := len(w.Effects(route))
			require.Positive(t, n)
			again[route] += n - 1
		}
	})
	require.Equal(t, map[string]int{"twitch.modify_channel": 1, "twitch.update_chat_settings": 2}, again)
}

func TestTheExamplesOfTheDocs(t *testing.T) {
	for _, example := range plugintest.Examples(t, "../../docs/task-types.md", "channel_update") {
		plugintest.New(t).Run(plugin(), sdktest.Case{Data: example}).RequireOK(t)
	}
}
