//go:build !wasip1

package sdk

import (
	"fmt"
	"io"
	"os"
)

// startsFromImage says that runs begin from the memory after the start.
const startsFromImage = false

// Main hands the program over to the scheduler. Call it as the whole of main.
//
// In a WebAssembly build it returns at once, because the host calls the
// plugin's exports instead. A native build has nobody to talk to when it is
// started by hand: Main says how to build and list the plugin, and exits with
// status 2.
func Main() {
	explain(os.Stderr)
	os.Exit(2)
}

func explain(w io.Writer) {
	name := "plugin"
	if registered != nil {
		name = registered.Name
	}
	fmt.Fprintf(w, `%[1]s is a plugin of the scheduler and does nothing by itself.

This is a native build. A native build serves plugins listed with
"runtime: process", which the scheduler starts by itself. To run it as a
sandboxed module, build it with

	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o %[1]s.wasm .

and list it in plugins.yaml with "runtime: wasm". To run its handler while
developing, use package sdktest in an ordinary test.
`, name)
}
