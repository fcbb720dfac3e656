package wire

// The protocol of plugins that are processes: gRPC over a Unix socket, with
// go-plugin's handshake. Every message is a google.protobuf.BytesValue.
// docs/plugin.proto has the service for other languages.
//
// Describe takes an empty value and answers the manifest's frame.
//
// Handle is one run. The host sends the request frame; the plugin answers with
// Messages. Each call is answered by the frame of its Reply, in the order of
// calls. The host closing its side is the cancellation of the run: the plugin
// has a moment to end it, before its process is killed.
const (
	ProcessService  = "scheduler.plugin.v1.Plugin"
	ProcessDescribe = "Describe"
	ProcessHandle   = "Handle"

	// ProcessCookie and ProcessCookieValue are the environment variable that
	// tells a program that the scheduler has started it. It is no secret.
	ProcessCookie      = "SCHEDULER_PLUGIN"
	ProcessCookieValue = "task-plugin"
)

// MaxArguments is the largest frame of an operation, in bytes, that a host
// takes.
const MaxArguments = 16 << 20

// Message is the header of the frames that a process sends during a run.
type Message struct {
	Kind MessageKind `json:"kind"`
	Op   string      `json:"op,omitempty"` // of a call: the operation
}

// MessageKind says what the payload of a Message is.
type MessageKind string

// The kinds of messages.
const (
	MessageCall     MessageKind = "call"     // a frame with an operation's arguments
	MessageResponse MessageKind = "response" // the response frame; the run is over
	MessagePanic    MessageKind = "panic"    // text; the handler panicked and the run is over
)
