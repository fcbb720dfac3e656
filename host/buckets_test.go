package host_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/host"
)

// limited answers with a status and headers that the test sets.
type limited struct {
	status  int
	headers map[string]string
}

func (l *limited) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for name, value := range l.headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(l.status)
}

func TestServersThatAskForPatienceAreLeftAlone(t *testing.T) {
	epoch := func(d time.Duration) string {
		return strconv.FormatFloat(float64(coretest.Epoch().Add(d).UnixMilli())/1000, 'f', 3, 64)
	}
	for name, test := range map[string]struct {
		status  int
		headers map[string]string
		told    time.Duration // to the plugin
		held    time.Duration
	}{
		"retry after":          {429, map[string]string{"Retry-After": "3"}, 3 * time.Second, 3 * time.Second},
		"a date":               {429, map[string]string{"Retry-After": coretest.Epoch().Add(9 * time.Second).Format(http.TimeFormat)}, 9 * time.Second, 9 * time.Second},
		"discord":              {429, map[string]string{"Retry-After": "2", "X-RateLimit-Reset-After": "2.25", "X-RateLimit-Bucket": "b"}, 2250 * time.Millisecond, 2250 * time.Millisecond},
		"discord, shared":      {429, map[string]string{"Retry-After": "9", "X-RateLimit-Reset-After": "2.25", "X-RateLimit-Bucket": "b"}, 9 * time.Second, 9 * time.Second},
		"discord, global":      {429, map[string]string{"Retry-After": "2", "X-RateLimit-Reset-After": "99", "X-RateLimit-Global": "true", "X-RateLimit-Bucket": "b"}, 2 * time.Second, 2 * time.Second},
		"discord, none left":   {200, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5", "X-RateLimit-Bucket": "b"}, 0, 1500 * time.Millisecond},
		"discord, one left":    {200, map[string]string{"X-RateLimit-Remaining": "1", "X-RateLimit-Reset-After": "1.5", "X-RateLimit-Bucket": "b"}, 0, 0},
		"none left, an epoch":  {200, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch(time.Minute)}, 0, time.Minute},
		"twitch":               {429, map[string]string{"Ratelimit-Remaining": "0", "Ratelimit-Reset": epoch(42 * time.Second)}, 42 * time.Second, 42 * time.Second},
		"beyond measure":       {429, map[string]string{"Retry-After": "1e300"}, 30 * 24 * time.Hour, time.Hour},
		"epoch beyond measure": {429, map[string]string{"Ratelimit-Reset": "1e300"}, 0, 0},
		"a past epoch":         {429, map[string]string{"Ratelimit-Reset": "5"}, 0, 0},
		"nonsense":             {429, map[string]string{"Retry-After": "soon", "Ratelimit-Reset": "NaN"}, 0, 0},
		"silence":              {429, nil, 0, 0},
		"unavailable":          {503, map[string]string{"Retry-After": "3"}, 3 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			clock := coretest.NewClock(t)
			page := &limited{status: test.status, headers: test.headers}
			s := newSite(t, page.ServeHTTP)
			v := newVisitor(t, host.EgressConfig{Clock: clock}, "", s.grant("a.test"))
			ask := get(s.at("a.test", "/channels/1/messages"))
			first := v.answer(t, ask)
			require.Equal(t, test.status, first.Status)
			require.Equal(t, test.told.Milliseconds(), first.RetryAfterMS)
			if test.held == 0 {
				v.answer(t, ask)
				require.Len(t, s.requests(), 2)
				return
			}
			clock.Advance(test.held - time.Millisecond)
			second := v.answer(t, ask)
			require.Equal(t, []any{429, int64(1), []string{"1"}, []string{"true"}},
				[]any{second.Status, second.RetryAfterMS, second.Headers["Retry-After"], second.Headers["X-Scheduler-Rate-Limited"]})
			require.Len(t, s.requests(), 1, "it was not sent")
			clock.Advance(time.Millisecond)
			v.answer(t, ask)
			require.Len(t, s.requests(), 2)
		})
	}
}

// What is held back is the bucket, for one channel and one plugin; globally, the
// host.
func TestOnlyWhatIsLimitedIsHeldBack(t *testing.T) {
	blocked := map[string]string{"Retry-After": "60", "X-RateLimit-Bucket": "b"}
	clear := map[string]string{"X-RateLimit-Bucket": "b"}
	for name, test := range map[string]struct {
		headers map[string]string
		held    []string
		free    []string
	}{
		"a bucket": {blocked,
			[]string{"GET a.test /v/channels/1/messages/2", "GET a.test /v/channels/1/messages/3", "PATCH a.test /v/channels/1"},
			[]string{"GET a.test /v/channels/7/messages/2", "PATCH a.test /v/channels/7", "GET a.test /v/channels/1/pins", "GET b.test /v/channels/1/messages/2"}},
		"everything": {map[string]string{"Retry-After": "60", "X-RateLimit-Bucket": "b", "X-RateLimit-Global": "true"},
			[]string{"GET a.test /v/channels/1/messages/2", "GET a.test /other"},
			[]string{"GET b.test /v/channels/1/messages/2"}},
		"a server without buckets": {map[string]string{"Retry-After": "60"},
			[]string{"GET a.test /v/channels/1/messages/2", "GET a.test /other"},
			[]string{"GET b.test /other"}},
	} {
		t.Run(name, func(t *testing.T) {
			page := &limited{status: 200, headers: clear}
			s := newSite(t, page.ServeHTTP)
			v := newVisitor(t, host.EgressConfig{Clock: coretest.NewClock(t)}, "", s.grant("a.test", "b.test"))
			ask := func(text string) ask {
				var method, host, path string
				_, err := fmt.Sscanf(text, "%s %s %s", &method, &host, &path)
				require.NoError(t, err)
				return send(method, s.at(host, path))
			}
			v.answer(t, ask("PATCH a.test /v/channels/1")) // its bucket is known from here on
			page.status, page.headers = 429, test.headers
			v.answer(t, ask("GET a.test /v/channels/1/messages/2"))
			page.status, page.headers = 200, nil
			for _, text := range test.held {
				require.Equal(t, 429, v.answer(t, ask(text)).Status, text)
			}
			for _, text := range test.free {
				require.Equal(t, 200, v.answer(t, ask(text)).Status, text)
			}
		})
	}
}

func TestRateLimitsAreThePluginsOwn(t *testing.T) {
	page := &limited{status: 429, headers: map[string]string{"Retry-After": "60"}}
	s := newSite(t, page.ServeHTTP)
	v := newVisitor(t, host.EgressConfig{Clock: coretest.NewClock(t)}, "", s.grant("a.test"))
	grants := "grants: {privateNetworks: [127.0.0.1/32], " + s.grant("a.test") + "}"
	v.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: good, "+grants+"}\n  - {type: y, runtime: fake, source: good, "+grants+"}\n")
	require.NoError(t, v.Reload(t.Context()))
	v.answer(t, get(s.at("a.test", "/")))
	page.status, page.headers = 200, nil
	require.Equal(t, 429, v.answer(t, get(s.at("a.test", "/"))).Status)
	_, err := v.invoke(t, "y")
	require.NoError(t, err)
	require.Equal(t, 200, v.seen[0].Status)
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	page := &limited{status: 200, headers: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "60"}}
	i := 0
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		i++
		page.headers["X-RateLimit-Bucket"] = strconv.Itoa(i)
		page.ServeHTTP(w, r)
	})
	v := newVisitor(t, host.EgressConfig{Clock: coretest.NewClock(t)}, "limits: {httpRequests: 10000, hostCalls: 10000}", s.grant("a.test"))
	asks := make([]ask, host.MaxBuckets+53)
	for n := range asks {
		asks[n] = get(s.at("a.test", "/"+strconv.Itoa(n)+"x"))
	}
	_, f := v.run(t, asks...)
	require.Nil(t, f)
	require.Equal(t, host.MaxBuckets, v.Buckets())
}
