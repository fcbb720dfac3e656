package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/plugintest"
	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

type object = map[string]any

// none is a config that leads to no platform.
var none = object{}

func TestTheReminderOfOldNotifiesOnce(t *testing.T) {
	w := plugintest.New(t)
	data := json.RawMessage(`{"channelId": "channel-uuid", "message": "Time to start streaming!", "notifyVia": ["discord", "email"]}`)
	for _, config := range []object{none, w.Config()} { // a uuid is no id of Discord's
		result := w.Run(plugin(), sdktest.Case{Data: data, Config: config})
		var got report
		result.Decode(t, &got)
		require.Equal(t, []sdk.Notification{{
			ChannelID: "channel-uuid", Message: "Time to start streaming!", Via: []string{"discord", "email"},
		}}, result.Notifications)
		require.Equal(t, report{ID: "notification-1", ChannelID: "channel-uuid", Via: []string{"discord", "email"}, At: w.At}, got)
		require.Empty(t, w.Journal().Requests(""))
	}
}

func TestARouteIsDirectWhenItCanBe(t *testing.T) {
	type sent struct{ discord, twitch, rest []string }
	type way struct {
		platforms string // those of the config
		data      object
		want      sent
	}
	via := func(routes ...string) object {
		return object{"channelId": "42", "message": "m", "notifyVia": routes}
	}
	for name, c := range map[string]way{
		"by default to Discord":          {"both", object{"channelId": "42", "message": "m"}, sent{discord: []string{"42"}}},
		"without config to the service":  {"", object{"channelId": "42", "message": "m"}, sent{rest: []string{"discord"}}},
		"an id that is none":             {"both", object{"channelId": "c-42", "message": "m"}, sent{rest: []string{"discord"}}},
		"Discord and what the rest is":   {"both", via("email", "discord", "sms"), sent{discord: []string{"42"}, rest: []string{"email", "sms"}}},
		"Twitch":                         {"both", via("twitch"), sent{twitch: []string{"42"}}},
		"Twitch without config":          {"discord", via("twitch", "discord"), sent{discord: []string{"42"}, rest: []string{"twitch"}}},
		"both, and one id is Discord's":  {"both", via("twitch", "discord"), sent{discord: []string{"42"}, rest: []string{"twitch"}}},
		"both, and two ids":              {"both", object{"channelId": "42", "twitchChannelId": "43", "message": "m", "notifyVia": []string{"twitch", "discord"}}, sent{discord: []string{"42"}, twitch: []string{"43"}}},
		"Twitch beside a channel's name": {"both", object{"channelId": "team-7", "twitchChannelId": "43", "message": "m", "notifyVia": []string{"twitch", "email"}}, sent{twitch: []string{"43"}, rest: []string{"email"}}},
		"an id of Twitch for nothing":    {"both", object{"channelId": "team-7", "twitchChannelId": "43", "message": "m", "notifyVia": []string{"email"}}, sent{rest: []string{"email"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			config := w.Config()
			switch c.platforms {
			case "":
				config = none
			case "discord":
				delete(config, "twitch")
			}
			result := w.Run(plugin(), sdktest.Case{Data: c.data, Config: config})
			var got report
			result.Decode(t, &got)

			require.Equal(t, c.want.discord, targets(w, "discord.create_message"))
			require.Equal(t, c.want.twitch, targets(w, "twitch.send_chat_message"))
			var rest []string
			for _, n := range result.Notifications {
				rest = append(rest, n.Via...)
			}
			require.Equal(t, c.want.rest, rest)
			require.LessOrEqual(t, len(result.Notifications), 1)
			require.Equal(t, c.want.rest != nil, got.ID != "")
			require.Len(t, got.Messages, len(c.want.discord)+len(c.want.twitch))
		})
	}
}

// targets lists the channels that were written to by a route.
func targets(w *plugintest.World, route string) []string {
	var all []string
	for _, e := range w.Journal().Effects(route) {
		all = append(all, e.Target)
	}
	return all
}

func TestTheMessageIsATemplate(t *testing.T) {
	w := plugintest.New(t)
	result := w.Run(plugin(), sdktest.Case{
		Data: object{
			"channelId": "42", "notifyVia": []string{"discord", "email"}, "timezone": "America/New_York", "values": object{"game": "Chess"},
			"message": `{{.TaskName}} {{.Attempt}}: {{.Data.game}} at {{format .NominalTime "15:04 MST"}}`, "mentions": object{"parse": []string{"everyone"}},
		},
		Execution: sdk.Execution{TaskName: "Stream", NominalTime: time.Date(2026, 5, 1, 17, 0, 0, 0, time.UTC)},
	})
	result.RequireOK(t)
	detail := w.Detail("discord.create_message", 0)
	require.Equal(t, "Stream 1: Chess at 13:00 EDT", detail["content"])
	require.Equal(t, object{"parse": []any{"everyone"}}, detail["allowedMentions"])
	require.Equal(t, "Stream 1: Chess at 13:00 EDT", result.Notifications[0].Message)
}

func TestNobodyIsPingedUnlessToldSo(t *testing.T) {
	w := plugintest.New(t)
	w.Run(plugin(), sdktest.Case{Data: object{"channelId": "42", "message": "@everyone"}}).RequireOK(t)
	require.Equal(t, object{"parse": []any{}}, w.Detail("discord.create_message", 0)["allowedMentions"])
}

func TestRemindFailsWhenItMayNotNotify(t *testing.T) {
	p := plugin()
	p.Capabilities = nil
	result := sdktest.Run(t, p, sdktest.Case{Data: map[string]string{"channelId": "c", "message": "m"}})
	result.RequireFailure(t, wire.Denied)
	require.Empty(t, result.Notifications)
}

func TestWhatNoTaskCanSay(t *testing.T) {
	for name, c := range map[string]struct {
		data object
		want string
	}{
		"no channel":           {object{"message": "m"}, "channelId"},
		"no message":           {object{"channelId": "c"}, "message"},
		"an empty message":     {object{"channelId": "c", "message": ""}, "/message"},
		"no route":             {object{"channelId": "c", "message": "m", "notifyVia": []string{}}, "/notifyVia"},
		"a route twice":        {object{"channelId": "c", "message": "m", "notifyVia": []string{"email", "email"}}, "/notifyVia"},
		"a route in capitals":  {object{"channelId": "c", "message": "m", "notifyVia": []string{"EMail"}}, "/notifyVia/0"},
		"a broadcaster's name": {object{"channelId": "c", "message": "m", "twitchChannelId": "ada"}, "/twitchChannelId"},
		"users in two ways":    {object{"channelId": "c", "message": "m", "mentions": object{"parse": []string{"users"}, "users": []string{"1"}}}, "/mentions/users"},
		"roles in two ways":    {object{"channelId": "c", "message": "m", "mentions": object{"parse": []string{"everyone", "roles"}, "roles": []string{"1"}}}, "/mentions/roles"},
		"an unknown member":    {object{"channelId": "c", "message": "m", "text": "m"}, "text"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, plugintest.Refused(t, plugin(), c.data), c.want)
		})
	}
}

// The schema tells readers the same default that the handler has.
func TestTheDefaultOfTheSchema(t *testing.T) {
	var schema struct {
		Properties struct {
			NotifyVia struct{ Default []string } `json:"notifyVia"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(plugin().DataSchema), &schema))
	require.Equal(t, input{}.routes(), schema.Properties.NotifyVia.Default)
}

// What one route cannot carry is sent on none.
func TestWhatCannotBeSaid(t *testing.T) {
	routes := []string{"discord", "twitch", "email"}
	for message, want := range map[string]string{
		"{{range 2001}}x{{end}}": "discord: a message of 2001 characters, at most 2000 are allowed",
		"{{range 501}}x{{end}}":  "twitch: a message of 501 characters, 1 to 500 are allowed",
		"{{if false}}x{{end}}":   "discord: a message with neither content nor embeds",
		"{{.Data.game}}":         `message: template, line 1:7: at <.Data.game>: map has no entry for key "game"`,
		"{{range 9000}}x{{end}}": "message: the template makes a text of more than 8192 bytes",
	} {
		w := plugintest.New(t)
		result := w.Run(plugin(), sdktest.Case{Data: object{"channelId": "42", "twitchChannelId": "43", "message": message, "notifyVia": routes}})
		require.Equal(t, want, result.RequireFailure(t, wire.Permanent).Message)
		require.Empty(t, w.Journal().Requests(""))
	}
}

func TestWhatTheOperatorHasNotSet(t *testing.T) {
	w := plugintest.New(t)
	failure := w.Run(plugin(), sdktest.Case{Data: object{"channelId": "42", "message": "m"}, Secrets: []string{}}).RequireFailure(t, wire.Denied)
	require.Contains(t, failure.Message, `secret "discord_token"`)
	data := object{"channelId": "42", "twitchChannelId": "43", "message": "m", "notifyVia": []string{"discord", "twitch"}}
	config := w.Config()
	config["twitch"] = object{}
	failure = w.Run(plugin(), sdktest.Case{Data: data, Config: config}).RequireFailure(t, wire.Permanent)
	require.Contains(t, failure.Message, "names no userId")
	require.Empty(t, w.Effects(""), "not even on the other route")
}

func TestTheExamplesOfTheDocs(t *testing.T) {
	for _, example := range plugintest.Examples(t, "../../docs/task-types.md", "reminder") {
		plugintest.New(t).Run(plugin(), sdktest.Case{Data: example}).RequireOK(t)
	}
}
