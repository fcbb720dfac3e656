package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	sdk "github.com/extism/go-sdk"
)

// instances is how many are kept to see what one costs.
const instances = 32

// printMemory prints how much memory an idle instance that served a run takes.
func printMemory(ctx context.Context, out io.Writer, s *scheduler, e *extism) error {
	ours, err := grown(func() error { return s.hold(ctx, instances) })
	if err != nil {
		return err
	}
	var held []*sdk.Plugin
	theirs, err := grown(func() error {
		for range instances {
			p, err := e.instance(ctx)
			if err != nil {
				return err
			}
			if _, err := call(ctx, p); err != nil {
				return err
			}
			held = append(held, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	runtime.KeepAlive(held)
	_, err = fmt.Fprintf(out, "\n| private memory of an idle instance | KiB |\n|---|---:|\n| scheduler | %d |\n| Extism | %d |\n\n%v\n",
		ours, theirs, goal{"MiB of an idle instance in the scheduler", float64(ours) / 1024, false, 0.5})
	return err
}

// grown says by how many KiB the process grows for each instance that f makes.
func grown(f func() error) (int, error) {
	before, err := private()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := private()
	return (after - before) / instances, err
}

// private is the memory in KiB that only this process has, garbage not counted.
func private() (int, error) {
	debug.FreeOSMemory()
	debug.FreeOSMemory() // the first one finds what finalizers free
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0, err
	}
	total := 0
	for line := range bytes.Lines(text) {
		var n int
		if _, err := fmt.Sscanf(string(line), "Private_Dirty: %d kB", &n); err == nil {
			total += n
		}
	}
	return total, nil
}
