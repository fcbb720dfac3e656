package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJavaScriptConforms(t *testing.T) {
	conforms(t, buildJavaScript(t, "conformance"))
}

// The tests of javascript are of another module, which ./... does not reach.
func TestJavaScript(t *testing.T) {
	inJavaScript(t, nil, "test", "./...")
}

// buildJavaScript builds a plugin of javascript as a module.
func buildJavaScript(t testing.TB, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name+".wasm")
	inJavaScript(t, []string{"GOOS=wasip1", "GOARCH=wasm"}, "build", "-ldflags=-s -w", "-buildmode=c-shared", "-o", out, "./"+name)
	return out
}

// inJavaScript runs the Go tool on the Go module javascript, which is one of its
// own, so that the product does not depend on an interpreter. It works with copies
// of go.mod and go.sum: the versions that the product asks for may be newer than
// those that were written down there.
func inJavaScript(t testing.TB, env []string, command string, args ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("javascript", file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), b, 0o600))
	}
	cmd := exec.Command("go", append([]string{command, "-modfile=" + filepath.Join(dir, "go.mod"), "-mod=mod"}, args...)...)
	cmd.Dir = "javascript"
	cmd.Env = append(append(os.Environ(), "GOWORK=off", "GOFLAGS="), env...)
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
}
