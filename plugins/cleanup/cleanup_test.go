package main

import (
	"fmt"
	"strings"
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

const (
	day = 24 * time.Hour
	bot = "1" // the user that the fake's tokens belong to
)

// at is a case whose occurrence is meant for the world's time.
func at(w *plugintest.World, data object) sdktest.Case {
	return sdktest.Case{
		Data: data, Execution: sdk.Execution{NominalTime: w.At}, OnSleep: func(d time.Duration) { w.At = w.At.Add(d) },
	}
}

// weekly is data that keep a week's messages of channel 42.
func weekly(more object) object {
	data := object{"target": "discord_messages", "channelId": "42", "maxAgeMs": 7 * day.Milliseconds()}
	for name, value := range more {
		data[name] = value
	}
	return data
}

// populate fills a channel: of each kind one message that is old, one that is too
// old for bulk, and one that is young.
func populate(w *plugintest.World) {
	for age, name := range map[time.Duration]string{30 * day: "ancient", 8 * day: "old", day: "young"} {
		then := w.At.Add(-age)
		w.AddMessage("42", bot, name+" of the bot", then, false)
		w.AddMessage("42", bot, name+" and pinned", then.Add(time.Second), true)
		w.AddMessage("42", "9", name+" of a user", then.Add(2*time.Second), false)
	}
}

func TestOldMessagesOfTheBotGo(t *testing.T) {
	w := plugintest.New(t)
	populate(w)
	w.AddMessage("42", bot, "another old one", w.At.Add(-9*day), false)
	var out output
	result := w.Run(plugin(), at(w, weekly(nil)))
	result.Decode(t, &out)
	require.Equal(t, output{Target: "discord_messages", Removed: 3, Kept: 2}, out)
	require.Equal(t, []string{
		"ancient and pinned", "ancient of a user", "old and pinned", "old of a user", "young of the bot", "young and pinned", "young of a user",
	}, w.Contents("42"))
	require.Equal(t, object{"count": 2}, w.Detail("discord.bulk_delete", 0))
	require.Len(t, w.Effects("discord.delete_message"), 1, "one is too old to be deleted with others")
	require.Empty(t, result.State)
}

func TestWhoseMessagesGo(t *testing.T) {
	webhook := func(w *plugintest.World) {
		at := w.At
		w.At = w.At.Add(-8 * day)
		for _, content := range []string{"a", "b"} {
			resp, err := w.HTTP(sdk.HTTPRequest{
				Method: "POST", URL: w.Secrets["discord_webhook"] + "?thread_id=42", Headers: map[string]string{"User-Agent": "DiscordBot (x, 1)"},
				Body: []byte(`{"content": "` + content + ` of a webhook"}`),
			})
			require.NoError(t, err)
			require.NoError(t, resp.Err())
		}
		w.At = at
	}
	for name, test := range map[string]struct {
		from []string
		left []string
	}{
		"the bot's":        {[]string{"self"}, []string{"old of 9", "a of a webhook", "b of a webhook"}},
		"those of webhook": {[]string{"webhooks"}, []string{"old of 9", "old of the bot"}},
		"a user's":         {[]string{"9"}, []string{"old of the bot", "a of a webhook", "b of a webhook"}},
		"one webhook's":    {[]string{"77", "self"}, []string{"old of 9"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			w.AddMessage("42", "9", "old of 9", w.At.Add(-9*day), false)
			w.AddMessage("42", bot, "old of the bot", w.At.Add(-9*day), false)
			webhook(w)
			w.Run(plugin(), at(w, weekly(object{"from": test.from}))).RequireOK(t)
			require.Equal(t, test.left, w.Contents("42"))
		})
	}
}

// Without the permission to manage messages a bot may delete its own, one by one.
func TestABotThatMayDeleteItsOwnMessagesOnly(t *testing.T) {
	w := plugintest.New(t)
	for i := range 150 {
		w.AddMessage("42", bot, fmt.Sprint(i), w.At.Add(-8*day-time.Duration(i)*time.Minute), false)
	}
	w.Break(fakeplatform.Fault{Route: "discord.bulk_delete", Kind: fakeplatform.FaultStatus, Status: 403})
	var out output
	w.Run(plugin(), at(w, weekly(nil))).Decode(t, &out)
	require.Equal(t, 150, out.Removed)
	require.Empty(t, w.Contents("42"))
	require.Len(t, w.Journal().Requests("discord.bulk_delete"), 1, "what the bot may not do it is not asked for again")
}

// Messages of Discord's own stay, and do not keep the others from going.
func TestAMessageOfDiscordsOwn(t *testing.T) {
	w := plugintest.New(t)
	for i := range 3 {
		w.AddMessage("42", bot, fmt.Sprint(i), w.At.Add(-8*day-time.Duration(i)*time.Minute), false)
	}
	c := at(w, weekly(nil))
	refused := 0
	c.HTTP = func(r sdk.HTTPRequest) (sdk.HTTPResponse, error) {
		if strings.HasSuffix(r.URL, "/bulk-delete") || r.Method == "DELETE" && refused == 1 {
			refused++
			return sdk.HTTPResponse{Status: 400, Body: []byte(`{"code": 50021, "message": "Cannot execute action on a system message"}`)}, nil
		}
		return w.HTTP(r)
	}
	var out output
	w.Run(plugin(), c).Decode(t, &out)
	require.Equal(t, output{Target: "discord_messages", Removed: 2, Kept: 1}, out)
}

// A run that reaches its limit says so, and the next one goes on, until it is
// through.
func TestTheNextRunGoesOn(t *testing.T) {
	w := plugintest.New(t)
	for i := range 350 {
		author := bot
		if i%7 == 0 {
			author = "9"
		}
		w.AddMessage("42", author, fmt.Sprint(i), w.At.Add(-8*day-time.Duration(i)*time.Minute), false)
	}
	state := map[string]any{}
	removed := []int{}
	for more := true; more; {
		var out output
		c := at(w, weekly(object{"limit": 120}))
		c.State = state
		before := len(w.Journal().Requests("discord.get_messages"))
		result := w.Run(plugin(), c)
		result.Decode(t, &out)
		require.Less(t, len(w.Journal().Requests("discord.get_messages"))-before, 4)
		removed, more = append(removed, out.Removed), out.More
		state = map[string]any{}
		for key, value := range result.State {
			state[key] = value
		}
		require.Equal(t, more, len(state) == 1)
	}
	require.Equal(t, []int{120, 120, 60}, removed)
	require.Len(t, w.Contents("42"), 50)
}

func TestTheSizeOfAChannelIsNoBound(t *testing.T) {
	w := plugintest.New(t)
	for i := range (maxPages + 1) * pageSize {
		w.AddMessage("42", "9", "x", w.At.Add(-8*day+time.Duration(i)*time.Millisecond), false)
	}
	var out output
	w.Run(plugin(), at(w, weekly(nil))).Decode(t, &out)
	require.True(t, out.More)
	require.Zero(t, out.Removed)
}

func TestAChatIsCleared(t *testing.T) {
	w := plugintest.New(t)
	w.Run(plugin(), at(w, object{"target": "twitch_chat", "broadcasterId": "42", "wholeChat": true})).RequireOK(t)
	require.Equal(t, []string{"chat cleared"}, w.Effects(""))
}

func TestWhatNoTaskCanSay(t *testing.T) {
	hour := time.Hour.Milliseconds()
	for name, test := range map[string]struct {
		data object
		want string
	}{
		"nothing":                       {object{}, "'target'"},
		"something else":                {object{"target": "tasks", "maxAgeMs": hour}, "/target"},
		"no channel":                    {object{"target": "discord_messages", "maxAgeMs": hour}, "'channelId'"},
		"no age":                        {object{"target": "discord_messages", "channelId": "42"}, "'maxAgeMs'"},
		"more messages than can be":     {weekly(object{"limit": 5001}), "/limit"},
		"an author without an id":       {weekly(object{"from": []string{"ada"}}), "/from/0"},
		"a chat by age":                 {object{"target": "twitch_chat", "broadcasterId": "42", "wholeChat": true, "maxAgeMs": hour}, "/maxAgeMs"},
		"a whole chat unsaid":           {object{"target": "twitch_chat", "broadcasterId": "42"}, "'wholeChat'"},
		"no whole chat":                 {object{"target": "twitch_chat", "broadcasterId": "42", "wholeChat": false}, "/wholeChat"},
		"the whole of a channel":        {object{"target": "discord_messages", "channelId": "42", "maxAgeMs": hour, "wholeChat": true}, "/wholeChat"},
		"a chat of nobody":              {object{"target": "twitch_chat"}, "'broadcasterId'"},
		"history of half an hour":       {object{"target": "history", "maxAgeMs": hour / 2}, "/maxAgeMs"},
		"history that has not ended":    {object{"target": "history", "maxAgeMs": hour, "statuses": []string{"running"}}, "/statuses/0"},
		"history under a prefix":        {object{"target": "history", "maxAgeMs": hour, "prefix": "x"}, "/prefix"},
		"keys of a type":                {object{"target": "idempotency_keys", "maxAgeMs": hour, "type": "message"}, "/type"},
		"state that ended":              {object{"target": "state", "maxAgeMs": hour, "statuses": []string{"failed"}}, "/statuses"},
		"history of a Discord channel ": {object{"target": "history", "maxAgeMs": hour, "channelId": "42"}, "/channelId"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, plugintest.Refused(t, plugin(), test.data), test.want)
		})
	}
}

// store is the scheduler's own, for Case.Prune: how many rows it has by status.
type store struct {
	rows  map[string]int
	asked []sdk.Prune
}

func (s *store) prune(p sdk.Prune) (int, bool, error) {
	s.asked = append(s.asked, p)
	n := min(s.rows[p.Status], p.Limit)
	s.rows[p.Status] -= n
	return n, n == p.Limit, nil
}

func TestTheSchedulersOwn(t *testing.T) {
	for name, test := range map[string]struct {
		data  object
		rows  map[string]int
		want  output
		asked []sdk.Prune
	}{
		"history": {object{"target": "history", "maxAgeMs": day.Milliseconds(), "type": "message", "statuses": []string{"succeeded", "skipped"}},
			map[string]int{"succeeded": 5, "skipped": 6, "failed": 7}, output{Target: "history", Removed: 11},
			[]sdk.Prune{
				{Target: sdk.PruneHistory, OlderThan: day, Type: "message", Status: "succeeded", Limit: 1000},
				{Target: sdk.PruneHistory, OlderThan: day, Type: "message", Status: "skipped", Limit: 995},
			}},
		"keys": {object{"target": "idempotency_keys", "maxAgeMs": day.Milliseconds(), "limit": 1500},
			map[string]int{"": 2000}, output{Target: "idempotency_keys", Removed: 1500, More: true},
			[]sdk.Prune{{Target: sdk.PruneIdempotencyKeys, OlderThan: day, Limit: 1000}, {Target: sdk.PruneIdempotencyKeys, OlderThan: day, Limit: 500}}},
		"state": {object{"target": "state", "maxAgeMs": day.Milliseconds(), "type": "aggregation", "prefix": "samples/"},
			map[string]int{"": 3}, output{Target: "state", Removed: 3},
			[]sdk.Prune{{Target: sdk.PruneState, OlderThan: day, Type: "aggregation", Prefix: "samples/", Limit: 1000}}},
		"nothing": {object{"target": "history", "maxAgeMs": day.Milliseconds()},
			map[string]int{}, output{Target: "history"}, []sdk.Prune{{Target: sdk.PruneHistory, OlderThan: day, Limit: 1000}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			s := store{rows: test.rows}
			c := at(w, test.data)
			c.Prune = s.prune
			var out output
			w.Run(plugin(), c).Decode(t, &out)
			require.Equal(t, test.want, out)
			require.Equal(t, test.asked, s.asked)
			require.Empty(t, w.Journal().Requests(""))
		})
	}
}

// A run that comes late removes nothing that a punctual one had kept.
func TestALateRunRemovesNoMore(t *testing.T) {
	w := plugintest.New(t)
	s := store{rows: map[string]int{}}
	c := at(w, object{"target": "history", "maxAgeMs": day.Milliseconds()})
	c.Prune = s.prune
	w.At = w.At.Add(3 * time.Hour)
	w.Run(plugin(), c).RequireOK(t)
	require.Equal(t, day+3*time.Hour, s.asked[0].OlderThan)

	c = at(w, weekly(nil))
	w.AddMessage("42", bot, "not old enough", w.At.Add(-7*day), false)
	w.At = w.At.Add(3 * time.Hour)
	w.Run(plugin(), c).RequireOK(t)
	require.Equal(t, []string{"not old enough"}, w.Contents("42"))
}

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault fakeplatform.Fault
		kind  wire.ErrorKind // "": the run goes on by itself
		after int64
	}{
		"a short 429 of a page":     {fakeplatform.Fault{Route: "discord.get_messages", Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 3000}, "", 0},
		"a long 429 of a deletion":  {fakeplatform.Fault{Route: "discord.delete_message", Kind: fakeplatform.FaultRateLimited, RetryAfterMS: 90_000}, wire.Retryable, 90_000},
		"503":                       {fakeplatform.Fault{Route: "discord.bulk_delete", Kind: fakeplatform.FaultStatus, Status: 503}, wire.Retryable, 0},
		"reset before":              {fakeplatform.Fault{Route: "discord.bulk_delete", Kind: fakeplatform.FaultResetBefore}, wire.Retryable, 0},
		"reset after":               {fakeplatform.Fault{Route: "discord.bulk_delete", Kind: fakeplatform.FaultResetAfter}, wire.Retryable, 0},
		"a page that is cut short":  {fakeplatform.Fault{Route: "discord.get_messages", Kind: fakeplatform.FaultWrongJSON}, wire.Retryable, 0},
		"a deletion that is no use": {fakeplatform.Fault{Route: "discord.delete_message", Kind: fakeplatform.FaultResetAfter}, wire.Retryable, 0},
		"401":                       {fakeplatform.Fault{Route: "discord.get_current_user", Kind: fakeplatform.FaultUnauthorized}, wire.Permanent, 0},
		"403 of a page":             {fakeplatform.Fault{Route: "discord.get_messages", Kind: fakeplatform.FaultStatus, Status: 403}, wire.Permanent, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			populate(w)
			w.AddMessage("42", bot, "another old one", w.At.Add(-9*day), false)
			test.fault.Times = 1
			w.Break(test.fault)
			c := at(w, weekly(nil))
			first := w.Run(plugin(), c)
			switch test.kind {
			case wire.Permanent:
				first.RequireFailure(t, wire.Permanent)
				require.Empty(t, w.Effects(""))
				return
			case wire.Retryable:
				require.Equal(t, test.after, first.RequireFailure(t, wire.Retryable).RetryAfterMS)
				w.At = w.At.Add(2 * time.Minute)
				w.Run(plugin(), plugintest.Again(c, first)).RequireOK(t)
			default:
				first.RequireOK(t)
			}
			require.Len(t, w.Contents("42"), 7)
			require.Len(t, w.Effects(""), 2, "nothing is deleted twice")
		})
	}
}

func TestTwitchFaults(t *testing.T) {
	for _, status := range []int{409, 503} {
		w := plugintest.New(t)
		w.Break(fakeplatform.Fault{Route: "twitch.delete_chat", Kind: fakeplatform.FaultStatus, Status: status, Times: 1})
		c := at(w, object{"target": "twitch_chat", "broadcasterId": "42", "wholeChat": true})
		first := w.Run(plugin(), c)
		first.RequireFailure(t, wire.Retryable)
		w.Run(plugin(), plugintest.Again(c, first)).RequireOK(t)
		require.Equal(t, []string{"chat cleared"}, w.Effects(""))
	}
}

func TestDeaths(t *testing.T) {
	var world *plugintest.World
	plugintest.Deaths(t, plugin(), func(w *plugintest.World) sdktest.Case {
		if w != world {
			world = w
			populate(w)
			w.AddMessage("42", bot, "another old one", w.At.Add(-9*day), false)
		}
		return at(w, weekly(nil))
	}, func(t *testing.T, w *plugintest.World, r sdktest.Result) {
		r.RequireOK(t)
		require.Len(t, w.Contents("42"), 7)
		require.Len(t, w.Effects(""), 2)
	})
	twice := 0
	plugintest.Deaths(t, plugin(), func(w *plugintest.World) sdktest.Case {
		return at(w, object{"target": "twitch_chat", "broadcasterId": "42", "wholeChat": true})
	}, func(t *testing.T, w *plugintest.World, r sdktest.Result) {
		r.RequireOK(t)
		twice += len(w.Effects("")) - 1
	})
	require.Equal(t, 1, twice, "only a death between the clearing and its note clears again")
}

// An attempt that failed for want of a note would make sure that it is done again.
func TestAChatThatCannotBeNotedIsCleared(t *testing.T) {
	w := plugintest.New(t)
	result := w.Run(plugintest.WithoutCheckpoints(plugin()), at(w, object{"target": "twitch_chat", "broadcasterId": "42", "wholeChat": true}))
	result.RequireOK(t)
	require.Equal(t, []string{"chat cleared"}, w.Effects(""))
	require.Equal(t, "warn", result.Logs[0].Level)
	require.Contains(t, result.Logs[0].Message, "another attempt would")
}
