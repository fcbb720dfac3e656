package fakeplatform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
)

// world is a platform with a clock that stands still.
type world struct {
	*testing.T
	*fakeplatform.Platform
	now  time.Time
	base string
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.Platform = fakeplatform.New(fakeplatform.Config{Now: func() time.Time { return w.now }})
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	w.base = server.URL
	return w
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// as says who asks.
var as = map[string]http.Header{
	"discord": {"Authorization": {"Bot token"}, "User-Agent": {"DiscordBot (https://example.com, 1)"}},
	"twitch":  {"Authorization": {"Bearer token"}, "Client-Id": {"client"}},

	"notification": {"Idempotency-Key": {"e:1"}},
}

// try asks; the error is that of the connection.
func (w *world) try(method, path string, body any) (answer, error) {
	w.Helper()
	raw, err := json.Marshal(body)
	require.NoError(w, err)
	req, err := http.NewRequestWithContext(w.Context(), method, w.base+path, bytes.NewReader(raw))
	require.NoError(w, err)
	for name, values := range as[strings.SplitN(path, "/", 3)[1]] {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { require.NoError(w, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(text)}
	_ = json.Unmarshal(text, &a.body) // lists are read from raw
	return a, err
}

func (w *world) call(method, path string, body any) answer {
	w.Helper()
	a, err := w.try(method, path, body)
	require.NoError(w, err)
	return a
}

// effects lists what has changed.
func (w *world) effects() []string {
	var out []string
	for _, e := range w.Journal().Effects("") {
		out = append(out, e.Effect)
	}
	return out
}

type object = map[string]any

const (
	discord = "/discord/api/v10/"
	twitch  = "/twitch/helix/"
)

func TestStatusesAreThoseOfThePlatforms(t *testing.T) {
	long := strings.Repeat("x", 2001)
	ban := twitch + "moderation/bans?broadcaster_id=1&moderator_id=2"
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"a message":                   {"POST", discord + "channels/7/messages", object{"content": "hi"}, 200},
		"an empty message":            {"POST", discord + "channels/7/messages", object{}, 400},
		"a long message":              {"POST", discord + "channels/7/messages", object{"content": long}, 400},
		"a channel that is no id":     {"POST", discord + "channels/abc/messages", object{"content": "hi"}, 404},
		"a message that is not":       {"GET", discord + "channels/7/messages/9", nil, 404},
		"a webhook that waits":        {"POST", discord + "webhooks/7/secret?wait=true", object{"content": "hi"}, 200},
		"a webhook":                   {"POST", discord + "webhooks/7/secret", object{"content": "hi"}, 204},
		"a ban":                       {"PUT", discord + "guilds/1/bans/2", object{}, 204},
		"an unban of somebody free":   {"DELETE", discord + "guilds/1/bans/2", nil, 404},
		"a kick":                      {"DELETE", discord + "guilds/1/members/2", nil, 204},
		"a time-out too long":         {"PATCH", discord + "guilds/1/members/2", object{"communication_disabled_until": "2026-06-01T12:00:00Z"}, 400},
		"one message in bulk":         {"POST", discord + "channels/7/messages/bulk-delete", object{"messages": []string{"1"}}, 400},
		"a topic":                     {"PATCH", discord + "channels/7", object{"topic": "new"}, 200},
		"a slow mode too slow":        {"PATCH", discord + "channels/7", object{"rate_limit_per_user": 30000}, 400},
		"a route that is not there":   {"GET", discord + "stickers", nil, 404},
		"chat":                        {"POST", twitch + "chat/messages", object{"broadcaster_id": "1", "sender_id": "2", "message": "hi"}, 200},
		"chat too long":               {"POST", twitch + "chat/messages", object{"broadcaster_id": "1", "sender_id": "2", "message": long}, 422},
		"an announcement":             {"POST", twitch + "chat/announcements?broadcaster_id=1&moderator_id=2", object{"message": "hi"}, 204},
		"an announcement in mauve":    {"POST", twitch + "chat/announcements?broadcaster_id=1&moderator_id=2", object{"message": "hi", "color": "mauve"}, 400},
		"a title":                     {"PATCH", twitch + "channels?broadcaster_id=1", object{"title": "new"}, 204},
		"an empty title":              {"PATCH", twitch + "channels?broadcaster_id=1", object{"title": ""}, 400},
		"a Twitch ban":                {"POST", ban, object{"data": object{"user_id": "5"}}, 200},
		"a time-out of three weeks":   {"POST", ban, object{"data": object{"user_id": "5", "duration": 1814400}}, 400},
		"a ban without a broadcaster": {"POST", twitch + "moderation/bans?moderator_id=2", object{"data": object{"user_id": "5"}}, 400},
		"games":                       {"GET", twitch + "games?name=minecraft", nil, 200},
		"games of no name":            {"GET", twitch + "games", nil, 400},
		"streams":                     {"GET", twitch + "streams?user_id=5", nil, 200},
		"a notification":              {"POST", "/notification/notifications", object{"message": "hi"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			require.Equal(t, c.status, w.call(c.method, c.path, c.body).status)
		})
	}
}

func TestWhoAsksMustSayWho(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{discord + "channels/7", twitch + "channels?broadcaster_id=1"} {
		platform := strings.SplitN(path, "/", 3)[1]
		known := as[platform].Clone()
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.base+path, nil)
		require.NoError(t, err)
		req.Header = known
		req.Header.Del("Authorization")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 401, resp.StatusCode)
	}
}

func TestANonceIsSentOnceForAFewMinutes(t *testing.T) {
	w := newWorld(t)
	send := func() any {
		return w.call("POST", discord+"channels/7/messages", object{"content": "hi", "nonce": "abc", "enforce_nonce": true}).body["id"]
	}
	first := send()
	require.Equal(t, first, send())
	require.Equal(t, []string{"message created"}, w.effects())
	w.now = w.now.Add(5 * time.Minute)
	require.NotEqual(t, first, send())
	require.Len(t, w.effects(), 2)
}

func TestARepeatedBanChangesNothing(t *testing.T) {
	w := newWorld(t)
	body := object{"data": object{"user_id": "5"}}
	require.Equal(t, 200, w.call("POST", twitch+"moderation/bans?broadcaster_id=1&moderator_id=2", body).status)
	again := w.call("POST", twitch+"moderation/bans?broadcaster_id=1&moderator_id=2", body)
	require.Equal(t, 400, again.status)
	require.Contains(t, again.body["message"], "already banned")
	require.Equal(t, 204, w.call("PUT", discord+"guilds/1/bans/2", nil).status)
	require.Equal(t, 204, w.call("PUT", discord+"guilds/1/bans/2", nil).status)
	require.Len(t, w.effects(), 2)
}

func TestDiscordCountsByRouteAndChannel(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		a := w.call("POST", discord+"channels/7/messages", object{"content": "hi"})
		require.Equal(t, 200, a.status)
		require.Equal(t, []string{"4", "3", "2", "1", "0"}[i], a.header.Get("X-RateLimit-Remaining"))
		require.NotEmpty(t, a.header.Get("X-RateLimit-Bucket"))
	}
	refused := w.call("POST", discord+"channels/7/messages", object{"content": "hi"})
	require.Equal(t, 429, refused.status)
	require.Equal(t, "5", refused.header.Get("Retry-After"))
	require.Equal(t, "user", refused.header.Get("X-RateLimit-Scope"))
	require.Contains(t, refused.raw, `"retry_after":5}`)
	require.Equal(t, 200, w.call("POST", discord+"channels/8/messages", object{"content": "hi"}).status)
	w.now = w.now.Add(5 * time.Second)
	require.Equal(t, 200, w.call("POST", discord+"channels/7/messages", object{"content": "hi"}).status)
}

func TestTwitchCountsPoints(t *testing.T) {
	w := newWorld(t)
	for range 800 {
		require.Equal(t, 200, w.call("GET", twitch+"streams", nil).status)
	}
	a := w.call("GET", twitch+"streams", nil)
	require.Equal(t, 429, a.status)
	require.Equal(t, "0", a.header.Get("Ratelimit-Remaining"))
	require.Equal(t, "1777636860", a.header.Get("Ratelimit-Reset"), "epoch seconds")
}

func TestMessagesComeInPages(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for range 7 {
		ids = append(ids, w.call("POST", discord+"channels/7/messages", object{"content": "hi"}).body["id"].(string))
		w.now = w.now.Add(time.Minute)
	}
	page := func(query string) (got []string) {
		var list []struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(w.call("GET", discord+"channels/7/messages?"+query, nil).raw), &list))
		for _, m := range list {
			got = append(got, m.ID)
		}
		return got
	}
	require.Equal(t, []string{ids[6], ids[5]}, page("limit=2"))
	require.Equal(t, []string{ids[4], ids[3]}, page("limit=2&before="+ids[5]))
	require.Equal(t, []string{ids[4], ids[3]}, page("limit=2&after="+ids[2]))

	require.Equal(t, 204, w.call("POST", discord+"channels/7/messages/bulk-delete", object{"messages": ids[:3]}).status)
	require.Len(t, page("limit=100"), 4)
	w.now = w.now.Add(15 * 24 * time.Hour)
	require.Equal(t, 400, w.call("POST", discord+"channels/7/messages/bulk-delete", object{"messages": ids[3:5]}).status)
}

func TestStreamsComeInPages(t *testing.T) {
	w := newWorld(t)
	for _, user := range []string{"1", "2", "3"} {
		w.SetLive(user, "login"+user, "title", 10, w.now)
	}
	first := w.call("GET", twitch+"streams?first=2", nil)
	require.Len(t, first.body["data"], 2)
	cursor := first.body["pagination"].(object)["cursor"].(string)
	second := w.call("GET", twitch+"streams?first=2&after="+cursor, nil)
	require.Len(t, second.body["data"], 1)
	require.Empty(t, second.body["pagination"])
	w.SetLive("2", "", "", -1, w.now)
	require.Len(t, w.call("GET", twitch+"streams", nil).body["data"], 2)
}

func TestStreamsAreSetOverHTTP(t *testing.T) {
	w := newWorld(t)
	require.Empty(t, w.call("GET", "/live", nil).body["items"])
	set := w.call("POST", "/live", object{"userId": "5", "login": "ada", "title": "Chess", "viewers": 12})
	require.Equal(t, 200, set.status)
	require.Len(t, set.body["items"], 1)
	w.call("POST", "/live", object{"userId": "6"})
	streams := w.call("GET", twitch+"streams?user_id=5&user_id=6", nil).body["data"].([]any)
	require.Len(t, streams, 2)
	require.Equal(t, "ada", streams[0].(object)["user_login"])
	require.EqualValues(t, 12, streams[0].(object)["viewer_count"])
	require.Equal(t, "channel6", streams[1].(object)["user_login"])
	require.Len(t, w.call("POST", "/live", object{"userId": "5", "viewers": -1}).body["items"], 1)
	for _, wrong := range []object{{}, {"userId": "ada"}, {"userId": "5", "name": "ada"}} {
		require.Equal(t, 400, w.call("POST", "/live", wrong).status, wrong)
	}
	require.Equal(t, 204, w.call("DELETE", "/live", nil).status)
	require.Empty(t, w.call("GET", twitch+"streams", nil).body["data"])
}

func TestANotificationIsSentOnceForAKey(t *testing.T) {
	w := newWorld(t)
	first := w.call("POST", "/notification/notifications", object{"message": "hi", "via": []string{"email"}})
	require.Equal(t, first.body, w.call("POST", "/notification/notifications", object{"message": "hi"}).body)
	require.Len(t, w.effects(), 1)
	require.Equal(t, "e:1", w.Journal().Effects("")[0].IdempotencyKey)
}

func TestFaults(t *testing.T) {
	send := object{"broadcaster_id": "1", "sender_id": "2", "message": "hi"}
	for kind, c := range map[fakeplatform.FaultKind]struct {
		status  int // 0: no answer
		effects int
	}{
		fakeplatform.FaultRateLimited:  {429, 0},
		fakeplatform.FaultStatus:       {503, 0},
		fakeplatform.FaultUnauthorized: {401, 0},
		fakeplatform.FaultResetBefore:  {0, 0},
		fakeplatform.FaultResetAfter:   {0, 1},
		fakeplatform.FaultSlowBody:     {200, 1},
		fakeplatform.FaultWrongJSON:    {200, 1},
		fakeplatform.FaultNotSent:      {200, 0},
	} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t)
			set := w.call("POST", "/faults", object{"route": "twitch.*", "kind": kind, "times": 1, "status": 503, "delayMs": 50, "retryAfterMs": 2500})
			require.Equal(t, 200, set.status, set.raw)
			a, err := w.try("POST", twitch+"chat/messages", send)
			require.Equal(t, c.status == 0, err != nil, "%v", err)
			require.Equal(t, c.status, a.status)
			require.Len(t, w.effects(), c.effects)
			require.Equal(t, kind, w.Journal().Requests("")[0].Fault)
			require.Equal(t, 200, w.call("POST", twitch+"chat/messages", send).status, "it met one request")
		})
	}
}

func TestAFaultThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, f := range []object{
		{"route": "x", "kind": "nothing"}, {"kind": "hang"}, {"route": "[", "kind": "hang"}, {"route": "x", "kind": "status", "status": 42},
		{"route": "x", "kind": "rate_limited", "scope": "planet"}, {"route": "x", "kind": "hang", "times": -1}, {"rout": "x"},
	} {
		require.Equal(t, 400, w.call("POST", "/faults", f).status, f)
	}
	require.Empty(t, w.Faults().List())
}

func TestTheJournalIsBoundedAndGoesOn(t *testing.T) {
	w := newWorld(t)
	w.Platform = fakeplatform.New(fakeplatform.Config{JournalSize: 8})
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	w.base = server.URL
	for range 20 {
		w.call("POST", "/notification/notifications", object{"message": "hi"})
	}
	entries, _ := w.Journal().After(0)
	require.LessOrEqual(t, len(entries), 8)
	require.Equal(t, 20, entries[len(entries)-1].Sequence)
	newer, _ := w.Journal().After(18)
	require.Len(t, newer, 2)
	require.Len(t, w.call("GET", "/journal?after=18", nil).body["items"], 2)
}

func TestTheJournalIsStreamed(t *testing.T) {
	w := newWorld(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.base+"/journal/stream", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	w.call("POST", "/notification/notifications", object{"message": "streamed"})
	buffer := make([]byte, 4096)
	n, err := resp.Body.Read(buffer)
	require.NoError(t, err)
	require.Contains(t, string(buffer[:n]), "streamed")
}

// meddler is a client that, before it is answered, has another one change the
// world.
type meddler struct {
	*httptest.ResponseRecorder
	meddle func()
}

func (m *meddler) Header() http.Header {
	if meddle := m.meddle; meddle != nil {
		m.meddle = nil
		meddle()
	}
	return m.ResponseRecorder.Header()
}

// Answers go out while others change what they are about.
func TestAnAnswerShowsTheWorldAsItWasAsked(t *testing.T) {
	for platform, c := range map[string]struct{ path, field string }{
		"discord": {discord + "channels/7", "topic"}, "twitch": {twitch + "channels?broadcaster_id=7", "title"},
	} {
		w := newWorld(t)
		change := func(to string) { require.Less(t, w.call("PATCH", c.path, object{c.field: to}).status, 300) }
		change("before")
		req := httptest.NewRequestWithContext(t.Context(), "GET", c.path, nil)
		req.Header = as[platform].Clone()
		m := &meddler{httptest.NewRecorder(), func() { change("after") }}
		w.Handler().ServeHTTP(m, req)
		require.Contains(t, m.Body.String(), "before")
		require.NotContains(t, m.Body.String(), "after")
	}
}

// However long a fake is used, it takes so much memory and no more.
func TestTheWorldIsBounded(t *testing.T) {
	const members = 10_000
	w := newWorld(t)
	for from := 0; from < members; from += 200 {
		users := []string{}
		for i := range 200 {
			users = append(users, fmt.Sprint(1+from+i))
		}
		w.now = w.now.Add(time.Minute)
		require.Equal(t, 200, w.call("POST", discord+"guilds/1/bulk-ban", object{"user_ids": users}).status)
	}
	free := func() any {
		return w.call("GET", discord+"guilds/1?with_counts=true", nil).body["approximate_member_count"]
	}
	require.InDelta(t, 1000-members, free(), 0)
	require.Equal(t, 204, w.call("PUT", discord+"guilds/1/bans/20001", nil).status)
	require.InDelta(t, 1000-1, free(), 0)
	for i := range members + 1 {
		w.SetLive(fmt.Sprint(1+i), "ada", "chess", i, w.now)
	}
	require.Len(t, w.call("GET", twitch+"streams", nil).body["data"], 1)
}

// docs/development.md has every kind of fault and every member.
func TestThePageHasTheFaults(t *testing.T) {
	page, err := os.ReadFile("../../docs/development.md")
	require.NoError(t, err)
	w := newWorld(t)
	for _, kind := range w.call("GET", "/faults", nil).body["kinds"].([]any) {
		require.Contains(t, string(page), fmt.Sprintf("`%s`", kind))
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[fakeplatform.Fault]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		require.Contains(t, string(page), "\n| `"+name+"` |")
	}
}
