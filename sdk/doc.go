// Package sdk is what the author of a task type imports. A task type is a
// plugin: a small program with one handler, which the scheduler runs once for
// every attempt, in a sandbox, under limits.
//
//	package main
//
//	import "github.com/nexuscore/scheduler/sdk"
//
//	type input struct {
//		Name string `json:"name"`
//	}
//
//	func init() {
//		sdk.Register(sdk.Plugin{
//			Name:    "greeter",
//			Version: "1.0.0",
//			Handle:  greet,
//		})
//	}
//
//	func main() { sdk.Main() }
//
//	func greet(c *sdk.Context) (any, error) {
//		var in input
//		if err := c.Bind(&in); err != nil {
//			return nil, err
//		}
//		c.Log.Info("greeting", "name", in.Name)
//		return map[string]string{"greeting": "hello " + in.Name}, nil
//	}
//
// Build it with the standard Go toolchain:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o greeter.wasm .
//
// Register belongs in init, because a WebAssembly module built this way never
// runs main. The same source is a plugin with "runtime: process" when it is
// built natively:
//
//	CGO_ENABLED=0 go build -o greeter .
//
// # What a run may rely on
//
// Every run starts from the state right after the program's init functions:
// package variables that an earlier run changed are back at their first value,
// and goroutines of an earlier run are gone. What must outlive a run belongs in
// the handler's answer or behind an operation of the Context. In a process that
// serves many runs this does not hold: variables and goroutines stay, and other
// runs are under way at the same time. So do not rely on either.
//
// There are no files, no environment, no sockets. The clock and
// crypto/rand are real. What the handler may do beyond computing, it asks for in
// Plugin.Capabilities, and the operator grants it.
//
// State, events, notifications and enqueued tasks take effect in the step that
// stores the handler's success, or not at all. An HTTP request takes effect at
// once, and the attempt may be run again after that (a crash, a lost lease):
// requests carry an idempotency key that is the same for all attempts; to outside
// systems of your own, pass Execution.IdempotencyKey. A handler that takes long
// saves checkpoints, and its next attempt goes on there.
//
// # How a run ends
//
// A nil error ends the execution as succeeded with the returned value as its
// result. Any other error fails the attempt, and the task's retry policy
// decides; Permanent forbids another attempt, RetryAfter says when it makes
// sense. A panic ends the run at once as PLUGIN_TRAP. A run that lasts beyond
// its deadline is ended wherever it is.
package sdk
