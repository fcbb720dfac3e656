package workbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// Verdict is what a check found.
type Verdict string

// The verdicts.
const (
	Passed  Verdict = "ok"
	Warned  Verdict = "warn" // allowed, and worth knowing
	Skipped Verdict = "skip" // not found out; the detail says why
	Broken  Verdict = "FAIL"
)

// Check is one part of the contract.
type Check struct {
	Name    string
	Verdict Verdict
	Detail  string
}

// Trial is the input of a contract test.
type Trial struct {
	Data     json.RawMessage // task data that the plugin can handle
	Settings Settings
}

// endWithin is how soon a run ends after it was told to: host.Plugin promises a
// second, and a busy machine may be slow.
const endWithin = 3 * time.Second

// Contract holds a program against what the service relies on and what users
// expect: it loads, takes the data and ends well; it does the same with the same
// input; it ends when it is told to in the middle of a run, and works afterwards;
// it does not crash when something is refused, and breaks the limit of memory in
// the way that is documented. It runs the handler a dozen times: HTTP requests
// really go out, as far as Settings grant them, each time.
func (b *Bench) Contract(ctx context.Context, p Program, t Trial) []Check {
	s, err := b.Load(ctx, p, t.Settings)
	if err != nil {
		return []Check{{"loads", Broken, err.Error()}}
	}
	defer s.Close(context.WithoutCancel(ctx))
	checks := []Check{{"loads", Passed, p.Manifest.Name + "@" + p.Manifest.Version + ", " + p.Runtime}, s.checkSchema(t.Data)}
	if checks[1].Verdict == Broken {
		return append(checks, skipped("everything else", "the plugin is not run with data that does not fit"))
	}
	first, took := s.checkRun(ctx, t.Data)
	checks = append(checks, first)
	if first.Verdict != Broken {
		checks = append(checks, s.checkReplay(ctx, t.Data))
	}
	checks = append(checks, s.checkDeadline(ctx, t.Data, took/2), s.checkCancel(ctx, t.Data, took/2))
	if first.Verdict == Broken {
		return append(checks, skipped("everything else", "same input, same result; works after that; memory; capabilities: they need data that it runs with"))
	}
	checks = append(checks, s.checkAfterwards(ctx, t.Data), b.checkMemory(ctx, p, t))
	for _, capability := range slices.Concat(p.Manifest.Capabilities, p.Manifest.Optional) {
		checks = append(checks, b.checkRefusal(ctx, p, t, capability))
	}
	return checks
}

func skipped(name, why string) Check { return Check{name, Skipped, why} }

// checkSchema holds the data, and data that nobody expects, against the schema.
func (s *Session) checkSchema(data json.RawMessage) Check {
	const name = "data schema"
	if len(s.Program.Manifest.DataSchema) == 0 {
		return Check{name, Warned, "there is none: wrong data is found out only when the task runs"}
	}
	if err := s.CheckData(data); err != nil {
		return Check{name, Broken, "the data does not fit: " + problems(err)}
	}
	stranger := json.RawMessage(`{"a member that nobody knows": 1}`)
	if s.CheckData(stranger) == nil {
		return Check{name, Warned, "it accepts members that the plugin does not know; add \"additionalProperties\": false"}
	}
	return Check{name, Passed, "accepts the data, refuses others"}
}

// problems lists what is wrong with which field.
func problems(err error) string {
	e, ok := errors.AsType[*core.Error](err)
	if !ok {
		return err.Error()
	}
	text := e.Message
	for _, f := range e.Fields {
		text += "; " + f.Field + " " + f.Problem
	}
	return text
}

// checkRun runs, and tells how long that takes. The first run is slower than all
// others, so the second is timed.
func (s *Session) checkRun(ctx context.Context, data json.RawMessage) (_ Check, took time.Duration) {
	const name = "runs"
	var out core.Outcome
	for range 2 {
		start := now()
		var err error
		out, err = s.Run(ctx, Attempt{Data: data})
		took = now().Sub(start)
		if err != nil {
			return Check{name, Broken, Describe(err)}, took
		}
	}
	return Check{name, Passed, fmt.Sprintf("in %s, %d bytes of result, %d lines of log", took.Round(10*time.Microsecond), len(out.Result), len(out.Logs))}, took
}

// checkReplay runs the same attempt twice. What the plugin keeps is part of the
// input, so the second run finds what the first one found.
func (s *Session) checkReplay(ctx context.Context, data json.RawMessage) Check {
	const name = "same input, same result"
	a := Attempt{Data: data, ID: core.NewID(), Nominal: now()}
	kept := s.state.kept()
	first, err := s.Run(ctx, a)
	if err != nil {
		return Check{name, Broken, "another run with the same data failed: " + Describe(err)}
	}
	a.Number = 2
	s.state.end(a.ID) // the first one has ended; what is repeated is the input
	s.state.keep(kept)
	second, err := s.Run(ctx, a)
	switch {
	case err != nil:
		return Check{name, Broken, "a second attempt of the same execution failed: " + Describe(err)}
	case !equalJSON(first.Result, second.Result):
		return Check{name, Warned, "the results differ: " + clip(string(first.Result)) + " and " + clip(string(second.Result))}
	case len(first.Effects.Messages) != len(second.Effects.Messages) || len(first.Effects.Tasks) != len(second.Effects.Tasks):
		return Check{name, Warned, "the second attempt asked for other effects; their idempotency keys are counted in order"}
	}
	return Check{name, Passed, "twice the same execution"}
}

// checkDeadline runs with a deadline in the middle of the run.
func (s *Session) checkDeadline(ctx context.Context, data json.RawMessage, after time.Duration) Check {
	return s.ends(ctx, "ends at its deadline", data, max(after, time.Microsecond), func(context.CancelFunc) {})
}

// checkCancel cancels a run in its middle.
func (s *Session) checkCancel(ctx context.Context, data json.RawMessage, after time.Duration) Check {
	return s.ends(ctx, "ends when cancelled", data, time.Minute, func(cancel context.CancelFunc) {
		time.AfterFunc(after, cancel)
	})
}

// ends runs and demands that the run is over soon, however it ends.
func (s *Session) ends(ctx context.Context, name string, data json.RawMessage, timeout time.Duration, begun func(context.CancelFunc)) Check {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun(cancel)
	start := now()
	_, err := s.Run(ctx, Attempt{Data: data, Timeout: timeout})
	if took := now().Sub(start); took > endWithin {
		return Check{name, Broken, fmt.Sprintf("it took %s", took.Round(time.Millisecond))}
	}
	if err == nil {
		return skipped(name, "it was done before")
	}
	return Check{name, Passed, Describe(err)}
}

// checkAfterwards runs once more: a run that was ended leaves nothing behind.
func (s *Session) checkAfterwards(ctx context.Context, data json.RawMessage) Check {
	const name = "works after that"
	if _, err := s.Run(ctx, Attempt{Data: data}); err != nil {
		return Check{name, Broken, Describe(err)}
	}
	return Check{name, Passed, ""}
}

// checkMemory finds the least memory, of some sizes, that the data needs. With
// less the run must end with the code for it.
func (b *Bench) checkMemory(ctx context.Context, p Program, t Trial) Check {
	const name = "memory"
	for _, size := range []string{"1MiB", "2MiB", "4MiB", "8MiB", "16MiB", "32MiB"} {
		with := t.Settings
		with.Limits = maps.Clone(t.Settings.Limits)
		if with.Limits == nil {
			with.Limits = map[string]any{}
		}
		with.Limits["memory"] = size
		s, err := b.Load(ctx, p, with)
		if err != nil {
			continue // it does not even begin with so little
		}
		_, err = s.Run(ctx, Attempt{Data: t.Data})
		s.Close(context.WithoutCancel(ctx))
		if err == nil {
			return Check{name, Passed, "limits.memory: " + size + " is enough for this data"}
		}
		if f := core.FailureOf(err); f.Code != core.CodePluginMemoryLimit {
			return Check{name, Broken, "with limits.memory: " + size + " it does not end as PLUGIN_MEMORY_LIMIT: " + Describe(err)}
		}
	}
	return Check{name, Passed, "needs more than 32MiB; the default is " + host.DefaultMemory.String()}
}

// checkRefusal runs without a capability that the plugin asks for: it must do
// without, or end with the refusal, and not crash over it.
func (b *Bench) checkRefusal(ctx context.Context, p Program, t Trial, capability string) Check {
	name, with := "without "+capability, t.Settings
	with.Withdrawn = capability
	s, err := b.Load(ctx, p, with)
	if err != nil {
		return Check{name, Broken, "it does not load: " + err.Error()}
	}
	defer s.Close(context.WithoutCancel(ctx))
	_, err = s.Run(ctx, Attempt{Data: t.Data})
	switch {
	case s.Status().Calls.Crashed > 0:
		return Check{name, Broken, "it crashes when it is refused; return the error of the operation"}
	case err == nil:
		return skipped(name, "this data does not need it")
	case core.FailureOf(err).Code != core.CodePluginDenied:
		return Check{name, Broken, Describe(err)}
	}
	return Check{name, Passed, Describe(err)}
}

func now() time.Time { return core.SystemClock{}.Now() }

func equalJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// clip shortens a text for one line.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
