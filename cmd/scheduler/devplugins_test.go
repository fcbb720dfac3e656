package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// listed is what a test reads of a plugins.yaml.
type listed struct {
	Plugins []struct {
		Type   string         `json:"type" yaml:"type"`
		Limits map[string]any `json:"limits" yaml:"limits"`
		Grants struct {
			Secrets []string `json:"secrets" yaml:"secrets"`
		} `json:"grants" yaml:"grants"`
	} `json:"plugins" yaml:"plugins"`
}

// What works beside the fake platforms works as it is shipped, and the other way
// round.
func TestDevelopmentHasTheLimitsOfTheShippedPlugins(t *testing.T) {
	raw, err := os.ReadFile("../../plugins.yaml")
	require.NoError(t, err)
	var shipped, made listed
	require.NoError(t, yaml.Unmarshal(raw, &shipped))
	modules := map[string]string{"own": "own.wasm"}
	want := map[string]any{"own": nil}
	for _, p := range shipped.Plugins {
		modules[p.Type], want[p.Type] = p.Type+".wasm", p.Limits
	}
	require.NoError(t, json.Unmarshal(devPlugins(modules, "http://127.0.0.1:1"), &made))
	got := map[string]any{}
	for _, p := range made.Plugins {
		got[p.Type] = p.Limits
	}
	require.JSONEq(t, asJSON(t, want), asJSON(t, got))
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

func TestDevelopmentHasAWebhook(t *testing.T) {
	const base = "http://127.0.0.1:1"
	var made listed
	require.NoError(t, json.Unmarshal(devPlugins(map[string]string{"message": "message.wasm"}, base), &made))
	require.Equal(t, []string{"discord_token", "discord_webhook", "twitch_client_id", "twitch_token"}, made.Plugins[0].Grants.Secrets)
	address, known := devSecret(base)("SECRET_DISCORD_WEBHOOK")
	require.True(t, known)
	require.Equal(t, base+"/discord/api/v10/webhooks/77/dev-webhook-token", address)
	t.Setenv("SECRET_OWN", "own")
	own, _ := devSecret(base)("SECRET_OWN")
	require.Equal(t, "own", own)
}
