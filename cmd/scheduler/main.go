// Command scheduler is the NexusCore Scheduler: one binary that stores tasks,
// plans their occurrences and runs them in plugins.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/nexuscore/scheduler/host/process"
)

func main() {
	process.RunIfChild() // a plugin that was started by this program begins as this program

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], environment{getenv: os.Getenv, stdout: os.Stdout, stderr: os.Stderr, restoreSignals: stop})
	stop()
	os.Exit(code)
}

// environment is what a command reads from and writes to.
type environment struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	restoreSignals func() // after it, a second signal ends the process at once
}

// The exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, env environment) int {
	if len(args) == 0 {
		args = []string{"serve"}
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], env)
		}
	}
	return help(args, env)
}

// command is one subcommand.
type command struct {
	name, args, summary string
	run                 func(ctx context.Context, args []string, env environment) int
}

func commands() []command {
	return []command{
		{"serve", "", "run the service (the default)", serve},
		{"dev", "", "run the service beside a fake Discord, Twitch and notification service", dev},
		{"migrate", "up|down|status", "change or show the database schema, without running the service; migrate --help tells more", migrate},
		{"doctor", "", "check the services, versions, clocks, schema, plugins and confinement, and change nothing", diagnose},
		{"ready", "", "ask the service on this machine whether it is ready, for health checks", ready},
		{"plugin", "new|build|test|run|inspect|verify", "write, try and look into plugins, without the service", plugin},
		{"cron", "explain|next EXPRESSION", "say in words what a cron expression does, or when it fires next", cron},
		{"version", "", "print the version", version},
	}
}
