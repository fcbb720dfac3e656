// Command cleanup is the task type "cleanup": it removes what is old, messages on
// Discord and Twitch and what the scheduler itself keeps. It is built as a plugin:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o bin/plugins/cleanup.wasm ./plugins/cleanup
package main

import "github.com/nexuscore/scheduler/sdk"

func init() { sdk.Register(plugin()) }

func main() { sdk.Main() }
