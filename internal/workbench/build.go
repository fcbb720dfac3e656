package workbench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Build builds the Go plugin in a directory for a target, Wasm or Process, and
// returns the program's path: output, or a file named after the plugin beside its
// source. What the compiler says is in the error.
func Build(ctx context.Context, dir, target, output string) (string, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(absolute, "go.mod")); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s has no go.mod; `scheduler plugin new` makes a plugin, and other languages build with their own tools", dir)
	}
	if output == "" {
		output = filepath.Join(absolute, moduleName(absolute))
		if target == Wasm {
			output += ".wasm"
		}
	} else if output, err = filepath.Abs(output); err != nil {
		return "", err
	}
	args := []string{"build", "-trimpath", "-mod=mod", "-ldflags=-s -w", "-o", output} // mod: what is missing in go.sum is added
	env := append(os.Environ(), "CGO_ENABLED=0")
	if target == Wasm {
		args = append(args, "-buildmode=c-shared")
		env = append(env, "GOOS=wasip1", "GOARCH=wasm")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...) //nolint:gosec // the author builds his own sources
	cmd.Dir, cmd.Env = absolute, env
	if said, err := cmd.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", errors.New("the go command is not installed; see https://go.dev/dl/")
		}
		return "", fmt.Errorf("go build: %w\n%s", err, strings.TrimSpace(string(said)))
	}
	return output, nil
}

// Tidy completes the go.mod of a Go plugin: what its tests and build need.
func Tidy(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy")
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod tidy: %w\n%s", err, strings.TrimSpace(string(said)))
	}
	return nil
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+(\S+)`)

// moduleName is the last part of the module's path, or the directory's name.
func moduleName(dir string) string {
	raw, err := os.ReadFile(filepath.Join(dir, "go.mod")) //nolint:gosec // beside the sources that are built
	if m := moduleLine.FindSubmatch(raw); err == nil && m != nil {
		return filepath.Base(string(m[1]))
	}
	return filepath.Base(dir)
}
