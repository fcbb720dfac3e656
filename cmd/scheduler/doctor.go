package main

import (
	"context"
	"fmt"

	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/redact"
)

// diagnose looks at what the configuration names and prints what it finds, one
// line each. It fails when the service could not do its work.
func diagnose(ctx context.Context, args []string, env environment) int {
	if len(args) > 0 {
		fmt.Fprintln(env.stderr, "usage: scheduler doctor")
		return exitUsage
	}
	cfg, err := config.Load(env.getenv)
	if err != nil {
		fmt.Fprintf(env.stderr, "scheduler: the configuration is wrong:\n%s\n", err)
		return exitUsage
	}
	code := exitOK
	for _, f := range app.Examine(ctx, cfg) {
		fmt.Fprintf(env.stdout, "%-5s %-13s %s\n", f.Grade, f.About, redact.Text(f.Text))
		if f.Advice != "" {
			fmt.Fprintf(env.stdout, "%-5s %-13s → %s\n", "", "", f.Advice)
		}
		if f.Grade == app.GradeFail {
			code = exitError
		}
	}
	return code
}
