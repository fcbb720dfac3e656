package host_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func notifier(t *testing.T, url string) *host.HTTPNotifier {
	t.Helper()
	n, err := host.NewHTTPNotifier(host.HTTPNotifierConfig{URL: url, Timeout: 5 * time.Second})
	require.NoError(t, err)
	t.Cleanup(n.Close)
	return n
}

func notification() host.Notification {
	return host.Notification{
		IdempotencyKey: "e:1", ExecutionID: "e", TaskID: "t", TaskName: "n", TaskType: "reminder",
		NominalTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ChannelID: "c", Message: "m", Via: []string{"discord", "email"},
	}
}

func TestHTTPNotifierPosts(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id": "n-7", "via": ["discord"]}`)
	}))
	defer server.Close()

	require.NoError(t, notifier(t, server.URL+"/base/").Notify(t.Context(), notification()))
	require.Equal(t, "POST /base/notifications", got.Method+" "+got.URL.Path)
	require.Equal(t, "e:1", got.Header.Get("Idempotency-Key"))
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.JSONEq(t, `{"executionId": "e", "taskId": "t", "taskName": "n", "taskType": "reminder", "nominalTime": "2026-01-02T03:04:05Z",
		"channelId": "c", "message": "m", "via": ["discord", "email"]}`, string(body))
}

// What the service says beside its status is of no use, and can do no harm.
func TestHTTPNotifierTakesAnyAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"empty": "", "no JSON": "ok", "other JSON": `[1]`, "endless": strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
			defer server.Close()
			require.NoError(t, notifier(t, server.URL).Notify(t.Context(), notification()))
		})
	}
}

func TestHTTPNotifierSaysWhatAFailureMeans(t *testing.T) {
	soon := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	tests := map[string]struct {
		status      int
		header      string
		kind        wire.ErrorKind
		least, most int64
	}{
		"bad request":         {400, "", wire.Permanent, 0, 0},
		"not found":           {404, "5", wire.Permanent, 0, 0},
		"redirect":            {302, "", wire.Permanent, 0, 0},
		"request timeout":     {408, "", wire.Retryable, 0, 0},
		"too many requests":   {429, "2", wire.Retryable, 2000, 2000},
		"a fraction":          {429, "0.25", wire.Retryable, 250, 250},
		"a date":              {429, soon, wire.Retryable, 3_500_000, 3_600_000},
		"nonsense":            {429, "soon", wire.Retryable, 0, 0},
		"negative":            {429, "-5", wire.Retryable, 0, 0},
		"not a number":        {429, "NaN", wire.Retryable, 0, 0},
		"beyond measure":      {429, "1e300", wire.Retryable, 2_592_000_000, 2_592_000_000},
		"server error":        {500, "9", wire.Retryable, 0, 0},
		"service unavailable": {503, "9", wire.Retryable, 9000, 9000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			hits := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				hits++
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Retry-After", test.header)
				w.WriteHeader(test.status)
			}))
			defer server.Close()
			err := notifier(t, server.URL).Notify(t.Context(), notification())
			var e *wire.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, test.kind, e.Kind)
			require.GreaterOrEqual(t, e.RetryAfterMS, test.least)
			require.LessOrEqual(t, e.RetryAfterMS, test.most)
			require.Equal(t, 1, hits)
		})
	}
}

func TestHTTPNotifierHidesCredentials(t *testing.T) {
	server := httptest.NewServer(nil)
	address := strings.Replace(server.URL, "http://", "http://user:canary@", 1)
	server.Close()
	n := notifier(t, address)
	err := n.Notify(t.Context(), notification())
	var e *wire.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, wire.Retryable, e.Kind)
	require.NotContains(t, err.Error(), "canary")

	_, err = host.NewHTTPNotifier(host.HTTPNotifierConfig{URL: "ftp://user:canary@x"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "canary")
}

func TestHTTPNotifierGivesUp(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer server.Close()
	defer close(hang)
	n, err := host.NewHTTPNotifier(host.HTTPNotifierConfig{URL: server.URL, Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	defer n.Close()
	err = n.Notify(t.Context(), notification())
	require.ErrorContains(t, err, "did not answer in time")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = notifier(t, server.URL).Notify(ctx, notification())
	require.Error(t, err)
}

// unusedProxy is what the environment of these tests names as a proxy. It is
// set before anything runs, because net/http reads it once.
const unusedProxy = "127.0.0.1:1"

func TestMain(m *testing.M) {
	if err := os.Setenv("HTTP_PROXY", "http://"+unusedProxy); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// A proxy would be asked for any host but a local one, so the host is one that
// does not exist.
func TestHTTPNotifierUsesNoProxy(t *testing.T) {
	err := notifier(t, "http://notification.invalid").Notify(t.Context(), notification())
	require.Error(t, err)
	require.NotContains(t, err.Error(), unusedProxy)
}

// TestANotificationIsWrittenAtEveryLevel: it counts as delivered, so it must be
// in the log however quiet that is.
func TestANotificationIsWrittenAtEveryLevel(t *testing.T) {
	for _, level := range []string{"trace", "debug", "info", "warn", "error"} {
		t.Run(level, func(t *testing.T) {
			var log bytes.Buffer
			logger := hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.LevelFromString(level)})
			require.NoError(t, host.NewLogNotifier(logger).Notify(t.Context(), notification()))
			require.Contains(t, log.String(), "channel_id=c")
		})
	}
}
