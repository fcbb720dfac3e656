package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
)

// help prints the usage: to stdout and with success when it was asked for.
func help(args []string, env environment) int {
	switch args[0] {
	case "help", "-h", "--help":
		usage(env.stdout)
		return exitOK
	}
	fmt.Fprintf(env.stderr, "scheduler: unknown command %q\n\n", args[0])
	usage(env.stderr)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: scheduler <command>\n\ncommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-44s %s\n", c.name+" "+c.args, c.summary)
	}
	fmt.Fprint(w, "\nConfiguration is read from environment variables; README.md lists them.\n")
}

// release is set by the release build with -ldflags.
var release = "dev"

func version(_ context.Context, _ []string, env environment) int {
	fmt.Fprintln(env.stdout, "scheduler", versionText())
	return exitOK
}

// versionText is the release with the commit it was built from.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "+" + s.Value[:12]
		}
	}
	return release
}
