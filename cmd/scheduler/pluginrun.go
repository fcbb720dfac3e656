package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/workbench"
)

// pluginRun runs a program once and prints its log as it comes, to stderr, and
// its result and effects, to stdout.
func pluginRun(ctx context.Context, args []string, env environment) int {
	f := newPluginFlags("run", env)
	data := f.String("data", "{}", "task data, JSON, or @file")
	attempt := f.Int("attempt", 1, "the number of the attempt, from 1")
	timeout := f.Duration("timeout", time.Minute, "when the run is ended")
	times := f.Int("times", 1, "how often to run; state is kept from run to run")
	settings := f.settings()
	file, with, code, done := f.program(args, settings)
	if done {
		return code
	}
	raw, err := readJSON(*data)
	if err != nil {
		return f.failed(fmt.Errorf("--data %w", err))
	}
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Debug, Output: io.Discard})
	logger.RegisterSink(liveLog{env.stderr})
	with.Logger = logger
	return f.with(ctx, file, func(b *workbench.Bench, p workbench.Program) error {
		s, err := b.Load(ctx, p, with)
		if err != nil {
			return err
		}
		defer s.Close(context.WithoutCancel(ctx))
		if err := s.CheckData(raw); err != nil {
			return fmt.Errorf("the data would be refused: %w", err)
		}
		for range *times {
			if err := runOnce(ctx, s, workbench.Attempt{Data: raw, Number: *attempt, Timeout: *timeout}, env.stdout); err != nil {
				return err
			}
		}
		return nil
	})
}

// liveLog prints the lines that the plugin logs, and what the host warns of.
type liveLog struct{ w io.Writer }

// Accept implements hclog.SinkAdapter.
func (l liveLog) Accept(_ string, level hclog.Level, message string, args ...any) {
	if message != "plugin log" {
		if level >= hclog.Warn {
			fmt.Fprintln(l.w, "host ", message, args)
		}
		return
	}
	said := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		if key, ok := args[i].(string); ok {
			said[key] = args[i+1]
		}
	}
	line := fmt.Sprintf("%-5s %s", said["level"], said["text"])
	if fields, err := json.Marshal(said["fields"]); err == nil && string(fields) != "null" {
		line += " " + string(fields)
	}
	fmt.Fprintln(l.w, line)
}

// runOnce runs and prints what came of it.
func runOnce(ctx context.Context, s *workbench.Session, a workbench.Attempt, w io.Writer) error {
	begin := core.SystemClock{}.Now()
	out, err := s.Run(ctx, a)
	took := core.SystemClock{}.Now().Sub(begin).Round(roundTime)
	if err != nil {
		return errors.New(workbench.Describe(err))
	}
	fmt.Fprintf(w, "succeeded in %s\n", took)
	if out.LogsDropped > 0 {
		fmt.Fprintf(w, "%d lines of log were dropped (limit logs)\n", out.LogsDropped)
	}
	if err := printJSON(w, out.Result); err != nil {
		return err
	}
	for _, write := range out.Effects.State {
		if write.Value == nil {
			fmt.Fprintf(w, "would delete %s\n", write.Key)
		} else {
			fmt.Fprintf(w, "would keep %s = %s\n", write.Key, write.Value)
		}
	}
	for _, m := range out.Effects.Messages {
		fmt.Fprintf(w, "would send %s %s\n", m.Type, m.Data)
	}
	for _, t := range out.Effects.Tasks {
		fmt.Fprintf(w, "would enqueue %s %s\n", t.Type, orNull(t.Data))
	}
	return nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}
