package loader_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script is a file of the WebAssembly test suite, as wast2json writes it.
type script struct {
	dir      string
	Commands []command `json:"commands"`
}

// command is a step of a script: a module that becomes the current one, or
// something that is to be demanded of one.
type command struct {
	Type       string  `json:"type"`
	Line       int     `json:"line"`
	Name       string  `json:"name"`        // of a module
	Filename   string  `json:"filename"`    // of a module
	ModuleType string  `json:"module_type"` // binary or text
	As         string  `json:"as"`          // the name that a module is registered under
	Action     action  `json:"action"`
	Expected   []value `json:"expected"`
	Text       string  `json:"text"` // of a trap
}

// action is a call of an exported function, or a look at an exported global.
type action struct {
	Type   string  `json:"type"`
	Module string  `json:"module"` // empty for the current one
	Field  string  `json:"field"`
	Args   []value `json:"args"`
}

// value is an argument or a result.
type value struct {
	Type  string `json:"type"`
	Lanes string `json:"lane_type"`
	Value any    `json:"value"`
}

// specDirectory is a directory of the test suite in wazero's sources, which are
// in the module cache wherever this test can be built.
func specDirectory(t testing.TB, part string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest", part, "testdata")
}

// readScript reads the script at path.
func readScript(t testing.TB, path string) script {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	s := script{dir: filepath.Dir(path)}
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

func (s script) read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(t, err)
	return b
}

// bits are the values as the engine takes them.
func bits(t testing.TB, values []value) []uint64 {
	t.Helper()
	var out []uint64
	for _, v := range values {
		if v.Type != "v128" {
			out = append(out, scalar(t, v.Type, v.Value))
			continue
		}
		half := [2]uint64{}
		lanes := v.Value.([]any)
		width := 128 / len(lanes)
		for i, lane := range lanes {
			half[i*width/64] |= scalar(t, v.Lanes, lane) << (i * width % 64)
		}
		out = append(out, half[:]...)
	}
	return out
}

// scalar is a number, which is written in decimal whatever it stands for, or a
// reference.
func scalar(t testing.TB, kind string, v any) uint64 {
	t.Helper()
	text, _ := v.(string)
	if v == nil || text == "null" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "%s %v", kind, v)
	if kind == "externref" {
		return n + 1 // zero is the null reference
	}
	return n
}

// expected demands results. NaNs and lanes are left to the comparison with the
// original, which the engine's own tests hold against the suite.
func expected(t testing.TB, want []value, got []uint64, where string) {
	t.Helper()
	at := 0
	for _, v := range want {
		text := fmt.Sprint(v.Value)
		switch {
		case v.Type == "v128":
			at++
		case v.Value != nil && !strings.Contains(text, "nan"):
			require.Less(t, at, len(got), where)
			mask := ^uint64(0)
			if v.Type == "i32" || v.Type == "f32" {
				mask >>= 32 // what is above is of no meaning
			}
			require.Equal(t, scalar(t, v.Type, v.Value), got[at]&mask, where)
		}
		at++
	}
	require.Len(t, got, at, where)
}
