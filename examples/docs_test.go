package examples_test

import (
	"encoding/json"
	"os"
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
