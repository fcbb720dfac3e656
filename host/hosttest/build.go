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
	out := filepath.Join(t.TempDir(), filepath.Base(pkg)+".wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, text)
	}
	return out
}
