package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
)

// bundled are the task types that take the platforms' addresses as their config.
var bundled = []string{"reminder", "message", "channel_update", "moderation", "aggregation", "cleanup"}

// devSecrets are the secrets of the fake platforms, which take any.
var devSecrets = map[string]string{
	"SECRET_DISCORD_TOKEN": "token-of-the-fake-discord", "SECRET_TWITCH_TOKEN": "token-of-the-fake-twitch",
	"SECRET_TWITCH_CLIENT_ID": "client-of-the-fake-twitch",
}

// devSecret looks up an environment variable; those of the fake platforms are
// always set.
func devSecret(name string) (string, bool) {
	if value, ok := devSecrets[name]; ok {
		return value, true
	}
	return os.LookupEnv(name)
}

// devPlugins writes a plugins.yaml, as JSON, that grants every module what can
// be granted, on the fake platforms at base.
func devPlugins(modules map[string]string, base string) []byte {
	type object = map[string]any
	types := slices.Sorted(maps.Keys(modules))
	secrets := []string{}
	for name := range devSecrets {
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
		if slices.Contains(bundled, taskType) {
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
