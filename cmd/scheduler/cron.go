package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// cron explains a cron expression, by the arithmetic that the service uses and
// without the service.
func cron(_ context.Context, args []string, env environment) int {
	if len(args) == 0 || args[0] != "explain" && args[0] != "next" {
		cronUsage(env)
		return exitUsage
	}
	var o cronOptions
	flags := o.flags(args[0], env)
	expression, rest := splitExpression(args[1:])
	if err := flags.Parse(rest); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	expression = strings.TrimSpace(strings.Join(append([]string{expression}, flags.Args()...), " "))
	if expression == "" {
		cronUsage(env)
		return exitUsage
	}
	spec, from, err := o.compile(expression)
	if err != nil {
		fmt.Fprintf(env.stderr, "scheduler cron: %s\n", err)
		return exitError
	}
	if args[0] == "explain" {
		explain(spec, from, env)
	} else {
		next(spec, from, o.count, env)
	}
	return exitOK
}

func cronUsage(env environment) {
	fmt.Fprintln(env.stderr, "usage: scheduler cron explain|next 'EXPRESSION' [--timezone ZONE] [--from TIME] [--count N] [--gap shift|skip] [--fold first|last|both] [--task ID]")
}

// splitExpression takes the words before the first flag: an expression may come
// as one argument or unquoted.
func splitExpression(args []string) (expression string, rest []string) {
	for i, a := range args {
		if strings.HasPrefix(a, "--") {
			return strings.Join(args[:i], " "), args[i:]
		}
	}
	return strings.Join(args, " "), nil
}

type cronOptions struct {
	timezone, from, gap, fold, task string
	count                           int
}

func (o *cronOptions) flags(name string, env environment) *flag.FlagSet {
	f := flag.NewFlagSet("cron "+name, flag.ContinueOnError)
	f.SetOutput(env.stderr)
	f.StringVar(&o.timezone, "timezone", "UTC", "IANA time zone")
	f.StringVar(&o.from, "from", "", "start here instead of now (RFC 3339)")
	f.StringVar(&o.gap, "gap", "shift", "a local time that does not exist: shift or skip")
	f.StringVar(&o.fold, "fold", "first", "a local time that comes twice: first, last or both")
	f.StringVar(&o.task, "task", "", "id of the task whose H fields are meant")
	f.IntVar(&o.count, "count", 5, "how many occurrences, 1 to 1000")
	return f
}

func (o cronOptions) compile(expression string) (*schedule.Spec, time.Time, error) {
	from := time.Now() //nolint:forbidigo // a command asks for now itself
	if o.from != "" {
		var err error
		if from, err = time.Parse(time.RFC3339Nano, o.from); err != nil {
			return nil, from, fmt.Errorf("--from is no time as in RFC 3339, for example 2026-01-31T09:00:00Z")
		}
	}
	if o.count < 1 || o.count > 1000 {
		return nil, from, fmt.Errorf("--count %d is out of 1–1000", o.count)
	}
	spec, err := schedule.Compile(schedule.Config{
		Kind: schedule.KindCron, Cron: expression, Timezone: o.timezone, Seed: o.task,
		DST: schedule.DST{Gap: schedule.Gap(o.gap), Fold: schedule.Fold(o.fold)},
	})
	return spec, from, err
}

func explain(spec *schedule.Spec, from time.Time, env environment) {
	fmt.Fprintln(env.stdout, spec.Describe())
	for _, w := range spec.Warnings(from) {
		fmt.Fprintf(env.stdout, "warning %s: %s\n", w.Code, w.Message)
	}
}

func next(spec *schedule.Spec, from time.Time, count int, env environment) {
	after := from
	for range count {
		o, ok := spec.Next(after)
		if !ok {
			fmt.Fprintln(env.stderr, "no further occurrence")
			return
		}
		line := o.At.UTC().Format(time.RFC3339) + "  " + o.At.In(spec.Location()).Format("Mon 2006-01-02 15:04:05 -07:00")
		for _, n := range o.Notes {
			line += "  " + string(n)
		}
		fmt.Fprintln(env.stdout, line)
		after = o.Nominal
	}
}
