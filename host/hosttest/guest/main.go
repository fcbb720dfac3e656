// Command guest is the plugin that the runtimes' tests run: it does what its
// data says, good or bad. It is built for each runtime from this one source.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// order is a task's data.
type order struct {
	Do   string `json:"do"`
	Text string `json:"text,omitempty"`
	N    int    `json:"n,omitempty"`
}

func init() {
	sdk.Register(sdk.Plugin{
		Name:         "guest",
		Version:      "1.2.3",
		DataSchema:   `{"type": "object", "required": ["do"], "properties": {"do": {"type": "string"}}}`,
		ConfigSchema: `{"type": "object"}`,
		Handle:       handle,
	})
}

func main() { sdk.Main() }

var errOrdinary = errors.New("ordinary trouble")

// runs counts what must never be seen by a second run.
var runs int

func handle(c *sdk.Context) (any, error) {
	var o order
	if err := c.Bind(&o); err != nil {
		return nil, err
	}
	if act, ok := acts[o.Do]; ok {
		return act(c, o)
	}
	return nil, sdk.Permanent(fmt.Errorf("guest cannot do %q", o.Do))
}

var acts = map[string]func(*sdk.Context, order) (any, error){
	"echo":      func(c *sdk.Context, o order) (any, error) { return o.Text, nil },
	"execution": func(c *sdk.Context, o order) (any, error) { return c.Execution, nil },
	"nothing":   func(c *sdk.Context, o order) (any, error) { return nil, nil },
	"error":     func(c *sdk.Context, o order) (any, error) { return nil, errOrdinary },
	"permanent": func(c *sdk.Context, o order) (any, error) { return nil, sdk.Permanent(errOrdinary) },
	"later":     func(c *sdk.Context, o order) (any, error) { return nil, sdk.RetryAfter(90*time.Second, errOrdinary) },
	"panic":     func(c *sdk.Context, o order) (any, error) { panic(o.Text) },
	"exit":      func(c *sdk.Context, o order) (any, error) { os.Exit(7); return nil, nil },
	"count":     func(c *sdk.Context, o order) (any, error) { runs++; return runs, nil },
	"output":    func(c *sdk.Context, o order) (any, error) { return strings.Repeat("x", o.N), nil },
	"config":    readConfig,
	"log":       logAll,
	"print":     printLines,
	"loop":      loop,
	"deadlock":  func(c *sdk.Context, o order) (any, error) { <-make(chan int); return nil, nil },
	"deep":      func(c *sdk.Context, o order) (any, error) { return deep(o.N), nil },
	"recurse":   func(c *sdk.Context, o order) (any, error) { return fibonacci(o.N), nil },
	"sleep":     sleep,
	"memory":    takeMemory,
	"call":      callMany,
	"file":      readFile,
	"fork":      startProgram,
	"signal":    signalParent,
	"outside":   lookOutside,
	"goroutine": leaveGoroutine,
	"notify":    notify,
	"progress":  progress,
	"resume":    resume,
	"save":      save,
	"http":      request,
	"upload":    upload,
	"secret":    func(c *sdk.Context, o order) (any, error) { return c.Secret(o.Text) },
}

func readConfig(c *sdk.Context, _ order) (any, error) {
	var config map[string]any
	err := c.Config(&config)
	return config, err
}

func logAll(c *sdk.Context, o order) (any, error) {
	for i := range o.N {
		c.Log.Info(o.Text, "i", i)
	}
	return o.N, nil
}

func printLines(_ *sdk.Context, o order) (any, error) {
	for i := range o.N {
		fmt.Println(o.Text, i)
	}
	fmt.Fprint(os.Stderr, "unfinished")
	return nil, nil
}

func loop(*sdk.Context, order) (any, error) {
	for {
		runs++
	}
}

// fibonacci takes forever without a loop of its own.
func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

// deep needs more and more stack, and ends when there is none.
func deep(n int) int {
	if n < 0 { // not in this life
		return n
	}
	return 1 + deep(n+1) + n
}

func sleep(_ *sdk.Context, o order) (any, error) {
	start := time.Now()
	time.Sleep(time.Duration(o.N) * time.Millisecond)
	return time.Since(start).Milliseconds(), nil
}

var hoard [][]byte

func takeMemory(_ *sdk.Context, o order) (any, error) {
	for range o.N {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		hoard = append(hoard, b)
	}
	return len(hoard), nil
}

func callMany(c *sdk.Context, o order) (any, error) {
	for range o.N {
		if _, err := c.Call(o.Text, map[string]string{}); err != nil {
			return nil, err
		}
	}
	return o.N, nil
}

func readFile(_ *sdk.Context, o order) (any, error) {
	b, err := os.ReadFile(o.Text)
	return string(b), err
}

func startProgram(*sdk.Context, order) (any, error) {
	p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		return nil, err
	}
	_, err = p.Wait()
	return "started", err
}

// signalParent sends the host what does it no harm.
func signalParent(*sdk.Context, order) (any, error) {
	p, err := os.FindProcess(os.Getppid())
	if err != nil {
		return nil, err
	}
	return "sent", p.Signal(syscall.SIGCONT)
}

// lookOutside reports what a program can learn of the world it runs in.
func lookOutside(*sdk.Context, order) (any, error) {
	entries, _ := os.ReadDir("/")
	return map[string]any{"args": len(os.Args), "environ": len(os.Environ()), "root": len(entries), "year": time.Now().Year()}, nil
}

func leaveGoroutine(*sdk.Context, order) (any, error) {
	before := runs
	go func() {
		for {
			time.Sleep(time.Millisecond)
			runs++
		}
	}()
	time.Sleep(20 * time.Millisecond)
	return before, nil
}

// notify swallows the error when asked to, as a plugin that hides what it tries
// would. Told to fail, it fails the first N attempts, or all, after it has
// notified.
func notify(c *sdk.Context, o order) (any, error) {
	if o.Text == "fail" {
		if _, err := c.Notify(message); err != nil {
			return nil, err
		}
		if o.N == 0 || c.Execution.Attempt <= o.N {
			return nil, errOrdinary
		}
		return nil, nil
	}
	var last string
	for range max(o.N, 1) {
		id, err := c.Notify(message)
		if err != nil && o.Text != "swallow" {
			return nil, err
		}
		last = id
	}
	return last, nil
}

var message = sdk.Notification{ChannelID: "channel", Message: "message", Via: []string{"email"}}

// progress tells of N steps.
func progress(c *sdk.Context, o order) (any, error) {
	for i := range o.N + 1 {
		if err := c.Progress(100*float64(i)/float64(o.N), o.Text); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// resume does one step of N, from where the attempt before has stopped, and
// fails unless it was the last one. Told to hold, the first attempt stays there.
func resume(c *sdk.Context, o order) (any, error) {
	var step int
	found, err := c.LoadCheckpoint(&step)
	if err != nil {
		return nil, err
	}
	step++
	if err := c.Checkpoint(step); err != nil {
		return nil, err
	}
	if err := c.Progress(100*float64(step)/float64(o.N), fmt.Sprint("step ", step)); err != nil {
		return nil, err
	}
	if o.Text == "hold" && !found {
		time.Sleep(time.Hour)
	}
	if step < o.N {
		return nil, errOrdinary
	}
	return step, nil
}

// save saves N bytes, and swallows the error when asked to.
func save(c *sdk.Context, o order) (any, error) {
	err := c.Checkpoint(strings.Repeat("x", o.N))
	if o.Text == "swallow" {
		return nil, nil
	}
	return nil, err
}

// request asks for what Text says, a method and an address, with a secret, and
// logs and returns what it can see of it.
func request(c *sdk.Context, o order) (any, error) {
	method, url, _ := strings.Cut(o.Text, " ")
	var resp sdk.HTTPResponse
	for range max(o.N, 1) {
		var err error
		resp, err = c.HTTP(sdk.HTTPRequest{
			Method: method, URL: url + "?key={{secret:canary}}", Body: []byte("body"), Headers: map[string]string{"Authorization": "Bearer {{secret:canary}}"},
		})
		if err != nil {
			c.Log.Error("no answer", "error", err)
			return nil, err
		}
	}
	c.Log.Info("answered", "url", resp.URL, "headers", resp.Headers, "body", string(resp.Body))
	return map[string]any{"status": resp.Status, "url": resp.URL, "header": resp.Header("x-echo"), "body": string(resp.Body)}, nil
}

// upload sends N bytes and counts what comes back.
func upload(c *sdk.Context, o order) (any, error) {
	resp, err := c.HTTP(sdk.HTTPRequest{Method: "PUT", URL: o.Text, Body: []byte(strings.Repeat("x", o.N))})
	return len(resp.Body), err
}
