// Command noop is a plugin that does nothing, for measuring what everything
// around a plugin costs.
package main

import "github.com/nexuscore/scheduler/sdk"

func init() {
	sdk.Register(sdk.Plugin{
		Name: "noop", Version: "1.0.0", Summary: "Does nothing.",
		Handle: func(*sdk.Context) (any, error) { return nil, nil },
	})
}

func main() { sdk.Main() }
