// Package plugintest runs the bundled task types in unit tests against the fake
// platforms, with nothing between them but the sdk.
package plugintest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
	"github.com/nexuscore/scheduler/sdk"
)

// World is the fake platforms for one test.
type World struct {
	*fakeplatform.Platform
	// At is the platforms' clock. A test may set it.
	At time.Time
	// URL is where they are; the plugins' configs name it, see Config.
	URL string
	// Secrets are those that stand in requests; others are refused.
	Secrets map[string]string
}

// New starts a world that ends with the test.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{At: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Secrets: map[string]string{
		"discord_token": "token-of-discord", "twitch_token": "token-of-twitch", "twitch_client_id": "client-of-twitch",
	}}
	w.Platform = fakeplatform.New(fakeplatform.Config{Now: func() time.Time { return w.At }})
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// Config is the config that leads a task type to this world.
func (w *World) Config() map[string]any {
	return map[string]any{
		"discord": map[string]any{"api": w.URL + "/discord/api/v10"},
		"twitch":  map[string]any{"api": w.URL + "/twitch/helix", "userId": "900"},
	}
}

// HTTP makes a request as the host would, for sdktest.Case.HTTP: secrets are
// filled in, a connection that breaks is an error that can be tried again.
func (w *World) HTTP(asked sdk.HTTPRequest) (sdk.HTTPResponse, error) {
	method := asked.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequest(method, w.fill(asked.URL), bytes.NewReader(asked.Body)) //nolint:noctx // it ends with the world
	if err != nil {
		return sdk.HTTPResponse{}, sdk.Permanent(err)
	}
	for name, value := range asked.Headers {
		req.Header.Set(name, w.fill(value))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return sdk.HTTPResponse{}, errors.New("the server could not be reached")
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return sdk.HTTPResponse{}, errors.New("the answer broke off")
	}
	out := sdk.HTTPResponse{Status: resp.StatusCode, URL: asked.URL, Headers: resp.Header, Body: body}
	if after, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
		out.RetryAfterMS = after.Milliseconds()
	}
	return out, nil
}

// fill puts the secrets in.
func (w *World) fill(text string) string {
	for name, secret := range w.Secrets {
		text = strings.ReplaceAll(text, "{{secret:"+name+"}}", secret)
	}
	return text
}
