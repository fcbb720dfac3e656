package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host/hosttest"
)

// Every case of the table is described on the page, and every one on the page is
// in the table.
func TestThePageHasTheCases(t *testing.T) {
	page, err := os.ReadFile("../docs/conformance.md")
	require.NoError(t, err)
	described := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z.]+)` \\|").FindAllSubmatch(page, -1) {
		described[string(m[1])] = true
	}
	delete(described, "case") // the heading
	used := map[string]bool{}
	for _, row := range hosttest.Rows() {
		var order struct{ Case string }
		require.NoError(t, json.Unmarshal([]byte(row.Data), &order), row.Name)
		used[order.Case] = true
	}
	delete(used, "dance") // nobody knows it
	require.Equal(t, described, used)
}

// The sizes in docs/plugins.md are those of the modules that are checked in.
func TestThePageHasTheSizes(t *testing.T) {
	page, err := os.ReadFile("../docs/plugins.md")
	require.NoError(t, err)
	for language, title := range map[string]string{"c": "C", "rust": "Rust", "assemblyscript": "AssemblyScript"} {
		info, err := os.Stat(filepath.Join(language, "greeter.wasm"))
		require.NoError(t, err)
		require.Regexp(t, fmt.Sprintf(`(?m)^\| %s \|[^|]*\|[^|]*\| %d KiB \|`, title, (info.Size()+512)/1024), string(page))
	}
}
