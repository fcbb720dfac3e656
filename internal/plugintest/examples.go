package plugintest

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// Examples returns the JSON examples of a task type's section in a page of the
// documentation. A page without any ends the test.
func Examples(t testing.TB, page, taskType string) []json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(page) //nolint:gosec // a test names its own page
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(raw), "\n## `"+taskType+"`\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var examples []json.RawMessage
	for _, block := range jsonBlock.FindAllStringSubmatch(section, -1) {
		examples = append(examples, json.RawMessage(block[1]))
	}
	if len(examples) == 0 {
		t.Fatalf("%s has no examples of %s", page, taskType)
	}
	return examples
}
