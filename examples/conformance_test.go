package examples_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/wasm"
)

const goConformance = "github.com/nexuscore/scheduler/examples/go/conformance"

// compiled are the languages whose modules are checked in.
var compiled = []string{"assemblyscript", "c", "rust"}

// newWASM makes a runtime that keeps compiled code for all tests.
func newWASM(t testing.TB) host.Runtime {
	r, err := wasm.New(wasm.Config{CacheDir: cacheDir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

// conforms holds a module to the conformance table.
func conforms(t *testing.T, path string) {
	t.Helper()
	hosttest.TestConformance(t, hosttest.Candidate{Runtime: "wasm", New: newWASM, Path: path})
}

func TestGoConforms(t *testing.T) {
	conforms(t, hosttest.BuildWASM(t, goConformance))
}

// The modules that are checked in are always held to the table, whether their
// compilers are here or not.
func TestCheckedInModulesConform(t *testing.T) {
	for _, language := range compiled {
		t.Run(language, func(t *testing.T) { conforms(t, filepath.Join(language, "conformance.wasm")) })
	}
}

// TestYourModuleConforms holds a module from elsewhere to the table, see
// docs/conformance.md.
func TestYourModuleConforms(t *testing.T) {
	path, ok := os.LookupEnv("CONFORMANCE_MODULE")
	if !ok {
		t.Skip("CONFORMANCE_MODULE names no module")
	}
	conforms(t, path)
}

// Where a compiler is here, what it makes of the sources conforms, too, and with
// the compiler that the checked-in modules came from it is the same to the byte:
// nobody changes a source and forgets its module.
func TestSourcesAreThoseOfTheModules(t *testing.T) {
	out := t.TempDir()
	text, err := exec.Command("make", "--silent", "OUT="+out).CombinedOutput()
	require.NoError(t, err, "%s", text)
	t.Logf("make:\n%s", text)
	recorded, err := os.ReadFile("compilers.txt")
	require.NoError(t, err)
	here, err := exec.Command("make", "--silent", "compilers").Output()
	require.NoError(t, err)
	for _, language := range compiled {
		t.Run(language, func(t *testing.T) {
			compiler := line(string(here), language)
			if compiler == "" {
				t.Skip("its compiler is not here; the checked-in module is held to the table by TestCheckedInModulesConform")
			}
			if compiler != line(string(recorded), language) {
				t.Logf("%q is not the recorded %q: only the behaviour is compared", compiler, line(string(recorded), language))
				conforms(t, filepath.Join(out, language, "conformance.wasm"))
				return
			}
			for _, name := range []string{"greeter.wasm", "conformance.wasm"} {
				want, err := os.ReadFile(filepath.Join(language, name))
				require.NoError(t, err)
				got, err := os.ReadFile(filepath.Join(out, language, name))
				require.NoError(t, err)
				require.True(t, string(want) == string(got), "%s/%s is not built from its source: run make examples", language, name) //nolint:testifylint // Equal would print the modules
			}
		})
	}
}

// line is the line of a text that begins with a word and a colon.
func line(text, word string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, word+":") {
			return strings.TrimSpace(l)
		}
	}
	return ""
}
