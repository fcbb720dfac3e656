package sdk

import (
	"encoding/json"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// warmRounds is how often the sample is run: the second time finds what the
// first one built.
const warmRounds = 2

// warm runs the plugin on its sample, with a stand-in for the host. The host
// keeps the program's memory as it is after the start and begins every run from
// there, so what is built here (the tables of encoding/json above all) is there
// in every run. Without a sample only the SDK's own part is run. What comes of
// it is thrown away, and so is a panic: the host runs the sample again, and shows
// it.
func (p *Plugin) warm() {
	defer func() { _ = recover() }()
	run, data := *p, json.RawMessage(p.Sample)
	if p.Sample == "" {
		run.Handle, data = touch, json.RawMessage(`{}`)
	}
	request, err := wire.Encode(wire.Request{
		ABI: wire.ABI, ContentType: wire.ContentJSON,
		Execution: Execution{ID: "sample", TaskID: "sample", TaskName: "sample", Type: p.Name, Trigger: "manual", Attempt: 1, MaxAttempts: 1},
	}, data)
	if err != nil {
		return
	}
	for range warmRounds {
		Serve(&run, request, standIn{})
		Serve(&Plugin{Handle: touch}, request, standIn{})
	}
}

// touch uses what most handlers use.
func touch(c *Context) (any, error) {
	var object map[string]any
	_ = c.Bind(&object)   // the data is there to be read, not to be used
	_ = c.Config(&object) // so is the config
	c.Log.Info("sample", "key", "value")
	_, err := c.Notify(Notification{ChannelID: "sample", Message: "sample"})
	return map[string]any{"sample": true}, err
}

// standIn answers operations while the plugin is warmed. Nothing leaves it.
type standIn struct{}

// Call answers what each operation answers at the least.
func (standIn) Call(op string, _ []byte) ([]byte, error) {
	reply := wire.Reply{Value: json.RawMessage(`{}`)}
	var payload []byte
	switch op {
	case wire.OpNotify:
		reply.Value = json.RawMessage(`{"id":"sample:1"}`)
	case wire.OpHTTP:
		reply.Value, payload = json.RawMessage(`{"status":200,"url":"","headers":{}}`), []byte(`{}`)
	case wire.OpSecret:
		reply.Value = json.RawMessage(`"{{secret:sample}}"`)
	}
	return wire.Encode(reply, payload)
}
