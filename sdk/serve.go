package sdk

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Caller carries an operation to the host: its name and a frame with its
// arguments go out, a frame with a wire.Reply comes back. An error means that
// the host cannot be reached any more. Implementations are safe for concurrent
// use.
type Caller interface {
	Call(op string, in []byte) ([]byte, error)
}

// Serve runs p once: it reads the request frame, calls the handler and returns
// the response frame. It is the common end of every runtime and of sdktest;
// plugins do not call it. It does not recover from a panic of the handler.
func Serve(p *Plugin, request []byte, caller Caller) []byte {
	return serve(context.Background(), p, request, caller)
}

// serve is Serve for a run that can be cancelled.
func serve(parent context.Context, p *Plugin, request []byte, caller Caller) []byte {
	var req wire.Request
	if _, err := wire.Decode(request, &req); err != nil {
		return respond(nil, Permanent(fmt.Errorf("read request: %w", err)))
	}
	ctx, cancel := deadline(parent, req.Execution)
	defer cancel()
	return ServeContext(ctx, p, request, caller)
}

// ServeContext is Serve for a run that ends with ctx, whatever the machine's clock
// says of the deadline in the request: sdktest has a clock of its own.
func ServeContext(ctx context.Context, p *Plugin, request []byte, caller Caller) []byte {
	var req wire.Request
	data, err := wire.Decode(request, &req)
	if err != nil {
		return respond(nil, Permanent(fmt.Errorf("read request: %w", err)))
	}
	return respond(p.Handle(&Context{
		Context:   ctx,
		Execution: req.Execution,
		Log:       Logger{caller: caller},
		data:      data,
		caller:    caller,
	}))
}

// Describe returns the frame with p's manifest.
func Describe(p *Plugin) []byte {
	frame, err := wire.Encode(p.Manifest(), nil)
	if err != nil {
		panic("sdk: " + err.Error()) // Register checked all that can be wrong
	}
	return frame
}

func deadline(parent context.Context, e Execution) (context.Context, context.CancelFunc) {
	if e.Deadline.IsZero() {
		return context.WithCancel(parent)
	}
	return context.WithDeadline(parent, e.Deadline)
}

func respond(result any, err error) []byte {
	var payload []byte
	if err == nil {
		if payload, err = json.Marshal(result); err != nil {
			err = Permanent(fmt.Errorf("render result: %w", err))
		}
	}
	response := wire.Response{ContentType: wire.ContentJSON}
	if err != nil {
		response, payload = wire.Response{Error: toWire(err)}, nil
	}
	frame, err := wire.Encode(response, payload)
	if err != nil { // an error message beyond all measure is the only way here
		frame, _ = wire.Encode(wire.Response{Error: &wire.Error{Kind: wire.Permanent, Message: err.Error()}}, nil)
	}
	return frame
}
