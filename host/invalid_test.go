package host_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/host"
)

// storm is a server whose answers the test sets, and a plugin that asks it.
type storm struct {
	*visitor
	t     *testing.T
	site  *site
	page  *limited
	clock *coretest.Clock
}

func newStorm(t *testing.T, status int) *storm {
	page := &limited{status: status, headers: map[string]string{}}
	w := &storm{t: t, page: page, site: newSite(t, page.ServeHTTP), clock: coretest.NewClock(t)}
	w.visitor = newVisitor(t, host.EgressConfig{Clock: w.clock}, "limits: {httpRequests: 10000, hostCalls: 10000}", w.site.grant("a.test", "b.test"))
	return w
}

// sends makes requests and demands how many of them reach the server.
func (w *storm) sends(n, reach int, name string) []got {
	w.t.Helper()
	before := len(w.site.requests())
	asks := make([]ask, n)
	for i := range asks {
		asks[i] = get(w.site.at(name, "/"))
	}
	seen, f := w.run(w.t, asks...)
	require.Nil(w.t, f)
	require.Equal(w.t, reach, len(w.site.requests())-before)
	return seen
}

func TestAStormOfUnauthorizedRequestsStops(t *testing.T) {
	w := newStorm(t, 401)
	seen := w.sends(7, 5, "a.test")
	require.Empty(t, seen[4].Headers["X-Scheduler-Unauthorized"])
	require.Equal(t, []any{401, []string{"true"}, int64(0)}, []any{seen[5].Status, seen[5].Headers["X-Scheduler-Unauthorized"], seen[5].RetryAfterMS})
	require.Contains(t, seen[5].Body, "check the token")
	w.page.status = 200
	w.sends(1, 1, "b.test")
	w.page.status = 401

	// It is tried again after one, two, four, eight and then always ten minutes.
	for _, rest := range []time.Duration{1, 2, 4, 8, 10, 10} {
		w.clock.Advance(rest*time.Minute - time.Millisecond)
		w.sends(2, 0, "a.test")
		w.clock.Advance(time.Millisecond)
		w.sends(3, 1, "a.test")
	}

	// One that passes ends it, and the count begins anew.
	w.clock.Advance(10 * time.Minute)
	w.page.status = 200
	w.sends(3, 3, "a.test")
	w.page.status = 401
	w.sends(6, 5, "a.test")
	w.clock.Advance(time.Minute)
	w.sends(2, 1, "a.test")
}

func TestOnlyUnauthorizedRequestsInARowMakeAStorm(t *testing.T) {
	for status, reset := range map[int]bool{200: true, 204: true, 404: true, 403: true, 429: false, 500: false, 503: false} {
		w := newStorm(t, 401)
		w.sends(4, 4, "a.test")
		w.page.status = status
		w.sends(1, 1, "a.test")
		w.page.status = 401
		w.sends(1, 1, "a.test")
		reach := 0
		if reset {
			reach = 1
		}
		w.sends(1, reach, "a.test")
	}
}

// Who tries again keeps the others back, also when nobody answers him.
func TestATrialThatIsNotAnsweredIsRepeatedLater(t *testing.T) {
	w := newStorm(t, 401)
	w.sends(5, 5, "a.test")
	w.clock.Advance(time.Minute)
	w.site.Close()
	ask := get(w.site.at("a.test", "/"))
	_, f := w.run(t, ask)
	require.NotNil(t, f, "it was sent")
	require.Equal(t, 401, w.answer(t, ask).Status, "it was sent, too")
	w.clock.Advance(30 * time.Second)
	_, f = w.run(t, ask)
	require.NotNil(t, f, "it was not sent")
}

func TestInvalidRequestsAreCountedAsDiscordDoes(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		headers map[string]string
		stopped bool
	}{
		"forbidden":      {403, nil, true},
		"limited":        {429, map[string]string{"X-RateLimit-Scope": "user"}, true},
		"limited shared": {429, map[string]string{"X-RateLimit-Scope": "shared"}, false},
		"not found":      {404, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStorm(t, test.status)
			w.page.headers = test.headers
			w.sends(host.MaxInvalid-1, host.MaxInvalid-1, "a.test")
			w.clock.Advance(9 * time.Minute)
			w.sends(1, 1, "a.test")
			if !test.stopped {
				w.sends(1, 1, "a.test")
				return
			}
			seen := w.sends(1, 0, "a.test")
			require.Equal(t, []any{429, time.Minute.Milliseconds(), []string{"true"}},
				[]any{seen[0].Status, seen[0].RetryAfterMS, seen[0].Headers["X-Scheduler-Rate-Limited"]})
			w.page.status = 200
			w.sends(1, 1, "b.test")
			w.clock.Advance(time.Minute)
			w.sends(2, 2, "a.test")
		})
	}
}
