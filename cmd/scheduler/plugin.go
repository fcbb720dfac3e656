package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/internal/workbench"
)

// plugin is the author's road: make, build, test, run and look into plugins,
// without the service.
func plugin(ctx context.Context, args []string, env environment) int {
	if len(args) > 0 {
		for _, c := range pluginCommands() {
			if c.name == args[0] {
				return c.run(ctx, args[1:], env)
			}
		}
		if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
			pluginUsage(env.stdout)
			return exitOK
		}
		fmt.Fprintf(env.stderr, "scheduler plugin: unknown command %q\n\n", args[0])
	}
	pluginUsage(env.stderr)
	return exitUsage
}

func pluginCommands() []command {
	return []command{
		{"new", "NAME", "make a directory with a plugin, its test and its build", pluginNew},
		{"build", "[DIR]", "build the Go plugin in a directory, as a module or a process", pluginBuild},
		{"test", "FILE", "hold a program against the contract; runs it a dozen times, with all it does", pluginTest},
		{"run", "FILE", "run a program once, with live logs", pluginRun},
		{"inspect", "FILE", "show what a program says and consists of", pluginInspect},
		{"verify", "FILE", "check a program's digest, and that it loads", pluginVerify},
	}
}

func pluginUsage(w io.Writer) {
	fmt.Fprint(w, "usage: scheduler plugin <command>\n\ncommands:\n")
	for _, c := range pluginCommands() {
		fmt.Fprintf(w, "  %-16s %s\n", c.name+" "+c.args, c.summary)
	}
	fmt.Fprint(w, "\nscheduler plugin <command> --help lists its flags; docs/plugins.md is the tutorial.\n")
}

// pluginFlags is a set of flags that may stand before or after the one argument.
type pluginFlags struct {
	*flag.FlagSet
	env environment
}

func newPluginFlags(name string, env environment) pluginFlags {
	f := flag.NewFlagSet("scheduler plugin "+name, flag.ContinueOnError)
	f.SetOutput(env.stderr)
	return pluginFlags{f, env}
}

// parse returns the one argument, "" when there is none. done has the exit code
// of a command line that says nothing to do.
func (f pluginFlags) parse(args []string, need bool) (arg string, code int, done bool) {
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return "", exitOK, true
			}
			return "", exitUsage, true
		}
		args = f.Args()
		if len(args) == 0 {
			break
		}
		if arg != "" {
			fmt.Fprintf(f.env.stderr, "%s: unknown argument %q\n", f.Name(), args[0])
			return "", exitUsage, true
		}
		arg, args = args[0], args[1:]
	}
	if need && arg == "" {
		fmt.Fprintf(f.env.stderr, "%s: name the plugin\n", f.Name())
		return "", exitUsage, true
	}
	return arg, 0, false
}

// failed prints an error.
func (f pluginFlags) failed(err error) int {
	fmt.Fprintf(f.env.stderr, "%s: %s\n", f.Name(), err)
	return exitError
}

func pluginNew(ctx context.Context, args []string, env environment) int {
	f := newPluginFlags("new", env)
	var s workbench.Scaffold
	f.StringVar(&s.Lang, "lang", "go", "language: "+strings.Join(workbench.Languages(), ", "))
	f.StringVar(&s.Dir, "dir", ".", "where the plugin's directory is made")
	f.StringVar(&s.SDK, "sdk", "", "a clone of the scheduler to take the Go sdk from (default: the published module)")
	name, code, done := f.parse(args, true)
	if done {
		return code
	}
	s.Name = name
	files, err := s.Write()
	if err != nil {
		return f.failed(err)
	}
	dir := filepath.Dir(files[0])
	if s.Lang == "go" {
		if err := tidy(ctx, dir, s.SDK != ""); err != nil {
			return f.failed(err)
		}
	}
	for _, file := range files {
		fmt.Fprintln(env.stdout, file)
	}
	fmt.Fprintf(env.stdout, "\nnext: cd %s; README.md has the commands\n", dir)
	return exitOK
}

// tidy completes a new Go plugin. One that has no sdk to be built with is of no
// use, and is removed.
func tidy(ctx context.Context, dir string, hasSDK bool) error {
	err := workbench.Tidy(ctx, dir)
	switch {
	case err == nil:
		return nil
	case hasSDK:
		return fmt.Errorf("the module's requirements are not complete; run go mod tidy in %s: %w", dir, err)
	}
	_ = os.RemoveAll(dir) // else the error would be that it exists
	return fmt.Errorf("the published module cannot be had; take the sdk from a clone of the scheduler with --sdk: %w", err)
}

func pluginBuild(ctx context.Context, args []string, env environment) int {
	f := newPluginFlags("build", env)
	target := f.String("target", workbench.Wasm, "wasm, process or both")
	output := f.String("o", "", "the program's file (default: the module's name, beside its source)")
	dir, code, done := f.parse(args, false)
	if done {
		return code
	}
	targets := []string{*target}
	switch *target {
	case workbench.Wasm, workbench.Process:
	case "both":
		if targets = []string{workbench.Wasm, workbench.Process}; *output != "" {
			return f.failed(errors.New("-o names one file; build one target"))
		}
	default:
		return f.failed(fmt.Errorf("--target %q is none of wasm, process, both", *target))
	}
	if dir == "" {
		dir = "."
	}
	for _, target := range targets {
		file, err := workbench.Build(ctx, dir, target, *output)
		if err != nil {
			return f.failed(err)
		}
		fmt.Fprintln(env.stdout, file)
	}
	return exitOK
}

func pluginInspect(ctx context.Context, args []string, env environment) int {
	f := newPluginFlags("inspect", env)
	asJSON := f.Bool("json", false, "print the manifest, size and digest as JSON")
	file, code, done := f.parse(args, true)
	if done {
		return code
	}
	return f.with(ctx, file, func(_ *workbench.Bench, p workbench.Program) error {
		if *asJSON {
			return printJSON(env.stdout, map[string]any{
				"file": p.Path, "runtime": p.Runtime, "size": p.Size, "sha256": p.Digest, "manifest": p.Manifest,
			})
		}
		for _, line := range p.Lines() {
			fmt.Fprintln(env.stdout, line)
		}
		return nil
	})
}

// with reads a program on a bench.
func (f pluginFlags) with(ctx context.Context, file string, work func(*workbench.Bench, workbench.Program) error) int {
	cache, err := os.UserCacheDir()
	if err == nil {
		cache = filepath.Join(cache, "nexuscore-scheduler", "wasm")
	}
	b, err := workbench.New(cache, nil)
	if err != nil { // a directory that others may write to: do without
		b, err = workbench.New("", nil)
	}
	if err != nil {
		return f.failed(err)
	}
	defer func() { _ = b.Close(context.WithoutCancel(ctx)) }() // nothing is lost
	p, err := b.Read(ctx, file)
	if err == nil {
		err = work(b, p)
	}
	if err != nil {
		return f.failed(err)
	}
	return exitOK
}

func pluginVerify(ctx context.Context, args []string, env environment) int {
	f := newPluginFlags("verify", env)
	digest := f.String("sha256", "", "the digest that the program must have")
	settings := f.settings()
	file, with, code, done := f.program(args, settings)
	if done {
		return code
	}
	return f.with(ctx, file, func(b *workbench.Bench, p workbench.Program) error {
		if *digest != "" && !strings.EqualFold(*digest, p.Digest) {
			return fmt.Errorf("%s has sha256 %s, not %s", file, p.Digest, *digest)
		}
		s, err := b.Load(ctx, p, with)
		if err != nil {
			return err
		}
		defer s.Close(context.WithoutCancel(ctx))
		fmt.Fprintf(env.stdout, "%s@%s loads; sha256 %s\n", p.Manifest.Name, p.Manifest.Version, p.Digest)
		for mechanism, state := range s.Status().Confinement {
			fmt.Fprintf(env.stdout, "  %s: %s\n", mechanism, state)
		}
		return nil
	})
}

// testUsage warns before the flags.
const testUsage = `usage: scheduler plugin test FILE [flags]

Runs the program's handler a dozen times, and ends some of the runs in the middle.
What it does to addresses of --http really happens, each time: test it with the
data and secrets of a place that may take it.

`

func pluginTest(ctx context.Context, args []string, env environment) int {
	f := newPluginFlags("test", env)
	f.Usage = func() {
		fmt.Fprint(env.stderr, testUsage)
		f.PrintDefaults()
	}
	data := f.String("data", "", "task data, JSON, or @file (default: the plugin's sample)")
	settings := f.settings()
	file, with, code, done := f.program(args, settings)
	if done {
		return code
	}
	var raw json.RawMessage
	if *data != "" {
		var err error
		if raw, err = readJSON(*data); err != nil {
			return f.failed(fmt.Errorf("--data %w", err))
		}
	}
	return f.with(ctx, file, func(b *workbench.Bench, p workbench.Program) error {
		broken := 0
		if raw == nil {
			raw = p.Manifest.Sample
		}
		for _, c := range b.Contract(ctx, p, workbench.Trial{Data: raw, Settings: with}) {
			fmt.Fprintf(env.stdout, "%-5s %-24s %s\n", c.Verdict, c.Name, c.Detail)
			if c.Verdict == workbench.Broken {
				broken++
			}
		}
		if broken > 0 {
			return fmt.Errorf("%d checks failed", broken)
		}
		return nil
	})
}

// program is parse for a command that tries a program under settings.
func (f pluginFlags) program(args []string, settings func() (workbench.Settings, error)) (file string, with workbench.Settings, code int, done bool) {
	if file, code, done = f.parse(args, true); done {
		return file, with, code, done
	}
	with, err := settings()
	if err != nil {
		return file, with, f.failed(err), true
	}
	return file, with, exitOK, false
}

// settings adds the flags of what an operator would write in plugins.yaml.
func (f pluginFlags) settings() func() (workbench.Settings, error) {
	s := workbench.Settings{Secrets: map[string]string{}, Limits: map[string]any{}}
	config := f.String("config", "", "the plugin's config, JSON, or @file")
	f.Func("http", "an address that it may reach, such as 'GET https://example.com/api/**'; may be repeated", func(pattern string) error {
		s.HTTP = append(s.HTTP, pattern)
		return nil
	})
	f.BoolVar(&s.Private, "private", false, "let --http reach this machine and private networks")
	f.Func("secret", "NAME=VALUE, or NAME=@file; may be repeated", func(pair string) error {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return errors.New("write NAME=VALUE")
		}
		if path, isFile := strings.CutPrefix(value, "@"); isFile {
			raw, err := os.ReadFile(path) //nolint:gosec // whoever asks names the file
			if err != nil {
				return err
			}
			value = strings.TrimSpace(string(raw))
		}
		s.Secrets[name] = value
		return nil
	})
	f.Func("limit", "NAME=VALUE of limits in plugins.yaml, such as memory=32MiB; may be repeated", func(pair string) error {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return errors.New("write NAME=VALUE")
		}
		var number int
		if json.Unmarshal([]byte(value), &number) == nil {
			s.Limits[name] = number
		} else {
			s.Limits[name] = value
		}
		return nil
	})
	f.StringVar(&s.Init, "init", "", "image or per-run")
	return func() (workbench.Settings, error) {
		if *config == "" {
			return s, nil
		}
		raw, err := readJSON(*config)
		if err != nil {
			return s, fmt.Errorf("--config %w", err)
		}
		s.Config = raw
		return s, nil
	}
}

// readJSON reads a value of the command line, or the file behind @.
func readJSON(text string) (json.RawMessage, error) {
	raw := []byte(text)
	if path, isFile := strings.CutPrefix(text, "@"); isFile {
		var err error
		if raw, err = os.ReadFile(path); err != nil { //nolint:gosec // whoever asks names the file
			return nil, err
		}
	}
	if !json.Valid(raw) {
		return nil, errors.New("is no JSON")
	}
	return raw, nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// roundTime is how exactly durations are shown.
const roundTime = 10 * time.Microsecond
