// Package hosttest holds the one suite that every plugin runtime passes: the
// same guest program, built for the runtime, does good and bad things, and each
// has to end as host promises.
package hosttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Guest is the package of the program that TestRuntime runs.
const Guest = "github.com/nexuscore/scheduler/host/hosttest/guest"

// BuildWASM builds a package as a WebAssembly plugin and returns the path of
// the module, which is gone when the test ends. Building takes seconds: build
// once and share the path among subtests.
func BuildWASM(t testing.TB, pkg string) string {
	t.Helper()
	return build(t, filepath.Base(pkg)+".wasm", []string{"GOOS=wasip1", "GOARCH=wasm"}, "-buildmode=c-shared", pkg)
}

// BuildProcess builds a package as a plugin that is a process, and returns the
// path of the program, which is gone when the test ends. flags go to the Go
// tool.
func BuildProcess(t testing.TB, pkg string, flags ...string) string {
	t.Helper()
	return build(t, filepath.Base(pkg), []string{"CGO_ENABLED=0"}, append(flags, pkg)...)
}

func build(t testing.TB, name string, env []string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", append([]string{"build", "-o", out}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, text)
	}
	return out
}
