// Command moderation is the task type "moderation": it bans, times out, kicks and
// warns users, lifts bans and time-outs, and deletes messages, on Discord and
// Twitch. It is
// built as a plugin:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o bin/plugins/moderation.wasm ./plugins/moderation
package main

import "github.com/nexuscore/scheduler/sdk"

func init() { sdk.Register(plugin()) }

func main() { sdk.Main() }
