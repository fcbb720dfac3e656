package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
)

// bundled are the task types that take the platforms' addresses as their config,
// with the limits that the repository's plugins.yaml gives them: what is tried here
// goes as far as there.
var bundled = map[string]object{
	"reminder":       {"timeout": "1m", "cpu": "5s"},
	"message":        {"timeout": "1m", "cpu": "5s"},
	"channel_update": {"timeout": "1m", "cpu": "5s"},
	"moderation":     {"timeout": "30m", "cpu": "30s", "hostCalls": 10_000, "httpRequests": 2000, "httpBytes": "256MiB"},
	"aggregation": {
		"memory": "256MiB", "timeout": "5m", "cpu": "1m", "hostCalls": 10_000, "httpRequests": 1000, "httpResponseBytes": "8MiB", "httpBytes": "1GiB", "kv": "16MiB",
	},
	"cleanup": {"timeout": "1h", "cpu": "30s", "hostCalls": 20_000, "httpRequests": 10_000, "httpBytes": "1GiB"},
}

type object = map[string]any

// devSecrets are the secrets of the fake platforms at base, by environment
// variable. The platforms take any; the webhook's channel is 77.
func devSecrets(base string) map[string]string {
	return map[string]string{
		"SECRET_DISCORD_TOKEN": "token-of-the-fake-discord", "SECRET_TWITCH_TOKEN": "token-of-the-fake-twitch",
		"SECRET_TWITCH_CLIENT_ID": "client-of-the-fake-twitch",
		"SECRET_DISCORD_WEBHOOK":  base + "/discord/api/v10/webhooks/77/dev-webhook-token",
	}
}

// devSecret looks up environment variables; those of the fake platforms at base
// are always set.
func devSecret(base string) func(name string) (string, bool) {
	own := devSecrets(base)
	return func(name string) (string, bool) {
		if value, ok := own[name]; ok {
			return value, true
		}
		return os.LookupEnv(name)
	}
}

// devPlugins writes a plugins.yaml, as JSON, that grants every module what can
// be granted, on the fake platforms at base.
func devPlugins(modules map[string]string, base string) []byte {
	types := slices.Sorted(maps.Keys(modules))
	secrets := []string{}
	for name := range devSecrets(base) {
		secrets = append(secrets, strings.ToLower(strings.TrimPrefix(name, "SECRET_")))
	}
	slices.Sort(secrets)
	var list []object
	for _, taskType := range types {
		entry := object{
			"type": taskType, "runtime": "wasm", "source": modules[taskType],
			"grants": object{
				"notify": true, "kv": true, "maintenance": true, "publish": []string{"*"}, "enqueue": types, "secrets": secrets,
				"http": []string{base + "/**"}, "privateNetworks": []string{"127.0.0.0/8", "::1/128"},
			},
		}
		if limits, known := bundled[taskType]; known {
			entry["limits"] = limits
			entry["config"] = object{
				"discord": object{"api": base + "/discord/api/v10"},
				"twitch":  object{"api": base + "/twitch/helix", "userId": "900"},
			}
		}
		list = append(list, entry)
	}
	out, err := json.MarshalIndent(object{"plugins": list}, "", "  ")
	if err != nil {
		panic(err) // maps of texts
	}
	return out
}
