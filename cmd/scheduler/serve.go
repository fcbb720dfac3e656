package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/redact"
)

// serve runs the service until the context ends (SIGINT, SIGTERM), then drains
// it for SHUTDOWN_GRACE. A second signal ends it at once.
func serve(ctx context.Context, args []string, env environment) int {
	if len(args) > 0 {
		fmt.Fprintf(env.stderr, "scheduler serve: takes no arguments; configuration is read from environment variables\n")
		return exitUsage
	}
	cfg, err := config.Load(env.getenv)
	if err != nil {
		fmt.Fprintf(env.stderr, "scheduler: the configuration is wrong:\n%s\n", err)
		return exitUsage
	}
	return serveUntil(ctx, cfg, env, func() error { return nil })
}

// serveUntil runs the service of a configuration. prepare is called once the data
// directory and the address are this process's own, and before anything is read
// from them; its error ends the service.
func serveUntil(ctx context.Context, cfg config.Config, env environment, prepare func() error) int {
	log := newLogger(cfg, env.stderr)
	a, err := app.New(ctx, cfg, log, versionText())
	if err != nil {
		fmt.Fprintf(env.stderr, "scheduler: %s\n", err)
		return exitError
	}
	err = prepare()
	if err == nil {
		err = a.Start(ctx)
	}
	if err != nil {
		log.Error("start", "error", err)
		a.Stop(context.Background())
		return exitError
	}
	fmt.Fprintf(env.stdout, "scheduler (version %s) %s\n", versionText(), a.Summary())
	defer reloadOnHangup(ctx, a, log)()
	code := exitOK
	select {
	case <-ctx.Done():
		log.Info("stopping: running executions may end", "grace", cfg.ShutdownGrace)
	case err := <-a.Failed():
		log.Error("the API stopped answering", "error", err)
		code = exitError
	}
	env.restoreSignals()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownGrace)
	defer cancel()
	a.Stop(grace)
	log.Info("stopped")
	return code
}

// reloadOnHangup reloads the plugins at each SIGHUP, until the function it
// returns is called.
func reloadOnHangup(ctx context.Context, a *app.App, log hclog.Logger) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				if err := a.Reload(ctx); err != nil {
					log.Error("SIGHUP", "error", err)
				}
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		cancel()
		<-done
	}
}

// newLogger makes the logger that everything writes to; secrets are masked.
func newLogger(cfg config.Config, w io.Writer) hclog.Logger {
	return redact.Logger(hclog.New(&hclog.LoggerOptions{
		Name: "scheduler", Level: hclog.LevelFromString(cfg.LogLevel), Output: w, JSONFormat: cfg.LogFormat == "json",
	}))
}
