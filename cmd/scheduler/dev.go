package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/fakeplatform"
)

// dev runs the service beside a fake Discord, Twitch and notification service,
// with every task type of a directory granted access to them, and prints what
// the task types do there.
func dev(ctx context.Context, args []string, env environment) int {
	var o devOptions
	flags := o.flags(env)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(env.stderr, "scheduler dev: unknown argument %q\n", flags.Arg(0))
		return exitUsage
	}
	if err := o.run(ctx, env); err != nil {
		fmt.Fprintf(env.stderr, "scheduler dev: %s\n", err)
		return exitError
	}
	return exitOK
}

type devOptions struct {
	plugins string // directory of programs
	data    string // directory; "" is one that is removed at the end
	address string // of the fake platforms
}

func (o *devOptions) flags(env environment) *flag.FlagSet {
	f := flag.NewFlagSet("dev", flag.ContinueOnError)
	f.SetOutput(env.stderr)
	f.StringVar(&o.plugins, "plugins", "", "directory with the task types' .wasm files (default: plugins beside this program)")
	f.StringVar(&o.data, "data", "", "directory that keeps tasks and history (default: a temporary one)")
	f.StringVar(&o.address, "platform", "127.0.0.1:3007", "where the fake Discord, Twitch and notification service listen")
	return f
}

// run lives until ctx ends.
func (o devOptions) run(ctx context.Context, env environment) error {
	modules, err := o.modules()
	if err != nil {
		return err
	}
	if o.data == "" {
		if o.data, err = os.MkdirTemp("", "scheduler-dev-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(o.data) }() // it is in the temporary directory
		o.shareCache()
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.address)
	if err != nil {
		return fmt.Errorf("the fake platforms: %w; choose another place with --platform", err)
	}
	world := fakeplatform.New(fakeplatform.Config{})
	closeWorld := serveWorld(world, listener)
	defer closeWorld()
	base := "http://" + listener.Addr().String()

	fmt.Fprintf(env.stdout, "fake Discord, Twitch and notification service: %s shows what arrives, %s/faults what goes wrong on purpose\n", base, base)
	watched, stopWatching := context.WithCancel(ctx)
	defer watch(watched, world.Journal(), env.stdout)()
	defer stopWatching()
	return o.serve(ctx, env, modules, base)
}

// shareCache keeps compiled modules where the next temporary directory finds them,
// if there is such a place: compiling takes seconds for each.
func (o devOptions) shareCache() {
	if dir, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(dir, "nexuscore-scheduler", "dev")
		if os.MkdirAll(dir, 0o700) == nil {
			_ = os.Symlink(dir, filepath.Join(o.data, "cache")) // without it they are compiled again
		}
	}
}

// serve runs the service with the configuration of the environment, except what
// leads it to the fake platforms. The list of the plugins is written once the
// database is locked: another process that works there reads it.
func (o devOptions) serve(ctx context.Context, env environment, modules map[string]string, base string) error {
	list := filepath.Join(o.data, "plugins.yaml")
	own := map[string]string{
		"DATA_DIR": o.data, "PLUGINS_CONFIG": list, "NOTIFICATION_SERVICE_URL": base + "/notification",
		"DATABASE_URL": "", "REDIS_URL": "", "RABBITMQ_URL": "", "CONFIG_SERVICE_URL": "",
		"LOG_LEVEL": cmp.Or(env.getenv("LOG_LEVEL"), "warn"), "LOG_FORMAT": cmp.Or(env.getenv("LOG_FORMAT"), "text"),
	}
	cfg, err := config.Load(func(name string) string {
		if value, ok := own[name]; ok {
			return value
		}
		return env.getenv(name)
	})
	if err != nil {
		return fmt.Errorf("the configuration is wrong:\n%w", err)
	}
	cfg.LookupEnv = devSecret(base)
	prepare := func() error { return os.WriteFile(list, devPlugins(modules, base), 0o600) }
	if code := serveUntil(ctx, cfg, env, prepare); code != exitOK {
		return errors.New("the service has failed")
	}
	return nil
}

// modules lists the programs in the plugins' directory by task type: the name of
// the file.
func (o devOptions) modules() (map[string]string, error) {
	dir := o.plugins
	if dir == "" {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(filepath.Dir(program), "plugins")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no .wasm files; run make build, or name a directory with --plugins", dir)
	}
	modules := map[string]string{}
	for _, file := range files {
		modules[strings.TrimSuffix(filepath.Base(file), ".wasm")] = file
	}
	return modules, nil
}

// serveWorld serves the fake platforms until the function it returns is called.
func serveWorld(world *fakeplatform.Platform, listener net.Listener) (closeWorld func()) {
	server := &http.Server{Handler: world.Handler(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Close
	}()
	return func() {
		_ = server.Close() // nobody waits for answers any more
		<-done
	}
}

// watch prints what happens in the world until ctx ends. The function it returns
// waits for that.
func watch(ctx context.Context, journal *fakeplatform.Journal, w io.Writer) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for last := 0; ; {
			entries, news := journal.After(last)
			for _, e := range entries {
				fmt.Fprintln(w, lineOf(e))
				last = e.Sequence
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { <-done }
}

// lineOf is an entry of the journal for the terminal.
func lineOf(e fakeplatform.Entry) string {
	line := fmt.Sprintf("%s  %-28s %3d", e.At.Local().Format("15:04:05.000"), e.Route, e.Status)
	if e.Fault != "" {
		line += "  fault: " + string(e.Fault)
	}
	if e.Effect != "" {
		line += fmt.Sprintf("  %s: %s", e.Effect, e.Target)
	}
	detail, _ := e.Detail.(map[string]any)
	for _, key := range []string{"content", "message"} {
		if text, ok := detail[key].(string); ok {
			line += fmt.Sprintf("  %q", text)
		}
	}
	return line
}
