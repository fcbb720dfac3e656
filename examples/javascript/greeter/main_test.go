package main

import (
	"encoding/json"
	"testing"

	"github.com/nexuscore/scheduler/examples/javascript/interpreter"
	"github.com/nexuscore/scheduler/sdk/sdktest"
)

// A script is tested natively, as a handler in Go is.
func TestGreet(t *testing.T) {
	greeter := interpreter.Plugin(script)
	for config, want := range map[string]string{`{}`: "hello Ada", `{"salutation": "Grüß Gott,"}`: "Grüß Gott, Ada"} {
		result := sdktest.Run(t, greeter, sdktest.Case{Data: map[string]string{"name": "Ada"}, Config: json.RawMessage(config)})
		var got struct{ Greeting string }
		result.Decode(t, &got)
		if got.Greeting != want {
			t.Errorf("greeting %q, want %q", got.Greeting, want)
		}
		if len(result.Logs) != 1 || result.Logs[0].Fields["name"] != "Ada" {
			t.Errorf("logs %+v", result.Logs)
		}
	}
}
