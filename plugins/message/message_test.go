package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/plugintest"
	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

type object = map[string]any

// run runs a task and demands success.
func run(t *testing.T, w *plugintest.World, data object, state map[string]any) (output, sdktest.Result) {
	t.Helper()
	result := w.Run(plugin(), sdktest.Case{Data: data, State: state})
	var out output
	result.Decode(t, &out)
	return out, result
}

// state hands on what a run has kept.
func state(r sdktest.Result) map[string]any {
	kept := map[string]any{}
	for key, value := range r.State {
		kept[key] = value
	}
	return kept
}

func TestADiscordMessageIsSent(t *testing.T) {
	w := plugintest.New(t)
	result := w.Run(plugin(), sdktest.Case{
		Data: object{
			"platform": "discord", "channelId": "42", "content": `Live at {{format .NominalTime "15:04"}}: {{.Data.game}}`,
			"timezone": "Europe/Berlin", "values": object{"game": "Chess"}, "replyTo": "7",
			"embeds": []object{{"title": "{{.TaskName}}", "color": 255, "fields": []object{{"name": "n", "value": "{{.Data.game}}"}}}},
		},
		Execution: sdk.Execution{ID: "0192f3a3-0000-7000-8000-000000000001", NominalTime: time.Date(2026, 5, 1, 17, 0, 0, 0, time.UTC)},
	})
	var out output
	result.Decode(t, &out)
	require.Equal(t, output{Platform: "discord", Action: "send", ChannelID: "42", MessageID: out.MessageID}, out)
	require.Equal(t, object{
		"id": out.MessageID, "content": "Live at 19:00: Chess", "embeds": 1, "allowedMentions": object{"parse": []any{}}, "replyTo": "7",
	}, w.Detail("discord.create_message", 0))

	var body struct {
		Nonce   string `json:"nonce"`
		Enforce bool   `json:"enforce_nonce"`
		Embeds  json.RawMessage
	}
	require.NoError(t, json.Unmarshal(result.Requests[0].Body, &body))
	require.True(t, body.Enforce)
	require.Equal(t, "AZLzowAAcACAAAAAAAAAAQ", body.Nonce)
	require.JSONEq(t, `[{"title": "Task", "color": 255, "fields": [{"name": "n", "value": "Chess"}]}]`, string(body.Embeds))
}

func TestMentionsAreOptIn(t *testing.T) {
	w := plugintest.New(t)
	run(t, w, object{
		"platform": "discord", "channelId": "42", "content": "@everyone <@5>", "mentions": object{"users": []string{"5"}, "repliedUser": true},
	}, nil)
	require.Equal(t, object{"parse": []any{}, "users": []any{"5"}, "replied_user": true}, w.Detail("discord.create_message", 0)["allowedMentions"])
}

func TestAThreadIsWrittenTo(t *testing.T) {
	w := plugintest.New(t)
	out, _ := run(t, w, object{"platform": "discord", "channelId": "42", "threadId": "43", "content": "hi"}, nil)
	require.Equal(t, "43", out.ThreadID)
	require.Equal(t, "43", w.Journal().Effects("")[0].Target)
}

// A message is sent under a key, edited and deleted by it.
func TestAKeptMessage(t *testing.T) {
	for name, c := range map[string]struct{ place, edit object }{
		"channel":       {object{"platform": "discord", "channelId": "42"}, object{"platform": "discord"}},
		"thread":        {object{"platform": "discord", "channelId": "42", "threadId": "43"}, object{"platform": "discord"}},
		"webhook":       {object{"platform": "discord", "webhook": "discord_webhook", "username": "Herald"}, object{"platform": "discord"}},
		"webhook's new": {object{"platform": "discord", "webhook": "discord_webhook", "threadId": "44"}, object{"platform": "discord"}},
		"chat":          {object{"platform": "twitch", "channelId": "42"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			c.place["content"], c.place["messageKey"] = "first", "schedule"
			out, sent := run(t, w, c.place, nil)
			require.NotEmpty(t, out.MessageID)
			if c.edit != nil {
				c.edit["action"], c.edit["messageKey"], c.edit["content"] = "edit", "schedule", "second"
				edited, result := run(t, w, c.edit, state(sent))
				require.Equal(t, out.MessageID, edited.MessageID)
				require.Equal(t, sent.State, result.State)
			}
			gone, result := run(t, w, object{"platform": c.place["platform"], "action": "delete", "messageKey": "schedule"}, state(sent))
			require.Equal(t, out.MessageID, gone.MessageID)
			require.Empty(t, result.State)
			want := []string{"message created", "message edited", "message deleted"}
			if c.edit == nil {
				want = []string{"chat message sent", "chat message deleted"}
			}
			require.Equal(t, want, w.Effects(""))

			again, _ := run(t, w, object{"platform": c.place["platform"], "action": "delete", "messageKey": "schedule"}, state(result))
			require.Empty(t, again.MessageID, "a delete can be repeated")
			require.Equal(t, want, w.Effects(""))
		})
	}
}

func TestAMessageIsChangedByItsID(t *testing.T) {
	w := plugintest.New(t)
	out, result := run(t, w, object{"platform": "discord", "channelId": "42", "content": "first"}, nil)
	require.Empty(t, result.State)
	edit := object{"platform": "discord", "action": "edit", "channelId": "42", "messageId": out.MessageID, "content": "second"}
	run(t, w, edit, nil)
	require.Equal(t, object{"id": out.MessageID, "content": "second"}, w.Detail("discord.edit_message", 0))
	for range 2 { // the second time there is nothing left
		run(t, w, object{"platform": "discord", "action": "delete", "channelId": "42", "messageId": out.MessageID}, nil)
	}
	require.Equal(t, []string{"message created", "message edited", "message deleted"}, w.Effects(""))
	failure := w.Run(plugin(), sdktest.Case{Data: edit}).RequireFailure(t, wire.Permanent)
	require.Equal(t, "discord: Unknown Message (404)", failure.Message)

	said, _ := run(t, w, object{"platform": "twitch", "channelId": "42", "content": "hi", "replyTo": "abc-1"}, nil)
	require.Equal(t, "abc-1", w.Detail("twitch.send_chat_message", 0)["replyTo"])
	for range 2 {
		run(t, w, object{"platform": "twitch", "action": "delete", "channelId": "42", "messageId": said.MessageID}, nil)
	}
	require.Equal(t, []string{"chat message deleted"}, w.Effects("twitch.delete_chat"))
}

// Twitch answers both with the same status: only a message that is gone is as good
// as deleted.
func TestAnOldChatMessageStays(t *testing.T) {
	w := plugintest.New(t)
	said, _ := run(t, w, object{"platform": "twitch", "channelId": "42", "content": "hi"}, nil)
	w.At = w.At.Add(7 * time.Hour)
	remove := sdktest.Case{Data: object{"platform": "twitch", "action": "delete", "channelId": "42", "messageId": said.MessageID}}
	failure := w.Run(plugin(), remove).RequireFailure(t, wire.Permanent)
	require.Contains(t, failure.Message, "more than 6 hours ago")
	require.Empty(t, w.Effects("twitch.delete_chat"))
}

// Each kind of mention is parsed or listed, and one may be parsed beside the other.
func TestMentions(t *testing.T) {
	for _, mentions := range []object{
		{"parse": []string{"users"}, "roles": []string{"1"}}, {"parse": []string{"roles", "everyone"}, "users": []string{"1"}}, {"users": []string{"1"}, "roles": []string{"2"}},
	} {
		run(t, plugintest.New(t), object{"platform": "discord", "channelId": "42", "content": "hi", "mentions": mentions}, nil)
	}
}

func TestAKeyThatIsNotThere(t *testing.T) {
	w := plugintest.New(t)
	edit := object{"platform": "discord", "action": "edit", "messageKey": "schedule", "content": "second"}
	failure := w.Run(plugin(), sdktest.Case{Data: edit}).RequireFailure(t, wire.Permanent)
	require.Equal(t, `messageKey: no message is kept under "schedule": it was not sent, is deleted, or is too old; name its messageId`, failure.Message)

	kept := map[string]any{"message/schedule": sent{Platform: "twitch", ChannelID: "42", MessageID: "x"}}
	failure = w.Run(plugin(), sdktest.Case{Data: edit, State: kept}).RequireFailure(t, wire.Permanent)
	require.Equal(t, `messageKey: the message that is kept under "schedule" is one of twitch; correct platform`, failure.Message)
	require.Empty(t, w.Journal().Requests(""))
}

func TestAWebhookBeginsAThread(t *testing.T) {
	w := plugintest.New(t)
	out, _ := run(t, w, object{"platform": "discord", "webhook": "discord_webhook", "threadName": "{{.TaskName}}", "content": "hi"}, nil)
	require.Equal(t, "77", out.ThreadID, "the fake's webhook answers in its own channel")
	require.Equal(t, "77", out.ChannelID)
}

func TestAnAnnouncement(t *testing.T) {
	w := plugintest.New(t)
	out, _ := run(t, w, object{"platform": "twitch", "channelId": "42", "content": "hi", "announcement": object{"color": "green"}}, nil)
	require.Empty(t, out.MessageID)
	require.Equal(t, object{"message": "hi", "color": "green"}, w.Detail("twitch.send_announcement", 0))

	failure := w.Run(plugin(), sdktest.Case{Data: object{"platform": "twitch", "channelId": "42", "content": "hi", "announcement": object{}}})
	require.Positive(t, failure.RequireFailure(t, wire.Retryable).RetryAfterMS, "one in two seconds")
}

func TestWhatNoTaskCanSay(t *testing.T) {
	type refusal struct {
		data object
		want string
	}
	base := func(more ...any) object {
		data := object{"platform": "discord", "channelId": "42", "content": "hi"}
		for i := 0; i < len(more); i += 2 {
			if more[i+1] == nil {
				delete(data, more[i].(string))
			} else {
				data[more[i].(string)] = more[i+1]
			}
		}
		return data
	}
	for name, r := range map[string]refusal{
		"no platform":               {base("platform", nil), "platform"},
		"another platform":          {base("platform", "matrix"), "/platform"},
		"nothing to say":            {base("content", nil), "content"},
		"an empty text":             {base("content", ""), "/content"},
		"nowhere":                   {base("channelId", nil), "channelId"},
		"a channel and a webhook":   {base("webhook", "w"), "/channelId"},
		"a channel with a slash":    {base("channelId", "4/../5"), "/channelId"},
		"a webhook's address":       {base("channelId", nil, "webhook", "https://x"), "/webhook"},
		"a reply by webhook":        {base("channelId", nil, "webhook", "w", "replyTo", "1"), "/replyTo"},
		"a name without webhook":    {base("username", "x"), "/username"},
		"a thread without webhook":  {base("threadName", "x"), "/threadName"},
		"an announcement":           {base("announcement", object{}), "/announcement"},
		"a mauve announcement":      {base("platform", "twitch", "announcement", object{"color": "mauve"}), "/announcement/color"},
		"an announcement with key":  {base("platform", "twitch", "announcement", object{}, "messageKey", "k"), "/messageKey"},
		"an edit on Twitch":         {base("platform", "twitch", "action", "edit", "messageId", "1"), "/action"},
		"embeds on Twitch":          {base("platform", "twitch", "embeds", []object{{"title": "x"}}), "/embeds"},
		"users in two ways":         {base("mentions", object{"parse": []string{"users"}, "users": []string{"1"}}), "/mentions/users"},
		"roles in two ways":         {base("mentions", object{"parse": []string{"roles"}, "roles": []string{"1"}}), "/mentions/roles"},
		"mentions on Twitch":        {base("platform", "twitch", "mentions", object{}), "/mentions"},
		"a send with an id":         {base("messageId", "1"), "/messageId"},
		"an edit of nothing":        {base("action", "edit"), "messageId"},
		"an edit of two":            {base("action", "edit", "channelId", nil, "messageId", "1", "messageKey", "k"), "/messageId"},
		"an edit by key in a place": {base("action", "edit", "messageKey", "k"), "/channelId"},
		"an edit nowhere":           {base("action", "edit", "channelId", nil, "messageId", "1"), "channelId"},
		"an edit to nothing":        {base("action", "edit", "messageId", "1", "content", nil), "content"},
		"a delete with a text":      {base("action", "delete", "messageId", "1"), "/content"},
		"a message id with a slash": {base("action", "edit", "messageId", "1/2"), "/messageId"},
		"two threads":               {base("channelId", nil, "webhook", "w", "threadId", "1", "threadName", "x"), "/threadId"},
		"an empty embed":            {base("embeds", []object{{"title": "x"}, {}}), "/embeds/1"},
		"an embed of nothing":       {base("embeds", []object{{"color": 1, "url": "https://example.com"}}), "/embeds/0"},
		"eleven embeds":             {base("embeds", make([]object, 11)), "/embeds"},
		"an unknown member":         {base("text", "x"), "text"},
		"an unknown mention":        {base("mentions", object{"parse": []string{"here"}}), "/mentions/parse"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, plugintest.Refused(t, plugin(), r.data), r.want)
		})
	}
}

// What only the filled-in text shows fails before anything is asked of a
// platform.
func TestWhatCannotBeSaid(t *testing.T) {
	for name, c := range map[string]struct {
		data object
		want string
	}{
		"too long for Discord": {
			object{"platform": "discord", "channelId": "42", "content": "{{range 2001}}x{{end}}"}, "discord: a message of 2001 characters, at most 2000 are allowed",
		},
		"too long for Twitch": {
			object{"platform": "twitch", "channelId": "42", "content": "{{range 501}}x{{end}}"}, "twitch: a message of 501 characters, 1 to 500 are allowed",
		},
		"nothing is left": {
			object{"platform": "discord", "channelId": "42", "content": "{{if false}}x{{end}}"}, "discord: a message with neither content nor embeds",
		},
		"embeds too long": {
			object{"platform": "discord", "channelId": "42", "embeds": []object{{"description": strings.Repeat("x", 4000)}, {"description": strings.Repeat("x", 2001)}}},
			"discord: embeds of 6001 characters together, at most 6000 are allowed",
		},
		"an embed is left empty": {
			object{"platform": "discord", "channelId": "42", "content": "hi", "embeds": []object{{"title": "x"}, {"title": "{{if false}}x{{end}}"}}},
			"discord: embeds/1: shows nothing; it needs a title, a description, an author, fields, a picture or a footer",
		},
		"a value that is missing": {
			object{"platform": "discord", "channelId": "42", "embeds": []object{{"title": "{{.Data.x}}"}}},
			`embeds: template, line 1:7: at <.Data.x>: map has no entry for key "x"`,
		},
		"a zone that is none": {object{"platform": "discord", "channelId": "42", "content": "x", "timezone": "Mars"}, `timezone: unknown time zone "Mars"; write an IANA name such as Europe/Berlin`},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			require.Equal(t, c.want, w.Run(plugin(), sdktest.Case{Data: c.data}).RequireFailure(t, wire.Permanent).Message)
			require.Empty(t, w.Journal().Requests(""))
		})
	}
}

// Without its secret, or the sender's id, the type runs and says what is missing.
func TestWhatTheOperatorHasNotSet(t *testing.T) {
	w := plugintest.New(t)
	data := object{"platform": "discord", "channelId": "42", "content": "hi"}
	failure := w.Run(plugin(), sdktest.Case{Data: data, Secrets: []string{}}).RequireFailure(t, wire.Denied)
	require.Contains(t, failure.Message, `secret "discord_token"`)
	data["platform"] = "twitch"
	failure = w.Run(plugin(), sdktest.Case{Data: data, Config: object{}}).RequireFailure(t, wire.Permanent)
	require.Contains(t, failure.Message, "names no userId")
}

func TestTheExamplesOfTheDocs(t *testing.T) {
	for _, example := range plugintest.Examples(t, "../../docs/task-types.md", "message") {
		w := plugintest.New(t)
		w.Run(plugin(), sdktest.Case{Data: example, State: map[string]any{
			"message/stream": sent{Platform: "discord", ChannelID: "42", MessageID: "1"},
		}, HTTP: func(req sdk.HTTPRequest) (sdk.HTTPResponse, error) {
			if req.Method == "PATCH" { // the message of the example is in no world
				return sdk.HTTPResponse{Body: []byte(`{}`)}, nil
			}
			return w.HTTP(req)
		}}).RequireOK(t)
	}
}
