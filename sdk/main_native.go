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
// plugin's exports instead. In a native build that the scheduler has started as
// a process, it serves runs until the scheduler ends the process. Started by
// anybody else it says how to build and list the plugin, and exits with status
// 2.
func Main() {
	if !startedByScheduler() {
		explain(os.Stderr)
		os.Exit(2)
	}
	serveProcess(mustRegistered())
}

func explain(w io.Writer) {
	name := "plugin"
	if registered != nil {
		name = registered.Name
	}
	fmt.Fprintf(w, `%[1]s is a plugin of the scheduler and does nothing by itself.

This is a native build. List it in plugins.yaml with "runtime: process", and
the scheduler starts it by itself; build it with CGO_ENABLED=0 for that. To run
it as a sandboxed module, build it with

	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o %[1]s.wasm .

and list it with "runtime: wasm". To run its handler while
developing, use package sdktest in an ordinary test.
`, name)
}
