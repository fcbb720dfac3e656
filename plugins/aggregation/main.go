// Command aggregation is the task type "aggregation": it collects rows from
// Twitch, Discord and JSON endpoints and makes figures of them. It is built as a
// plugin:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o bin/plugins/aggregation.wasm ./plugins/aggregation
package main

import "github.com/nexuscore/scheduler/sdk"

func init() { sdk.Register(plugin()) }

func main() { sdk.Main() }
