package plugins_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
)

// As many rows as an aggregation takes fit into the memory and the time that it
// is shipped with.
func TestTheMostRowsFit(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const rows, perPage = 100_000, 5000
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("from")) // "" is the first page
		var page strings.Builder
		for i := from; i < min(from+perPage, rows); i++ {
			fmt.Fprintf(&page, `,{"id": "%032d", "game": "game-%d", "viewers": %d.25, "title": "a title that nobody asks for"}`, i, i%500, i)
		}
		next := ""
		if from+perPage < rows {
			next = strconv.Itoa(from + perPage)
		}
		_, _ = fmt.Fprintf(w, `{"data": [%s], "next": %q}`, strings.TrimPrefix(page.String(), ","), next)
	}))
	t.Cleanup(server.Close)

	text, err := os.ReadFile("../plugins.yaml")
	require.NoError(t, err)
	_, entry, found := strings.Cut(string(text), "  - type: aggregation\n")
	require.True(t, found)
	_, limits, _ := strings.Cut(entry, "limits: ")
	limits, _, _ = strings.Cut(limits, "\n")
	path := filepath.Join(t.TempDir(), "plugins.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
plugins:
  - {type: aggregation, runtime: wasm, source: %s, limits: %s, grants: {kv: true, secrets: [x], http: ["%s/**"], privateNetworks: [127.0.0.0/8]}}
`, program(t, "wasm", "aggregation"), limits, server.URL), 0o600))
	store := newLedger()
	h := start(t, host.Config{Path: path, Runtimes: map[string]host.Runtime{"wasm": newWASM(t)}, State: store, Checkpoints: store})

	in := invocation("aggregation", "e-1", fmt.Appendf(nil, `{"name": "x", "groupBy": ["/game"], "top": [{"as": "ids", "field": "/id", "k": 3}],
		"sources": [{"kind": "http", "url": "%s", "items": "/data", "pagination": {"cursor": "/next", "parameter": "from"}, "maxPages": 100}],
		"metrics": [{"as": "p95", "op": "p95", "field": "/viewers"}, {"as": "sum", "op": "sum", "field": "/viewers"}]}`, server.URL))
	out, err := h.Invoke(t.Context(), in)
	require.NoError(t, err)
	require.Contains(t, string(out.Result), `"rows":100000,"metrics":{"p95":94999.25,"sum":4999975000}`)
}
