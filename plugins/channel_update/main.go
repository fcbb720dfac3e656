// Command channel_update is the task type "channel_update": it changes what a
// channel on Discord or Twitch is called, shows and allows. It is built as a
// plugin:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o bin/plugins/channel_update.wasm ./plugins/channel_update
package main

import "github.com/nexuscore/scheduler/sdk"

func init() { sdk.Register(plugin()) }

func main() { sdk.Main() }
