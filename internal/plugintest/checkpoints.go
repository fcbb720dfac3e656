package plugintest

import (
	"encoding/json"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// WithoutCheckpoints is the same task type on a host that takes no checkpoint, as
// when its store is away. All else is done by the host that runs it.
func WithoutCheckpoints(p sdk.Plugin) sdk.Plugin {
	refusing := p
	refusing.Handle = func(c *sdk.Context) (any, error) {
		request, err := wire.Encode(wire.Request{ABI: wire.ABI, ContentType: wire.ContentJSON, Execution: c.Execution}, c.Data())
		if err != nil {
			return nil, err
		}
		var response wire.Response
		value, err := wire.Decode(sdk.Serve(&p, request, forgetful{c}), &response)
		if err == nil && response.Error != nil {
			err = response.Error
		}
		return json.RawMessage(value), err
	}
	return refusing
}

// forgetful is the host that takes no checkpoint.
type forgetful struct{ c *sdk.Context }

// Call implements sdk.Caller.
func (f forgetful) Call(op string, in []byte) ([]byte, error) {
	switch op {
	case wire.OpCheckpoint:
		return wire.Encode(wire.Reply{Error: &wire.Error{Kind: wire.Retryable, Message: "the store is away"}}, nil)
	case wire.OpHTTP:
		return f.http(in)
	}
	var args json.RawMessage
	if _, err := wire.Decode(in, &args); err != nil {
		return nil, err
	}
	value, err := f.c.Call(op, args)
	if err != nil {
		return nil, err
	}
	return wire.Encode(wire.Reply{Value: value}, nil)
}

func (f forgetful) http(in []byte) ([]byte, error) {
	var asked wire.HTTPRequest
	body, err := wire.Decode(in, &asked)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for name, values := range asked.Headers {
		headers[name] = values[0]
	}
	got, err := f.c.HTTP(sdk.HTTPRequest{Method: asked.Method, URL: asked.URL, Headers: headers, Body: body})
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(wire.HTTPResponse{Status: got.Status, URL: got.URL, Headers: got.Headers, RetryAfterMS: got.RetryAfterMS})
	if err != nil {
		return nil, err
	}
	return wire.Encode(wire.Reply{Value: value}, got.Body)
}
