// Package plugintest runs the bundled task types in unit tests against the fake
// platforms, with nothing between them but the sdk.
package plugintest

import (
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
)

// World is the fake platforms for one test.
type World struct {
	*fakeplatform.Platform
	// At is the platforms' clock. A test may set it.
	At time.Time
	// URL is where they are; the plugins' configs name it, see Config.
	URL string
	// Secrets are those that stand in requests; others are refused. discord_webhook
	// is the address of a webhook whose channel is 77.
	Secrets map[string]string

	t     testing.TB
	shown atomic.Pointer[time.Time] // At as of the last request: platforms may still be at one that broke
}

// New starts a world that ends with the test.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{t: t, At: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.shown.Store(new(w.At))
	w.Platform = fakeplatform.New(fakeplatform.Config{Now: func() time.Time { return *w.shown.Load() }})
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	w.URL = server.URL
	w.Secrets = map[string]string{
		"discord_token": "token-of-discord", "twitch_token": "token-of-twitch", "twitch_client_id": "client-of-twitch",
		"discord_webhook": w.URL + "/discord/api/v10/webhooks/77/token-of-webhook",
	}
	return w
}

// Config is the config that leads a task type to this world.
func (w *World) Config() map[string]any {
	return map[string]any{
		"discord": map[string]any{"api": w.URL + "/discord/api/v10"},
		"twitch":  map[string]any{"api": w.URL + "/twitch/helix", "userId": "900"},
	}
}

// Run runs a task type in this world: where the case has no config, secrets,
// clock or answers, it gets the world's. Data that the task type's schema refuses
// ends the test, as no such task can be written; see Refused.
func (w *World) Run(p sdk.Plugin, c sdktest.Case) sdktest.Result {
	w.t.Helper()
	if err := check(w.t, p.DataSchema, c.Data); err != nil {
		w.t.Fatalf("no such task can be written: %v", err)
	}
	if c.Config == nil {
		c.Config = w.Config()
	}
	if err := check(w.t, p.ConfigSchema, c.Config); err != nil {
		w.t.Fatalf("no such config can be loaded: %v", err)
	}
	if c.HTTP == nil {
		c.HTTP = w.HTTP
	}
	if c.Secrets == nil {
		for name := range w.Secrets {
			c.Secrets = append(c.Secrets, name)
		}
	}
	if c.Now.IsZero() {
		c.Now = w.At
	}
	return sdktest.Run(w.t, p, c)
}

// Break sets a fault; see fakeplatform.Fault.
func (w *World) Break(f fakeplatform.Fault) {
	w.t.Helper()
	if err := w.Faults().Add(f); err != nil {
		w.t.Fatalf("set a fault: %v", err)
	}
}

// Effects returns what has changed in the world by a route, in order; "" is any.
func (w *World) Effects(route string) []string {
	effects := []string{}
	for _, e := range w.Journal().Effects(route) {
		effects = append(effects, e.Effect)
	}
	return effects
}

// Detail returns one of the effects of a route, from 0, as the journal has it.
func (w *World) Detail(route string, n int) map[string]any {
	w.t.Helper()
	effects := w.Journal().Effects(route)
	if n >= len(effects) {
		w.t.Fatalf("there are %d effects of %s", len(effects), route)
	}
	detail, _ := effects[n].Detail.(map[string]any)
	return detail
}
