package core_test

import (
	"encoding/json"
	"testing"

	"github.com/nexuscore/scheduler/core"
)

// TestNULIsRefused: Postgres cannot hold it, so no store is asked to.
func TestNULIsRefused(t *testing.T) {
	data := func(text string) func(*core.TaskSpec) {
		return func(s *core.TaskSpec) { s.Data = json.RawMessage(text) }
	}
	checkSpecs(t, []specCase{
		{"name", func(s *core.TaskSpec) { s.Name = "a\x00" }, []string{"/name"}},
		{"description", func(s *core.TaskSpec) { s.Description = "\x00" }, []string{"/description"}},
		{"label", func(s *core.TaskSpec) { s.Labels = map[string]string{"a": "\x00"} }, []string{"/labels/a"}},
		{"concurrency key", func(s *core.TaskSpec) { s.ConcurrencyKey = "\x00" }, []string{"/concurrencyKey"}},
		{"rate limit key", func(s *core.TaskSpec) { s.RateLimit = &core.RateLimit{Key: "\x00", Limit: 1, PerMs: 1} }, []string{"/rateLimit/key"}},
		{"value in data", data(`{"a": ["x\u0000"]}`), []string{"/data"}},
		{"name in data", data(`{"\u0000": 1}`), []string{"/data"}},
		{"after a backslash", data(`{"a": "\\\u0000"}`), []string{"/data"}},
		{"only text that looks like it", data(`{"a": "\\u0000", "b": "\u0001u0000"}`), nil},
	})
}
