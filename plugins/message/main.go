// Command message is the task type "message": it sends, edits and deletes
// messages on Discord and Twitch. It is built as a plugin:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o bin/plugins/message.wasm ./plugins/message
package main

import "github.com/nexuscore/scheduler/sdk"

func init() { sdk.Register(plugin()) }

func main() { sdk.Main() }
