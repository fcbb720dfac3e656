// Command versioned is a plugin that answers with its version. Who has the
// program can put another version into it, byte for byte.
package main

import "github.com/nexuscore/scheduler/sdk"

// version stands once in the program, and Swaps looks for it.
const version = "1.0.777000"

func init() {
	sdk.Register(sdk.Plugin{Name: "versioned", Version: version, Handle: func(*sdk.Context) (any, error) { return version, nil }})
}

func main() { sdk.Main() }
