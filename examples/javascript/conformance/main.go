// Command conformance is the plugin in plugin.js.
package main

import (
	_ "embed"

	"github.com/nexuscore/scheduler/examples/javascript/interpreter"
	"github.com/nexuscore/scheduler/sdk"
)

//go:embed plugin.js
var script string

func init() { sdk.Register(interpreter.Plugin(script)) }

func main() { sdk.Main() }
