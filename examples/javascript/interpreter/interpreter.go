// Package interpreter makes a plugin of a script: a Go program with an
// interpreter of JavaScript (ECMAScript 5.1 and most of 6) in it, built as a
// module. Nobody but Go's compiler is needed.
//
// The script is evaluated once, when the module is loaded; every run starts from
// what it has left. prelude.js has all that a script can use.
package interpreter

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/dop251/goja"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

//go:embed prelude.js
var prelude string

// maxDepth bounds the calls that are under way at the same time. Beyond it the
// script gets an error; the stack that they take is bounded by the host.
const maxDepth = 2000

// interpreter is a script, evaluated.
type interpreter struct {
	vm *goja.Runtime
	do goja.Callable

	running sync.Mutex   // in a process, several runs would meet here
	context *sdk.Context // of the run
	random  *rand.Rand   // of the run, made when it is asked for
}

// Plugin evaluates a script and returns the plugin that it declares. Register it
// in an init function. Plugin panics when something is wrong with the script, so
// that the module does not load.
func Plugin(script string) sdk.Plugin {
	i := &interpreter{vm: goja.New()}
	i.vm.SetMaxCallStackSize(maxDepth)
	i.vm.SetRandSource(i.draw)
	must(i.vm.Set("native", map[string]any{"call": i.call, "http": i.http, "random": i.bytes, "panic": func(text string) { panic(text) }}))
	for _, source := range []struct{ name, text string }{{"prelude.js", prelude}, {"plugin.js", script}} {
		_, err := i.vm.RunScript(source.name, source.text)
		must(err)
	}
	declared, ok := i.vm.Get("declare").(*goja.Object)
	if !ok {
		panic("interpreter: the prelude has no declare")
	}
	i.do, _ = goja.AssertFunction(i.vm.Get("handle"))
	return i.plugin(declared)
}

// plugin reads what the script declares.
func (i *interpreter) plugin(declare *goja.Object) sdk.Plugin {
	ask, _ := goja.AssertFunction(declare)
	text, err := ask(goja.Undefined())
	must(err)
	m := wire.Manifest{Limits: &wire.Limits{}}
	must(json.Unmarshal([]byte(text.String()), &m))
	return sdk.Plugin{
		Name: m.Name, Version: m.Version, Summary: m.Summary, Capabilities: capabilities(m.Capabilities), Optional: capabilities(m.Optional),
		DataSchema: string(m.DataSchema), ConfigSchema: string(m.ConfigSchema), Sample: string(m.Sample),
		Limits: sdk.Limits{
			Memory: m.Limits.Memory, Timeout: milliseconds(m.Limits.TimeoutMS), CPU: milliseconds(m.Limits.CPUMS), Output: m.Limits.Output, State: m.Limits.State,
			HostCalls: m.Limits.HostCalls, HTTPRequests: m.Limits.HTTPRequests,
			HTTPRequestBytes: m.Limits.HTTPRequestBytes, HTTPResponseBytes: m.Limits.HTTPResponseBytes, HTTPBytes: m.Limits.HTTPBytes,
		},
		Handle: i.handle,
	}
}

func capabilities(names []string) []sdk.Capability {
	var all []sdk.Capability
	for _, name := range names {
		all = append(all, sdk.Capability(name))
	}
	return all
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// handle runs the script's function.
func (i *interpreter) handle(c *sdk.Context) (any, error) {
	i.running.Lock()
	defer i.running.Unlock()
	i.context, i.random = c, nil
	result, err := i.do(goja.Undefined(), i.vm.ToValue(string(c.Data())), i.execution())
	if err != nil {
		return nil, i.thrown(err)
	}
	return json.RawMessage(result.String()), nil
}

// execution is the execution as a script sees it, with the token as text:
// JavaScript's numbers do not hold it.
func (i *interpreter) execution() goja.Value {
	e := i.context.Execution
	return i.vm.ToValue(map[string]any{
		"id": e.ID, "taskId": e.TaskID, "taskName": e.TaskName, "type": e.Type, "trigger": e.Trigger, "attempt": e.Attempt, "maxAttempts": e.MaxAttempts,
		"token": strconv.FormatInt(e.Token, 10), "idempotencyKey": e.IdempotencyKey,
		"nominalTime": e.NominalTime.Format(time.RFC3339Nano), "deadline": e.Deadline.Format(time.RFC3339Nano),
	})
}

// thrown is the error that ends a run. What scheduler.permanent and retryAfter
// made, and the host's own errors, keep what they say about another attempt. Any
// other one is unexpected, and its stack goes to the log.
func (i *interpreter) thrown(err error) error {
	var e *goja.Exception
	if !errors.As(err, &e) {
		return err
	}
	if inner := errors.Unwrap(e); inner != nil {
		return inner
	}
	object, ok := e.Value().(*goja.Object)
	if !ok {
		return errors.New(e.Value().String())
	}
	failure := errors.New(object.Get("message").String())
	switch kind := object.Get("kind"); {
	case kind == nil:
		i.context.Log.Error("uncaught", "stack", e.String())
		return failure
	case kind.String() == "permanent":
		return sdk.Permanent(failure)
	}
	return sdk.RetryAfter(milliseconds(object.Get("retryAfterMs").ToInteger()), failure)
}

// call is an operation; arguments and answer are JSON.
func (i *interpreter) call(op, args string) string {
	value, err := i.context.Call(op, json.RawMessage(args))
	if err != nil {
		i.throw(err)
	}
	return string(value)
}

// http is a request; the body, text, is the second argument and the answer's
// member body.
func (i *interpreter) http(args, body string) string {
	var asked struct {
		Method, URL string
		Headers     map[string]string
		TimeoutMS   int64
		Redirects   *bool
	}
	if err := json.Unmarshal([]byte(args), &asked); err != nil {
		i.throw(sdk.Permanent(fmt.Errorf("http: %w", err)))
	}
	resp, err := i.context.HTTP(sdk.HTTPRequest{
		Method: asked.Method, URL: asked.URL, Headers: asked.Headers, Body: []byte(body),
		Timeout: milliseconds(asked.TimeoutMS), NoRedirects: asked.Redirects != nil && !*asked.Redirects,
	})
	if err != nil {
		i.throw(err)
	}
	answer, err := json.Marshal(map[string]any{
		"status": resp.Status, "url": resp.URL, "headers": resp.Headers, "retryAfterMs": resp.RetryAfterMS, "body": string(resp.Body),
	})
	if err != nil {
		i.throw(err)
	}
	return string(answer)
}

// bytes are random bytes.
func (i *interpreter) bytes(n int) goja.ArrayBuffer {
	var answer struct{ Bytes []byte }
	raw, err := i.context.Call("random", map[string]int{"bytes": n})
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		i.throw(err)
	}
	return i.vm.NewArrayBuffer(answer.Bytes)
}

// draw is Math.random: with a seed from the host, or it would draw the same in
// every run.
func (i *interpreter) draw() float64 {
	if i.context == nil {
		return rand.Float64() // while the script is evaluated
	}
	if i.random == nil {
		r, err := i.context.Rand()
		if err != nil {
			i.throw(err)
		}
		i.random = r
	}
	return i.random.Float64()
}

// throw throws a Go error in the script, with its kind.
func (i *interpreter) throw(err error) {
	e := i.vm.NewGoError(err)
	kind := "retryable"
	if sdk.IsPermanent(err) {
		kind = "permanent"
	}
	must(e.Set("kind", kind))
	must(e.Set("message", err.Error()))
	panic(e)
}

func must(err error) {
	if err != nil {
		panic("interpreter: " + err.Error())
	}
}
