// Command conformance is the handler of docs/conformance.md in Go.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// order is a task's data.
type order struct {
	Case    string              `json:"case"`
	Text    string              `json:"text"`
	Key     string              `json:"key"`
	Name    string              `json:"name"`
	Level   string              `json:"level"`
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Headers map[string][]string `json:"headers"`
	RunAt   time.Time           `json:"runAt"`
	N       int64               `json:"n"`
	Value   json.RawMessage     `json:"value"`
}

func init() {
	sdk.Register(sdk.Plugin{
		Name:         "conformance",
		Version:      "1.0.0",
		DataSchema:   `{"type": "object", "required": ["case"]}`,
		ConfigSchema: `{"type": "object"}`,
		Sample:       `{"case": "nothing"}`,
		Handle:       handle,
	})
}

func main() { sdk.Main() }

func handle(c *sdk.Context) (any, error) {
	var o order
	if err := json.Unmarshal(c.Data(), &o); err != nil { // Bind would refuse what it does not know
		return nil, sdk.Permanent(err)
	}
	if act, ok := cases[o.Case]; ok {
		return act(c, o)
	}
	return nil, sdk.Permanent(fmt.Errorf("no case %q", o.Case))
}

var cases = map[string]func(*sdk.Context, order) (any, error){
	"nothing":   func(*sdk.Context, order) (any, error) { return nil, nil },
	"echo":      func(_ *sdk.Context, o order) (any, error) { return o.Value, nil },
	"text":      func(_ *sdk.Context, o order) (any, error) { return o.Text, nil },
	"quarters":  quarters,
	"execution": execution,
	"config":    config,
	"log":       logLine,
	"kv.set":    set,
	"kv.delete": remove,
	"kv.list":   func(c *sdk.Context, o order) (any, error) { return list(c, o.Key) },
	"publish":   func(c *sdk.Context, o order) (any, error) { return nil, c.Publish(o.Text, data(o)) },
	"enqueue": func(c *sdk.Context, o order) (any, error) {
		return c.Enqueue(sdk.Job{Type: o.Text, Name: o.Name, Data: data(o), RunAt: o.RunAt})
	},
	"notify": func(c *sdk.Context, o order) (any, error) {
		return c.Notify(sdk.Notification{ChannelID: o.Key, Message: o.Text, Via: []string{"discord", "email"}})
	},
	"progress":   func(c *sdk.Context, o order) (any, error) { return nil, c.Progress(float64(o.N), o.Text) },
	"checkpoint": checkpoint,
	"http":       request,
	"secret":     func(c *sdk.Context, o order) (any, error) { return c.Secret(o.Text) },
	"call":       func(c *sdk.Context, o order) (any, error) { return c.Call(o.Text, o.Value) },
	"swallow":    swallow,
	"clock":      func(c *sdk.Context, _ order) (any, error) { return c.Now(), nil },
	"deadline":   left,
	"random":     random,
	"sleep":      func(c *sdk.Context, o order) (any, error) { return nil, c.Sleep(milliseconds(o)) },
	"retryable":  func(_ *sdk.Context, o order) (any, error) { return nil, errors.New(o.Text) },
	"permanent":  func(_ *sdk.Context, o order) (any, error) { return nil, sdk.Permanent(errors.New(o.Text)) },
	"later": func(_ *sdk.Context, o order) (any, error) {
		return nil, sdk.RetryAfter(milliseconds(o), errors.New(o.Text))
	},
	"panic":  func(_ *sdk.Context, o order) (any, error) { panic(o.Text) },
	"loop":   loop,
	"memory": hoard,
	"count":  func(*sdk.Context, order) (any, error) { runs++; return runs, nil },
}

// runs counts what must never be seen by a second run.
var runs int

// data is the value, nothing when there is none.
func data(o order) any {
	if o.Value == nil {
		return nil
	}
	return o.Value
}

func milliseconds(o order) time.Duration { return time.Duration(o.N) * time.Millisecond }

func quarters(_ *sdk.Context, o order) (any, error) {
	var n float64
	err := json.Unmarshal(o.Value, &n)
	return n * 4, err
}

func execution(c *sdk.Context, _ order) (any, error) {
	e := c.Execution
	return map[string]any{
		"id": e.ID, "taskId": e.TaskID, "taskName": e.TaskName, "type": e.Type, "trigger": e.Trigger, "attempt": e.Attempt, "maxAttempts": e.MaxAttempts,
		"token": fmt.Sprint(e.Token), "idempotencyKey": e.IdempotencyKey, "nominalTime": e.NominalTime, "deadline": e.Deadline,
	}, nil
}

func config(c *sdk.Context, _ order) (any, error) {
	var v map[string]any
	err := c.Config(&v)
	return v, err
}

func logLine(c *sdk.Context, o order) (any, error) {
	write := map[string]func(string, ...any){"debug": c.Log.Debug, "info": c.Log.Info, "warn": c.Log.Warn, "error": c.Log.Error}[o.Level]
	var fields map[string]any
	if o.Value != nil {
		if err := json.Unmarshal(o.Value, &fields); err != nil {
			return nil, sdk.Permanent(err)
		}
	}
	var pairs []any
	for key, value := range fields {
		pairs = append(pairs, key, value)
	}
	write(o.Text, pairs...)
	return nil, nil
}

func set(c *sdk.Context, o order) (any, error) {
	var before, after any
	if _, err := c.Get(o.Key, &before); err != nil {
		return nil, err
	}
	if err := c.Set(o.Key, o.Value, milliseconds(o)); err != nil {
		return nil, err
	}
	_, err := c.Get(o.Key, &after)
	return map[string]any{"before": before, "after": after}, err
}

func remove(c *sdk.Context, o order) (any, error) {
	if err := c.Delete(o.Key); err != nil {
		return nil, err
	}
	var after any
	return c.Get(o.Key, &after)
}

func list(c *sdk.Context, prefix string) (any, error) {
	keys, err := c.Keys(prefix)
	return append([]string{}, keys...), err
}

func checkpoint(c *sdk.Context, o order) (any, error) {
	var before any
	if _, err := c.LoadCheckpoint(&before); err != nil {
		return nil, err
	}
	return before, c.Checkpoint(o.Value)
}

func request(c *sdk.Context, o order) (any, error) {
	headers := map[string]string{}
	for name, values := range o.Headers {
		headers[name] = values[0]
	}
	resp, err := c.HTTP(sdk.HTTPRequest{Method: o.Method, URL: o.URL, Headers: headers, Body: []byte(o.Text)})
	return map[string]any{
		"status": resp.Status, "type": resp.Header("content-type"), "body": string(resp.Body), "retryAfterMs": resp.RetryAfterMS,
	}, err
}

func swallow(c *sdk.Context, o order) (any, error) {
	_, err := c.Call(o.Text, o.Value)
	switch {
	case err == nil:
		return "none", nil
	case sdk.IsPermanent(err):
		return "permanent", nil
	}
	return "retryable", nil
}

func left(c *sdk.Context, _ order) (any, error) {
	var d struct {
		LeftMS int64 `json:"leftMs"`
	}
	raw, err := c.Call("deadline", struct{}{})
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	return d.LeftMS, err
}

func random(c *sdk.Context, o order) (any, error) {
	var r struct {
		Bytes []byte `json:"bytes"`
	}
	raw, err := c.Call("random", map[string]int64{"bytes": o.N})
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	return hex.EncodeToString(r.Bytes), err
}

func loop(*sdk.Context, order) (any, error) {
	for {
		runs++
	}
}

// kept holds what hoard takes, so that it stays in use.
var kept [][]byte

func hoard(*sdk.Context, order) (any, error) {
	for {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
}
