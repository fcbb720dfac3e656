//go:build unix

// Command withservices runs a command beside private instances of PostgreSQL,
// Redis and RabbitMQ:
//
//	go run ./internal/withservices [-only postgres,redis] -- go test ./...
//
// The instances live in a temporary directory, on free ports of the loopback
// interface, and end with the command, however it ends. The command finds them
// in TEST_DATABASE_URL, TEST_REDIS_URL and TEST_RABBITMQ_URL; a service whose
// variable is set already is not started. On Debian, as root, server programs
// that are missing are installed; elsewhere it says which package has them.
//
// It ends with the exit code of the command, or 1 when a service did not start.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// startWithin bounds the start of all services, slow machines included.
const startWithin = 2 * time.Minute

// run starts the services, runs the command and ends everything.
func run(args []string, stdout, stderr io.Writer) int {
	services, command, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "withservices:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := untilOrphaned(ctx)
	defer cancel()

	h, err := newHouse(stderr)
	if err != nil {
		fmt.Fprintln(stderr, "withservices:", err)
		return 1
	}
	defer h.close()
	env, err := h.startAll(ctx, services)
	if err != nil {
		fmt.Fprintln(stderr, "withservices:", err)
		return 1
	}
	code, err := h.runCommand(ctx, command, env, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "withservices:", err)
	}
	return code
}

// parse reads the command line.
func parse(args []string, stderr io.Writer) (services []service, command []string, err error) {
	flags := flag.NewFlagSet("withservices", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "postgres,redis,rabbitmq", "the services to start, separated by commas")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: withservices [-only postgres,redis,rabbitmq] -- command [argument ...]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	if flags.NArg() == 0 {
		return nil, nil, errors.New("no command; write it after --")
	}
	all := []service{postgres(), redis(), rabbitmq()}
	for name := range strings.SplitSeq(*only, ",") {
		i := slices.IndexFunc(all, func(s service) bool { return s.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, nil, fmt.Errorf("-only: %q is not one of postgres, redis, rabbitmq", name)
		}
		services = append(services, all[i])
	}
	return services, flags.Args(), nil
}

// untilOrphaned ends the context when the parent of this process goes: go run
// passes no SIGTERM on, and what it leaves behind would run for ever.
func untilOrphaned(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		look := time.NewTicker(500 * time.Millisecond)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
				if os.Getppid() != parent {
					cancel()
				}
			}
		}
	}()
	return ctx, cancel
}
