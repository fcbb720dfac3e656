package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/plugintest"
	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

type (
	object = map[string]any
	list   = []any
)

// at is a case whose occurrence is meant for the world's time.
func at(w *plugintest.World, data object) sdktest.Case {
	return sdktest.Case{
		Data: data, Execution: sdk.Execution{NominalTime: w.At}, OnSleep: func(d time.Duration) { w.At = w.At.Add(d) },
	}
}

// later is the case of a later run, with the state that a run has left.
func later(w *plugintest.World, first sdktest.Result, data object) sdktest.Case {
	c := at(w, data)
	c.State = map[string]any{}
	for key, value := range first.State {
		c.State[key] = value
	}
	return c
}

// answers is an endpoint, and keeps what was asked.
type answers struct {
	pages map[string]string // by address
	asked []string
	heads []map[string]string
}

func (a *answers) http(w *plugintest.World) func(sdk.HTTPRequest) (sdk.HTTPResponse, error) {
	return func(r sdk.HTTPRequest) (sdk.HTTPResponse, error) {
		if !strings.HasPrefix(r.URL, "https://stats.test/") {
			return w.HTTP(r)
		}
		a.asked, a.heads = append(a.asked, r.URL), append(a.heads, r.Headers)
		page, known := a.pages[r.URL]
		if !known {
			return sdk.HTTPResponse{Status: 404}, nil
		}
		return sdk.HTTPResponse{Status: 200, Body: []byte(page)}, nil
	}
}

func countOf(s object, more object) object {
	data := object{"name": "x", "sources": list{s}, "metrics": list{object{"as": "n", "op": "count"}}}
	for name, value := range more {
		data[name] = value
	}
	return data
}

func TestStreams(t *testing.T) {
	w := plugintest.New(t)
	users := []string{}
	for i := range 230 {
		users = append(users, fmt.Sprint(1000+i))
		if i%2 == 0 {
			w.SetLive(users[i], "ada", "chess", i, w.At)
		}
	}
	var out output
	w.Run(plugin(), at(w, object{
		"name": "viewers", "sources": list{object{"kind": "helix_streams", "userIds": users}}, "groupBy": list{"/game_name"},
		"metrics": list{object{"as": "live", "op": "count"}, object{"as": "viewers", "op": "sum", "field": "/viewer_count"}, object{"as": "p95", "op": "p95", "field": "/viewer_count"}},
		"top":     list{object{"as": "largest", "field": "/user_id", "by": "/viewer_count", "k": 1}},
	})).Decode(t, &out)
	require.Equal(t, 3, out.Pages)
	require.Equal(t, 115, out.Rows)
	require.JSONEq(t, `{"live":115,"viewers":13110,"p95":218}`, jsonOf(t, out.Metrics))
	require.JSONEq(t, `{"largest":[{"value":"1228","count":1,"sum":228}]}`, jsonOf(t, out.Top))
	require.Equal(t, map[string]any{"/game_name": "Just Chatting"}, out.Groups[0].Group)
	require.Empty(t, w.Effects(""))
}

// Between two pages streams change places.
func TestAStreamOnTwoPagesCountsOnce(t *testing.T) {
	w := plugintest.New(t)
	c := at(w, countOf(object{"kind": "helix_streams", "userIds": []string{"8", "9"}}, nil))
	c.HTTP = sdktest.Answers(
		sdk.HTTPResponse{Body: []byte(`{"data":[{"user_id":"8"},{"user_id":"9"}],"pagination":{"cursor":"a"}}`)},
		sdk.HTTPResponse{Body: []byte(`{"data":[{"user_id":"9"}],"pagination":{}}`)},
	)
	var out output
	w.Run(plugin(), c).Decode(t, &out)
	require.Equal(t, []int{2, 2}, []int{out.Rows, out.Pages})
}

func TestGuilds(t *testing.T) {
	w := plugintest.New(t)
	var out output
	w.Run(plugin(), at(w, object{
		"name": "members", "sources": list{object{"kind": "discord_guild", "guildIds": []string{"7", "8"}}},
		"metrics": list{object{"as": "members", "op": "sum", "field": "/approximate_member_count"}},
	})).Decode(t, &out)
	require.JSONEq(t, `{"members":2000}`, jsonOf(t, out.Metrics))
}

func TestPages(t *testing.T) {
	const base = "https://stats.test/v1?x=1"
	cursor := object{"cursor": "/page/next", "parameter": "after"}
	for name, test := range map[string]struct {
		source object
		pages  map[string]string
		want   int
		asked  []string
	}{
		"one page":      {object{}, map[string]string{base: `[{},{},{}]`}, 3, []string{base}},
		"an object":     {object{"items": "/data"}, map[string]string{base: `{"data":{"x":1}}`}, 1, []string{base}},
		"nothing there": {object{"items": "/data"}, map[string]string{base: `{"error":null}`}, 0, []string{base}},
		"cursors": {object{"items": "/data", "pagination": cursor}, map[string]string{
			base: `{"data":[1,2],"page":{"next":"a&b"}}`, base + "&after=a%26b": `{"data":[3],"page":{"next":77}}`, base + "&after=77": `{"data":[4],"page":{"next":""}}`,
		}, 4, []string{base, base + "&after=a%26b", base + "&after=77"}},
		"a cursor that stays": {object{"items": "/data", "pagination": cursor}, map[string]string{
			base: `{"data":[1,2],"page":{"next":"a"}}`, base + "&after=a": `{"data":[3],"page":{"next":"a"}}`,
		}, 3, []string{base, base + "&after=a"}},
		"links": {object{"items": "/data", "pagination": object{"next": "/next"}}, map[string]string{
			base: `{"data":[1],"next":"?page=2"}`, "https://stats.test/v1?page=2": `{"data":[2],"next":"https://stats.test/v1?page=3"}`, "https://stats.test/v1?page=3": `{"data":[3],"next":null}`,
		}, 3, []string{base, "https://stats.test/v1?page=2", "https://stats.test/v1?page=3"}},
		"a link to itself": {object{"items": "/data", "pagination": object{"next": "/next"}}, map[string]string{
			base: `{"data":[1],"next":"/v1?x=1"}`,
		}, 1, []string{base}},
	} {
		t.Run(name, func(t *testing.T) {
			w, a := plugintest.New(t), &answers{pages: test.pages}
			test.source["kind"], test.source["url"] = "http", base
			test.source["headers"] = object{"Authorization": "Bearer {{secret:discord_token}}"}
			c := at(w, countOf(test.source, nil))
			c.HTTP = a.http(w)
			var out output
			w.Run(plugin(), c).Decode(t, &out)
			require.Equal(t, test.want, out.Rows)
			require.Equal(t, test.asked, a.asked)
			require.Equal(t, len(test.asked), out.Pages)
			for _, headers := range a.heads {
				require.Equal(t, "Bearer {{secret:discord_token}}", headers["Authorization"])
			}
		})
	}
}

func TestAnswersThatAreNoUse(t *testing.T) {
	const base = "https://stats.test/v1"
	for name, test := range map[string]struct {
		source object
		page   string
		kind   wire.ErrorKind
		want   string
	}{
		"too many pages":      {object{"maxPages": 2, "pagination": object{"cursor": "/0", "parameter": "p"}}, "", wire.Permanent, "more than 2 pages"},
		"a link elsewhere":    {object{"items": "/d", "pagination": object{"next": "/next"}}, `{"next":"https://evil.test/"}`, wire.Permanent, "to another server, evil.test"},
		"a link in the clear": {object{"items": "/d", "pagination": object{"next": "/next"}}, `{"next":"http://stats.test/"}`, wire.Permanent, "to another server"},
		"no JSON":             {object{}, `{"a":`, wire.Retryable, "read the answer"},
		"two values":          {object{}, `{} {}`, wire.Retryable, "more than one JSON value"},
		"no rows":             {object{"items": "/a"}, `{"a":"x"}`, wire.Permanent, `what the answer has at "/a"`},
		"no page":             {object{"url": base + "/no"}, "", wire.Permanent, "answered 404"},
		"a placeholder":       {object{"url": "{{secret:discord_webhook}}", "pagination": object{"next": "/next"}}, `{"next":"/x"}`, wire.Permanent, "without a secret in its beginning"},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			a := &answers{pages: map[string]string{base: test.page}}
			if test.page == "" {
				a.pages = map[string]string{base: `["a"]`, base + "?p=a": `["b"]`}
			}
			source := object{"kind": "http", "url": base}
			for key, value := range test.source {
				source[key] = value
			}
			c := at(w, countOf(source, nil))
			c.HTTP = func(r sdk.HTTPRequest) (sdk.HTTPResponse, error) {
				if strings.HasPrefix(r.URL, "{{") {
					return sdk.HTTPResponse{Status: 200, Body: []byte(test.page)}, nil
				}
				return a.http(w)(r)
			}
			failure := w.Run(plugin(), c).RequireFailure(t, test.kind)
			require.Contains(t, failure.Message, "source 1: ")
			require.Contains(t, failure.Message, test.want)
		})
	}
}

// With a cursor that is kept each run reads what is new.
func TestTheNextRunGoesOn(t *testing.T) {
	const base = "https://stats.test/log"
	w := plugintest.New(t)
	a := &answers{pages: map[string]string{
		base: `{"d":[1,2],"c":"a"}`, base + "?from=a": `{"d":[3],"c":"b"}`, base + "?from=b": `{"d":[4],"c":"c"}`, base + "?from=c": `{"d":[],"c":"c"}`,
	}}
	data := countOf(object{
		"kind": "http", "url": base, "items": "/d", "pagination": object{"cursor": "/c", "parameter": "from"}, "cursorKey": "log", "maxPages": 2,
	}, nil)
	var previous sdktest.Result
	for _, want := range []struct {
		rows int
		more bool
	}{{3, true}, {1, false}, {0, false}} {
		c := later(w, previous, data)
		c.HTTP = a.http(w)
		var out output
		previous = w.Run(plugin(), c)
		previous.Decode(t, &out)
		require.Equal(t, want.rows, out.Rows)
		require.Equal(t, want.more, out.More)
	}
	require.JSONEq(t, `"c"`, string(previous.State["cursor/log"]))

	// A run that fails has read nothing.
	a.pages[base+"?from=c"] = `{"d":[5],"c":"d"}`
	delete(a.pages, base+"?from=d")
	c := later(w, previous, data)
	c.HTTP = a.http(w)
	require.Empty(t, w.Run(plugin(), c).State)
}

func TestRowsOfTheirOwnTimes(t *testing.T) {
	w := plugintest.New(t)
	stamp := func(d time.Duration) string { return w.At.Add(d).Format(time.RFC3339Nano) }
	rows := list{}
	for _, d := range []time.Duration{-time.Hour - 1, -time.Hour, -30 * time.Minute, -1, 0, time.Minute} {
		rows = append(rows, object{"at": stamp(d), "x": 1})
	}
	rows = append(rows, object{"at": 12}, object{}, object{"at": "yesterday"})
	a := &answers{pages: map[string]string{"https://stats.test/": jsonOf(t, rows)}}
	c := at(w, countOf(object{"kind": "http", "url": "https://stats.test/"}, object{"windowMs": time.Hour.Milliseconds(), "timeField": "/at"}))
	c.HTTP = a.http(w)
	var out output
	result := w.Run(plugin(), c)
	result.Decode(t, &out)
	require.Equal(t, []int{3, 3, 3}, []int{out.Rows, out.Outside, out.Ignored})
	require.Equal(t, w.At.Add(-time.Hour), *out.From)
	require.Empty(t, result.State)
}

// Rows without a time join those of the earlier runs in the window.
func TestSamplesOfSeveralRuns(t *testing.T) {
	w := plugintest.New(t)
	data := object{
		"name": "viewers", "sources": list{object{"kind": "helix_streams", "userIds": []string{"9"}}}, "windowMs": (10 * time.Minute).Milliseconds(),
		"metrics": list{object{"as": "avg", "op": "avg", "field": "/viewer_count"}, object{"as": "max", "op": "max", "field": "/viewer_count"}},
	}
	var previous sdktest.Result
	run := func() (out output) {
		previous = w.Run(plugin(), later(w, previous, data))
		previous.Decode(t, &out)
		return out
	}
	for i, want := range []string{`{"avg":100,"max":100}`, `{"avg":50,"max":100}`, `{"avg":25,"max":50}`, `{"avg":37.5,"max":50}`} {
		w.SetLive("9", "ada", "chess", []int{100, 0, 50, 25}[i], w.At)
		require.JSONEq(t, want, jsonOf(t, run().Metrics))
		w.At = w.At.Add(5 * time.Minute)
	}

	// A run for the same time takes the place of the earlier one.
	w.At = w.At.Add(-5 * time.Minute)
	require.Equal(t, 2, run().Rows)
	w.SetLive("9", "", "", -1, w.At)
	require.Equal(t, 1, run().Rows)
	require.Equal(t, 1, run().Rows)

	// A task that is changed knows of earlier rows what they have.
	w.At = w.At.Add(time.Minute)
	data["metrics"] = list{object{"as": "streams", "op": "count", "field": "/title"}, object{"as": "n", "op": "count"}, object{"as": "max", "op": "max", "field": "/viewer_count"}}
	w.SetLive("9", "ada", "chess", 3, w.At)
	require.JSONEq(t, `{"streams":1,"n":2,"max":50}`, jsonOf(t, run().Metrics))
}

// A late run finds what is in the window of the time that it is meant for.
func TestSamplesAreKeptLongerThanTheWindow(t *testing.T) {
	require.Equal(t, 20*time.Minute, samples{window: 10 * time.Minute}.ttl())
	require.Equal(t, 366*24*time.Hour, samples{window: 300 * 24 * time.Hour}.ttl(), "the host keeps nothing longer")
}

// The bound is on what is in the window, not on what is kept besides.
func TestSamplesThatTheWindowHasPassedCountForNoBound(t *testing.T) {
	for name, test := range map[string]struct {
		age  time.Duration
		kind wire.ErrorKind
	}{"passed": {10 * time.Minute, ""}, "in the window": {5 * time.Minute, wire.Permanent}} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			c := at(w, countOf(object{"kind": "helix_streams", "userIds": []string{"9"}}, object{"windowMs": (10 * time.Minute).Milliseconds()}))
			c.Execution.TaskID = "t"
			c.State = map[string]any{}
			for i := range maxSamples + 1 {
				key := fmt.Sprintf("samples/t/%015d.00", w.At.Add(-test.age-time.Duration(i)*time.Millisecond).UnixMilli())
				c.State[key] = part{Rows: []row{}}
			}
			result := w.Run(plugin(), c)
			if test.kind == "" {
				result.RequireOK(t)
				return
			}
			require.Contains(t, result.RequireFailure(t, test.kind).Message, "more than 2000 samples")
		})
	}
}

// What one run keeps may need several values, and none is too large.
func TestManyRowsAreKeptInParts(t *testing.T) {
	w := plugintest.New(t)
	rows := list{}
	for i := range 500 {
		rows = append(rows, object{"x": strings.Repeat("x", 300), "n": i})
	}
	a := &answers{pages: map[string]string{"https://stats.test/": jsonOf(t, rows)}}
	data := object{
		"name": "x", "sources": list{object{"kind": "http", "url": "https://stats.test/"}}, "windowMs": 60_000,
		"metrics": list{object{"as": "sum", "op": "sum", "field": "/n"}, object{"as": "texts", "op": "count", "field": "/x"}},
	}
	c := at(w, data)
	c.HTTP = a.http(w)
	first := w.Run(plugin(), c)
	first.RequireOK(t)
	require.Len(t, first.State, 4)
	for _, value := range first.State {
		require.Less(t, len(value), 64<<10)
	}
	a.pages["https://stats.test/"] = `[]`
	w.At = w.At.Add(time.Second)
	c = later(w, first, data)
	c.HTTP = a.http(w)
	var out output
	w.Run(plugin(), c).Decode(t, &out)
	require.JSONEq(t, `{"sum":124750,"texts":500}`, jsonOf(t, out.Metrics))

	a.pages["https://stats.test/"] = jsonOf(t, list{object{"x": strings.Repeat("x", maxPartSize)}})
	c = at(w, data)
	c.HTTP = a.http(w)
	require.Contains(t, w.Run(plugin(), c).RequireFailure(t, wire.Permanent).Message, "can be kept")
}

func TestTheResultIsKeptPublishedAndPosted(t *testing.T) {
	for platform, route := range map[string]string{"discord": "discord.create_message", "twitch": "twitch.send_chat_message"} {
		t.Run(platform, func(t *testing.T) {
			w := plugintest.New(t)
			w.SetLive("9", "ada", "chess", 1_500_000, w.At)
			result := w.Run(plugin(), at(w, object{
				"name": "viewers", "sources": list{object{"kind": "helix_streams", "userIds": []string{"9"}}}, "groupBy": list{"/user_login"},
				"metrics": list{object{"as": "viewers", "op": "sum", "field": "/viewer_count"}},
				"storeAs": "last", "publish": true,
				"post": object{
					"platform": platform, "channelId": "42", "timezone": "Europe/Berlin",
					"content": `{{.Data.metrics.viewers}} at {{format .NominalTime "15:04"}}{{range .Data.groups}}, {{index .group "/user_login"}}: {{.metrics.viewers}}{{end}}`,
				},
			}))
			result.RequireOK(t)
			require.JSONEq(t, string(result.Value), string(result.State["last"]))
			require.Len(t, result.Events, 1)
			require.Equal(t, "aggregation.viewers", result.Events[0].Type)
			require.JSONEq(t, string(result.Value), string(result.Events[0].Data))
			detail := w.Detail(route, 0)
			require.Contains(t, []any{detail["content"], detail["message"]}, "1500000 at 14:00, ada: 1500000")
		})
	}
}

// A channel that is offline has no rows, so it has no average.
func TestAFigureOfNothingIsADash(t *testing.T) {
	w := plugintest.New(t)
	w.Run(plugin(), at(w, object{
		"name": "viewers", "sources": list{object{"kind": "helix_streams", "userIds": []string{"9"}}},
		"metrics": list{object{"as": "average", "op": "avg", "field": "/viewer_count"}, object{"as": "viewers", "op": "sum", "field": "/viewer_count"}},
		"post":    object{"platform": "discord", "channelId": "42", "content": `{{.Data.metrics.average}} of {{.Data.metrics.viewers}}{{if .Data.metrics.average}}, live{{end}}`},
	})).RequireOK(t)
	require.Equal(t, "– of 0", w.Detail("discord.create_message", 0)["content"])
}

func TestNamesThatAreThereTwice(t *testing.T) {
	count := object{"as": "n", "op": "count"}
	top := object{"as": "n", "field": "/a", "k": 1}
	for want, more := range map[string]object{
		`metrics/1/as: "n" is the name of an earlier metric`: {"metrics": list{count, object{"as": "n", "op": "sum", "field": "/a"}}},
		`top/1/as: "n" is the name of an earlier list`:       {"top": list{top, top}},
		"": {"metrics": list{count}, "top": list{top}}, // they do not meet
	} {
		w := plugintest.New(t)
		result := w.Run(plugin(), at(w, countOf(object{"kind": "helix_streams", "userIds": []string{"9"}}, more)))
		if want == "" {
			result.RequireOK(t)
			continue
		}
		require.Contains(t, result.RequireFailure(t, wire.Permanent).Message, want)
		require.Empty(t, w.Journal().Requests(""), "nothing was asked for")
	}
}

func TestAPostThatCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct{ platform, content, want string }{
		"no template":          {"discord", "{{.Data.metrics.viewers", "post.content: template"},
		"an unknown figure":    {"discord", "{{.Data.metrics.viewers}}", `no entry for key "viewers"`},
		"too long for Discord": {"discord", "{{range 2001}}x{{end}}", "2001 characters"},
		"too long for Twitch":  {"twitch", "{{range 501}}x{{end}}", "501 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			w := plugintest.New(t)
			result := w.Run(plugin(), at(w, countOf(object{"kind": "helix_streams", "userIds": []string{"9"}}, object{
				"storeAs": "last", "post": object{"platform": test.platform, "channelId": "42", "content": test.content},
			})))
			require.Contains(t, result.RequireFailure(t, wire.Permanent).Message, test.want)
			require.Empty(t, w.Effects(""))
			require.Empty(t, result.State)
		})
	}
}

func TestWhatNoTaskCanSay(t *testing.T) {
	streams := object{"kind": "helix_streams", "userIds": []string{"9"}}
	source := func(more object) object {
		s := object{"kind": "http", "url": "https://stats.test/"}
		for key, value := range more {
			s[key] = value
		}
		return countOf(s, nil)
	}
	for name, test := range map[string]struct {
		data object
		want string
	}{
		"nothing":                   {object{}, "'name', 'sources'"},
		"no figures":                {object{"name": "x", "sources": list{streams}}, "'metrics'"},
		"no sources":                {countOf(nil, object{"sources": list{}}), "/sources"},
		"a name with a dot":         {countOf(streams, object{"name": "a.b"}), "/name"},
		"another kind":              {countOf(object{"kind": "sql"}, nil), "/sources/0/kind"},
		"streams of nobody":         {countOf(object{"kind": "helix_streams"}, nil), "'userIds'"},
		"a guild of users":          {countOf(object{"kind": "discord_guild", "guildIds": []string{"7"}, "userIds": []string{"9"}}, nil), "/sources/0/userIds"},
		"an endpoint nowhere":       {countOf(object{"kind": "http"}, nil), "'url'"},
		"pages of streams":          {countOf(object{"kind": "helix_streams", "userIds": []string{"9"}, "maxPages": 3}, nil), "/sources/0/maxPages"},
		"101 pages":                 {source(object{"maxPages": 101}), "/sources/0/maxPages"},
		"a cursor for nothing":      {source(object{"pagination": object{"cursor": "/c"}}), "'parameter'"},
		"pages by nothing":          {source(object{"pagination": object{}}), "'next'"},
		"pages by both":             {source(object{"pagination": object{"next": "/n", "cursor": "/c", "parameter": "p"}}), "/sources/0/pagination/cursor"},
		"a kept cursor of none":     {source(object{"cursorKey": "k"}), "'pagination'"},
		"a kept cursor of links":    {source(object{"cursorKey": "k", "pagination": object{"next": "/n"}}), "'cursor'"},
		"a header with a line":      {source(object{"headers": object{"a b": "c"}}), "/sources/0/headers"},
		"a sum of nothing":          {countOf(streams, object{"metrics": list{object{"as": "x", "op": "sum"}}}), "'field'"},
		"another operation":         {countOf(streams, object{"metrics": list{object{"as": "x", "op": "mode", "field": "/x"}}}), "/metrics/0/op"},
		"percent above a hundred":   {countOf(streams, object{"metrics": list{object{"as": "x", "op": "p101", "field": "/x"}}}), "/metrics/0/op"},
		"a field that is a name":    {countOf(streams, object{"metrics": list{object{"as": "x", "op": "sum", "field": "x"}}}), "/metrics/0/field"},
		"a list without length":     {countOf(streams, object{"top": list{object{"as": "x", "field": "/x"}}}), "'k'"},
		"times without a window":    {countOf(streams, object{"timeField": "/x"}), "'windowMs'"},
		"two years":                 {countOf(streams, object{"windowMs": 2 * 366 * 86_400_000}), "/windowMs"},
		"a key that is not its own": {countOf(streams, object{"storeAs": "samples/x"}), "/storeAs"},
		"a post to nobody":          {countOf(streams, object{"post": object{"platform": "discord", "content": "x"}}), "'channelId'"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, plugintest.Refused(t, plugin(), test.data), test.want)
		})
	}
}
