// Command extism measures a run of a plugin in the scheduler beside one in
// Extism's Go SDK: the same Go code, built for both, in one process, in turn. It
// prints the table of docs/benchmarks.md. It is a module of its own, so that the
// scheduler does not depend on Extism.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/nexuscore/scheduler/bench/extism/order"
)

func main() {
	rounds := flag.Int("rounds", 21, "how often all ways take their turn")
	flag.Parse()
	if err := run(context.Background(), *rounds, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// way is one way to run the handler.
type way struct {
	name  string
	calls int // in a round
	call  func(ctx context.Context) (answer []byte, err error)
}

// run measures everything and prints it.
func run(ctx context.Context, rounds int, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx) // as every run has an end that may come
	defer cancel()
	ours, err := build("./guest/ours")
	if err != nil {
		return err
	}
	theirs, err := build("./guest/theirs")
	if err != nil {
		return err
	}
	s, err := newScheduler(ctx, ours)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	k, err := newKept(ctx, ours)
	if err != nil {
		return err
	}
	defer k.close(ctx)
	e, err := newExtism(ctx, theirs, 0)
	if err != nil {
		return err
	}
	defer e.close(ctx)
	timed, err := newExtism(ctx, theirs, 60_000)
	if err != nil {
		return err
	}
	defer timed.close(ctx)

	ways := []way{
		{native, 400, callNative},
		{isolated, 200, s.call},
		{unsafe, 200, k.call},
		{perCall, 15, e.callFresh},
		{reused, 200, e.callReused},
		{endable, 200, timed.callReused},
	}
	if err := agree(ctx, ways); err != nil {
		return err
	}
	if err := printTimes(out, measure(ctx, ways, rounds)); err != nil {
		return err
	}
	return printMemory(ctx, out, s, e)
}

// The ways, as the table calls them.
const (
	native   = "native, a direct call"
	isolated = "scheduler, clean state in every run"
	unsafe   = "the same module, never reset"
	perCall  = "Extism, `CompiledPlugin.Instance` per call"
	reused   = "Extism, one instance, never reset"
	endable  = "the same with a timeout, so that a run can be ended"
)

// callNative is the handler without a sandbox.
func callNative(context.Context) ([]byte, error) {
	var o order.Order
	if err := json.Unmarshal([]byte(order.Sample), &o); err != nil {
		return nil, err
	}
	return json.Marshal(order.Handle(o))
}

// agree demands the same answer of all ways.
func agree(ctx context.Context, ways []way) error {
	var want []byte
	for _, w := range ways {
		got, err := w.call(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("%s: answers %s and not %s", w.name, got, want)
		}
	}
	return nil
}

// build builds a guest as a WebAssembly reactor.
func build(pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return os.ReadFile(path)
}
