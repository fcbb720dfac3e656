package main

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
	"github.com/nexuscore/scheduler/internal/plugintest"
	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

type object = map[string]any

// on makes the data of an action on a platform.
func on(platform, action string, more object) object {
	data := object{"platform": platform, "action": action}
	switch {
	case platform == "twitch":
		data["broadcasterId"] = "42"
	case action != actionDelete:
		data["guildId"] = "7"
	default:
		data["channelId"] = "42"
	}
	maps.Copy(data, more)
	return data
}

// at is a case whose occurrence is meant for the world's time.
func at(w *plugintest.World, data object) sdktest.Case {
	return sdktest.Case{
		Data: data, Execution: sdk.Execution{NominalTime: w.At}, OnSleep: func(d time.Duration) { w.At = w.At.Add(d) },
	}
}

// numbers makes ids.
func numbers(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint(1000+i))
	}
	return ids
}

func TestActions(t *testing.T) {
	end := time.Date(2026, 5, 1, 12, 10, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		data   object
		route  string
		effect string
		detail object
	}{
		"discord ban":      {on("discord", "ban", object{"userId": "9", "reason": "späm", "deleteMessageSeconds": 60}), "discord.ban", "user banned", object{"guild": "7", "reason": "sp%C3%A4m"}},
		"discord timeout":  {on("discord", "timeout", object{"userId": "9", "durationMs": 600_000}), "discord.modify_member", "user timed out", object{"guild": "7", "until": end, "reason": ""}},
		"discord until":    {on("discord", "timeout", object{"userId": "9", "until": "2026-05-01T14:10:00+02:00"}), "discord.modify_member", "user timed out", object{"guild": "7", "until": end, "reason": ""}},
		"discord kick":     {on("discord", "kick", object{"userId": "9"}), "discord.kick", "user kicked", object{"guild": "7", "reason": ""}},
		"twitch ban":       {on("twitch", "ban", object{"userId": "9", "reason": "spam"}), "twitch.ban", "user banned", object{"channel": "42", "reason": "spam", "until": nil}},
		"twitch timeout":   {on("twitch", "timeout", object{"userId": "9", "durationMs": 600_000}), "twitch.ban", "user timed out", object{"channel": "42", "reason": "", "until": end}},
		"twitch warn":      {on("twitch", "warn", object{"userId": "9", "reason": "calm down"}), "twitch.warn", "user warned", object{"channel": "42", "reason": "calm down"}},
		"twitch all chat":  {on("twitch", "delete_messages", object{"all": true}), "twitch.delete_chat", "chat cleared", object{"count": 0}},
		"discord two bans": {on("discord", "ban", object{"userIds": []string{"9", "8"}}), "discord.bulk_ban", "users banned", object{"users": []string{"9", "8"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			var out output
			w.Run(plugin(), at(w, test.data)).Decode(t, &out)
			require.Equal(t, []string{test.effect}, w.Effects(""))
			require.Equal(t, test.detail, w.Detail(test.route, 0))
			require.Positive(t, out.Done)
			require.Empty(t, out.Note)
		})
	}
}

// A ban and a time-out are two things on Discord, and each is lifted by its own
// action; on Twitch unban lifts either.
func TestATimeOutIsLifted(t *testing.T) {
	w := plugintest.New(t)
	run := func(platform, action string, more object) {
		t.Helper()
		data := object{"userId": "9"}
		maps.Copy(data, more)
		w.Run(plugin(), at(w, on(platform, action, data))).RequireOK(t)
	}
	for range 2 { // the second time there is none
		run("discord", "untimeout", nil)
		run("discord", "timeout", object{"durationMs": 600_000})
		run("discord", "unban", nil)
		require.NotContains(t, w.Effects(""), "time-out ended")
		run("discord", "untimeout", object{"reason": "appeal"})
		run("discord", "untimeout", object{"reason": "appeal"})
		require.Equal(t, []string{"user timed out", "time-out ended"}, w.Effects(""))
		require.Equal(t, object{"guild": "7", "reason": "appeal"}, w.Detail("discord.modify_member", 1))
		w.Journal().Clear()
	}
	run("twitch", "timeout", object{"durationMs": 600_000})
	run("twitch", "unban", nil)
	require.Equal(t, []string{"user timed out", "user unbanned"}, w.Effects(""))
	require.Contains(t, plugintest.Refused(t, plugin(), on("twitch", "untimeout", object{"userId": "9"})), "/action")
	require.Contains(t, plugintest.Refused(t, plugin(), on("discord", "untimeout", object{"userId": "9", "durationMs": 1000})), "/durationMs")
}

// The world does not change when all of it is done again, and that is no error.
func TestRepeatingIsHarmless(t *testing.T) {
	for name, data := range map[string]object{
		"discord ban":     on("discord", "ban", object{"userId": "9"}),
		"discord bans":    on("discord", "ban", object{"userIds": numbers(3)}),
		"discord unban":   on("discord", "unban", object{"userId": "9"}),
		"discord kick":    on("discord", "kick", object{"userId": "9"}),
		"discord message": on("discord", "delete_messages", object{"messageIds": []string{"5"}}),
		"twitch ban":      on("twitch", "ban", object{"userId": "9"}),
		"twitch unban":    on("twitch", "unban", object{"userIds": numbers(3)}),
		"twitch message":  on("twitch", "delete_messages", object{"messageIds": []string{"a-b"}}),
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			w.Run(plugin(), at(w, data)).RequireOK(t)
			before := len(w.Effects(""))
			w.Run(plugin(), at(w, data)).RequireOK(t)
			require.Len(t, w.Effects(""), before)
		})
	}
	t.Run("a member who is gone", func(t *testing.T) {
		w := plugintest.New(t)
		w.Run(plugin(), at(w, on("discord", "ban", object{"userId": "9"}))).RequireOK(t)
		w.Run(plugin(), at(w, on("discord", "kick", object{"userId": "9"}))).RequireOK(t)
		w.Run(plugin(), at(w, on("discord", "timeout", object{"userId": "9", "durationMs": 60_000}))).RequireOK(t)
		require.Equal(t, []string{"user banned"}, w.Effects(""))
	})
}

// However late the run, the time-out ends when it was meant to.
func TestATimeOutEndsWhenItWasMeantTo(t *testing.T) {
	for _, platform := range []string{"discord", "twitch"} {
		t.Run(platform, func(t *testing.T) {
			w := plugintest.New(t)
			c := at(w, on(platform, "timeout", object{"userId": "9", "durationMs": 600_000}))
			end := w.At.Add(10 * time.Minute)
			route := map[string]string{"discord": "discord.modify_member", "twitch": "twitch.ban"}[platform]
			w.At = w.At.Add(4 * time.Minute)
			var out output
			w.Run(plugin(), c).Decode(t, &out)
			w.At = w.At.Add(4 * time.Minute)
			w.Run(plugin(), c).RequireOK(t)
			require.Equal(t, end, *out.Until)
			require.Equal(t, end, w.Detail(route, 0)["until"])
			require.Equal(t, end, w.Detail(route, 1)["until"])

			w.At = end
			w.Run(plugin(), c).Decode(t, &out)
			require.Equal(t, noteEnded, out.Note)
			require.Zero(t, out.Done)
			require.Len(t, w.Effects(""), 2)
		})
	}
}

func TestATimeOutThatIsTooLongIsRefused(t *testing.T) {
	for platform, days := range map[string]int{"discord": 28, "twitch": 14} {
		w := plugintest.New(t)
		until := w.At.Add(time.Duration(days) * 24 * time.Hour)
		w.Run(plugin(), at(w, on(platform, "timeout", object{"userId": "9", "until": until}))).RequireOK(t)
		failure := w.Run(plugin(), at(w, on(platform, "timeout", object{"userId": "9", "until": until.Add(time.Second)}))).RequireFailure(t, wire.Permanent)
		require.Contains(t, failure.Message, fmt.Sprintf("%d days that %s allows", days, platform))
		require.Len(t, w.Effects(""), 1)
	}
}

func TestWhatNoTaskCanSay(t *testing.T) {
	users := object{"userId": "9"}
	for name, test := range map[string]struct {
		data object
		want string
	}{
		"nothing":                     {object{}, "missing properties 'platform', 'action'"},
		"another platform":            {object{"platform": "irc", "action": "ban"}, "/platform"},
		"a warning on Discord":        {on("discord", "warn", object{"userId": "9", "reason": "x"}), "/action"},
		"a kick on Twitch":            {on("twitch", "kick", users), "/action"},
		"nobody":                      {on("discord", "ban", nil), "'userId'"},
		"one and several":             {on("discord", "ban", object{"userId": "9", "userIds": []string{"8"}}), "/userIds"},
		"no guild":                    {object{"platform": "discord", "action": "ban", "userId": "9"}, "guildId"},
		"no broadcaster":              {object{"platform": "twitch", "action": "ban", "userId": "9"}, "broadcasterId"},
		"a guild on Twitch":           {on("twitch", "ban", object{"userId": "9", "guildId": "7"}), "/guildId"},
		"a name for an id":            {on("twitch", "ban", object{"userId": "ada"}), "/userId"},
		"a time-out without end":      {on("twitch", "timeout", users), "'durationMs'"},
		"a time-out with two ends":    {on("twitch", "timeout", object{"userId": "9", "durationMs": 1000, "until": "2026-05-01T12:00:00Z"}), "/durationMs"},
		"a ban with an end":           {on("twitch", "ban", object{"userId": "9", "durationMs": 1000}), "/durationMs"},
		"15 days on Twitch":           {on("twitch", "timeout", object{"userId": "9", "durationMs": 15 * 86_400_000}), "/durationMs"},
		"29 days on Discord":          {on("discord", "timeout", object{"userId": "9", "durationMs": 29 * 86_400_000}), "/durationMs"},
		"a warning without reason":    {on("twitch", "warn", users), "reason"},
		"messages of a kick":          {on("discord", "kick", object{"userId": "9", "deleteMessageSeconds": 60}), "/deleteMessageSeconds"},
		"no messages":                 {on("discord", "delete_messages", nil), "'messageIds'"},
		"no channel":                  {object{"platform": "discord", "action": "delete_messages", "messageIds": []string{"1"}}, "channelId"},
		"all of a Discord channel":    {on("discord", "delete_messages", object{"all": true}), "/all"},
		"all and some":                {on("twitch", "delete_messages", object{"all": true, "messageIds": []string{"a"}}), "/messageIds"},
		"not all":                     {on("twitch", "delete_messages", object{"all": false}), "/all"},
		"1001 users":                  {on("discord", "ban", object{"userIds": numbers(1001)}), "/userIds"},
		"the same user twice":         {on("discord", "ban", object{"userIds": []string{"9", "9"}}), "/userIds"},
		"an address for a message id": {on("discord", "delete_messages", object{"messageIds": []string{"../x"}}), "/messageIds/0"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, plugintest.Refused(t, plugin(), test.data), test.want)
		})
	}
}

func TestMessagesAreDeletedTogetherWhereThatIsPossible(t *testing.T) {
	w := plugintest.New(t)
	ids := make([]string, 0, 111)
	for i := range 111 {
		age := time.Duration(i) * time.Hour
		if i >= 103 {
			age = 20 * 24 * time.Hour
		}
		ids = append(ids, w.AddMessage("42", "9", fmt.Sprint(i), w.At.Add(-age), false))
	}
	var out output
	w.Run(plugin(), at(w, on("discord", "delete_messages", object{"messageIds": append(ids[50:], ids[:50]...)}))).Decode(t, &out)
	require.Empty(t, w.Contents("42"))
	require.Equal(t, 111, out.Done)
	require.Len(t, w.Journal().Requests("discord.bulk_delete"), 3, "one more was one too many in a second")
	require.Len(t, w.Effects("discord.bulk_delete"), 2)
	require.Len(t, w.Effects("discord.delete_message"), 8)
}

// Discord's clock decides what is too old.
func TestMessagesThatAreTooOldGoOneByOne(t *testing.T) {
	w := plugintest.New(t)
	ids := []string{w.AddMessage("42", "9", "a", w.At, false), w.AddMessage("42", "9", "b", w.At, false)}
	c := at(w, on("discord", "delete_messages", object{"messageIds": ids}))
	c.Now = w.At
	w.At = w.At.Add(15 * 24 * time.Hour)
	w.Run(plugin(), c).RequireOK(t)
	require.Empty(t, w.Contents("42"))
	require.Equal(t, []string{"message deleted", "message deleted"}, w.Effects(""))
}

// Without the permission to manage messages a bot may delete its own, one by one.
func TestMessagesGoOneByOneWhereABotMayNotDeleteThemTogether(t *testing.T) {
	w := plugintest.New(t)
	ids := []string{w.AddMessage("42", "1", "a", w.At, false), w.AddMessage("42", "1", "b", w.At, false)}
	w.Break(fakeplatform.Fault{Route: "discord.bulk_delete", Kind: fakeplatform.FaultStatus, Status: 403})
	w.Run(plugin(), at(w, on("discord", "delete_messages", object{"messageIds": ids}))).RequireOK(t)
	require.Empty(t, w.Contents("42"))
}

func TestManyUsersAreBannedInBulk(t *testing.T) {
	w := plugintest.New(t)
	users := numbers(405)
	w.Run(plugin(), at(w, on("discord", "ban", object{"userId": users[3]}))).RequireOK(t)
	var out output
	w.Run(plugin(), at(w, on("discord", "ban", object{"userIds": users}))).Decode(t, &out)
	require.Equal(t, 405, out.Done)
	require.Len(t, w.Effects("discord.bulk_ban"), 3)
	require.Len(t, w.Journal().Requests("discord.ban"), 2, "who was banned before was asked for again, alone")
}

func TestWithoutTheRightToBanInBulkUsersAreBannedOneByOne(t *testing.T) {
	w := plugintest.New(t)
	w.Break(fakeplatform.Fault{Route: "discord.bulk_ban", Kind: fakeplatform.FaultStatus, Status: 403})
	var out output
	w.Run(plugin(), at(w, on("discord", "ban", object{"userIds": numbers(12)}))).Decode(t, &out)
	require.Equal(t, 12, out.Done)
	require.Len(t, w.Effects("discord.ban"), 12)
}

func TestOneRefusalDoesNotKeepTheOthersFromIt(t *testing.T) {
	w := plugintest.New(t)
	w.Break(fakeplatform.Fault{Route: "discord.kick", Kind: fakeplatform.FaultStatus, Status: 403, Times: 1})
	failure := w.Run(plugin(), at(w, on("discord", "kick", object{"userIds": numbers(4)}))).RequireFailure(t, wire.Permanent)
	require.Equal(t, "1 of 4 were refused, 3 are done: 1000: discord: Forbidden (403)", failure.Message)
	require.Len(t, w.Effects(""), 3)
}

func TestRefusalsOneAfterTheOtherEndTheRun(t *testing.T) {
	for status, requests := range map[int]int{403: maxRefusals, 404: maxRefusals, 401: 1} {
		for platform, route := range map[string]string{"twitch": "twitch.unban", "discord": "discord.unban"} {
			w := plugintest.New(t)
			w.Break(fakeplatform.Fault{Route: route, Kind: fakeplatform.FaultStatus, Status: status})
			w.Run(plugin(), at(w, on(platform, "unban", object{"userIds": numbers(50)}))).RequireFailure(t, wire.Permanent)
			require.Len(t, w.Journal().Requests(""), requests)
		}
	}
}

// A run that refusals end counts what it did before them.
func TestTheLastRefusalIsCounted(t *testing.T) {
	w := plugintest.New(t)
	c := at(w, on("discord", "kick", object{"userIds": numbers(14)}))
	asked := 0
	c.HTTP = func(r sdk.HTTPRequest) (sdk.HTTPResponse, error) {
		if asked++; asked > 3 {
			return sdk.HTTPResponse{Status: 403}, nil
		}
		return w.HTTP(r)
	}
	failure := w.Run(plugin(), c).RequireFailure(t, wire.Permanent)
	require.Contains(t, failure.Message, "10 of 14 were refused, 3 are done: ")
}

// What earlier attempts did is told by one for which the end has passed.
func TestTheEndOfATimeOutMayPassBetweenAttempts(t *testing.T) {
	refused := []fakeplatform.Fault{{Route: "discord.modify_member", Kind: fakeplatform.FaultStatus, Status: 403, Times: 1}}
	for name, test := range map[string]struct {
		faults  []fakeplatform.Fault
		done    int
		note    string
		failure string
	}{
		"some were done":   {nil, 2, noteEndedLast, ""},
		"one was refused":  {refused, 0, "", "1 of 3 were refused, 1 are done: 1000: discord: Forbidden (403)"},
		"the first failed": {[]fakeplatform.Fault{{Route: "discord.modify_member", Kind: fakeplatform.FaultStatus, Status: 503, Times: 1}}, 0, noteEnded, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			for _, f := range test.faults {
				w.Break(f)
			}
			c := at(w, on("discord", "timeout", object{"userIds": numbers(3), "durationMs": 600_000}))
			asked := 0
			c.HTTP = func(r sdk.HTTPRequest) (sdk.HTTPResponse, error) {
				if asked++; asked > 2 {
					return sdk.HTTPResponse{Status: 503}, nil
				}
				return w.HTTP(r)
			}
			first := w.Run(plugin(), c)
			first.RequireFailure(t, wire.Retryable)
			w.At = w.At.Add(10 * time.Minute)
			second := w.Run(plugin(), plugintest.Again(c, first))
			if test.failure != "" {
				require.Equal(t, test.failure, second.RequireFailure(t, wire.Permanent).Message)
				return
			}
			var out output
			second.Decode(t, &out)
			require.Equal(t, test.done, out.Done)
			require.Equal(t, test.note, out.Note)
		})
	}
}

func TestTheEndOfATimeOutMayPassDuringTheRun(t *testing.T) {
	w := plugintest.New(t)
	w.Break(fakeplatform.Fault{Route: "discord.modify_member", Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 5000, Times: 1})
	c := at(w, on("discord", "timeout", object{"userIds": numbers(3), "durationMs": 4000}))
	var out output
	result := w.Run(plugin(), c)
	result.Decode(t, &out)
	require.Equal(t, 5*time.Second, result.Slept)
	require.Equal(t, noteEndedLast, out.Note)
	require.Equal(t, 1, out.Done)
}

func TestWithoutTheModeratorsIDTwitchIsRefused(t *testing.T) {
	w := plugintest.New(t)
	c := at(w, on("twitch", "ban", object{"userId": "9"}))
	c.Config = object{"twitch": object{"api": w.URL + "/twitch/helix"}}
	require.Contains(t, w.Run(plugin(), c).RequireFailure(t, wire.Permanent).Message, "names no userId")
	require.Empty(t, w.Journal().Requests(""))
}
