package host

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Runtime turns an artifact into a plugin that can be run. host/wasm and
// host/process do. Implementations are safe for concurrent use.
type Runtime interface {
	// Load checks the artifact and prepares it for running. Its error says what
	// is wrong with the artifact and what to do about it. Load returns soon after
	// ctx ends.
	Load(ctx context.Context, a Artifact) (Plugin, error)
}

// Artifact is a plugin's program and the limits it runs under.
type Artifact struct {
	Type   string // task type that it serves
	Source string // where it was read from, for messages
	Digest string // sha256 of Bytes, hex
	Bytes  []byte // the verified program; a runtime runs these and no others
	Limits Limits
	Init   Init
	Logger hclog.Logger
}

// Init says when a program is initialized. Every run starts from the state
// after that.
type Init string

// The ways of Init. The empty string means InitImage.
//
// A process cannot be copied: with InitImage it is started once, serves many
// runs, also at the same time, and keeps what they leave in its memory.
const (
	InitImage  Init = "image"   // once, when it is loaded; runs start from a copy
	InitPerRun Init = "per-run" // in every run
)

// Plugin is a loaded program. Describe and Handle are safe for concurrent use;
// Close is called once, when neither runs.
type Plugin interface {
	// Describe returns the frame with the plugin's wire.Manifest, or nil when
	// the program has none. The program can call no operation meanwhile.
	Describe(ctx context.Context) ([]byte, error)

	// Handle gives the request frame to the program, in the state that Init
	// promises, and returns its response frame of at most Limits.Output bytes.
	//
	// A program that broke a limit or crashed ends with a *core.Failure, and so
	// does the error of Caller.Call. When ctx ends, Handle ends the program and
	// returns an error within a second; the host reads the reason from ctx.
	Handle(ctx context.Context, request []byte, caller Caller) ([]byte, error)

	// Close releases the program.
	Close(ctx context.Context) error
}

// Confined is what a Runtime and its plugins implement where it depends on the
// machine what holds them. It is safe for concurrent use.
type Confined interface {
	// Confinement says what holds programs on this machine, mechanism by
	// mechanism. What is missing begins with "off: " and says why and, behind a
	// semicolon, what to do.
	Confinement() map[string]string
}

// Caller is the host's side of one run. It is safe for concurrent use, and
// refuses everything once the run is over.
type Caller interface {
	// Call performs an operation: a frame with its arguments comes in, a frame
	// with a wire.Reply goes out. What the plugin may handle itself is in the
	// reply. An error means that the run must end now, with this error.
	Call(ctx context.Context, op string, in []byte) ([]byte, error)

	// Output takes what the program wrote to its standard output or error, in
	// pieces of any size. The bytes are not kept.
	Output(stream Stream, p []byte)

	// Computed tells how much processor time the run took, once, at its end. A
	// runtime that does not measure it tells nothing.
	Computed(d time.Duration)
}

// Stream is one of a program's two output streams.
type Stream string

// The streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)
