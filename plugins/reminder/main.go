// Command reminder is the task type "reminder": it notifies the people of a
// channel. It is built as a plugin:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o bin/plugins/reminder.wasm ./plugins/reminder
package main

import "github.com/nexuscore/scheduler/sdk"

func init() { sdk.Register(plugin()) }

func main() { sdk.Main() }
