package archtest

import (
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/nexuscore/scheduler"

// rule says what the packages below a path may import of this module and, when
// outside is set, of others. Tests are free.
type rule struct {
	ours    []string
	outside []string // nil: anything
}

var nothing = []string{}

// wide names stand for everything below them too.
var wide = []string{"sdk", "host", "internal"}

// rules are looked up by the longest matching path. Data flows one way:
// plugins → sdk ← host → core ← api, internal/*; internal/app knows everyone.
var rules = map[string]rule{
	"core":                {[]string{"core/schedule"}, []string{"github.com/google/uuid"}},
	"core/schedule":       {nothing, []string{"github.com/robfig/cron/v3"}},
	"core/engine":         {[]string{"core", "core/schedule"}, []string{"github.com/hashicorp/go-hclog", "github.com/robfig/cron/v3"}},
	"core/coretest":       {[]string{"core", "core/schedule"}, []string{"github.com/anishathalye/porcupine", "github.com/stretchr/testify", "golang.org/x/sync"}},
	"sdk":                 {[]string{"sdk"}, []string{"github.com/hashicorp/go-hclog", "github.com/hashicorp/go-plugin", "google.golang.org/grpc", "google.golang.org/protobuf"}}, // in process.go
	"sdk/wire":            {nothing, nothing},
	"sdk/sdktest":         {[]string{"sdk"}, nothing},
	"plugins":             {[]string{"sdk", "plugins/discord", "plugins/platforms", "plugins/template", "plugins/twitch"}, nothing},
	"host":                {[]string{"core", "sdk"}, nil},
	"host/wasm":           {[]string{"core", "host", "sdk"}, nil},
	"host/process":        {[]string{"core", "host", "sdk"}, nil},
	"host/hosttest":       {[]string{"core", "host", "sdk"}, nil},
	"api":                 {[]string{"core", "core/schedule"}, nil},
	"migrations":          {nothing, nothing},
	"internal":            {[]string{"core", "core/schedule", "migrations"}, nil},
	"internal/workbench":  {[]string{"core", "examples", "host", "sdk"}, nil},
	"internal/config":     {nothing, nothing},
	"internal/plugintest": {[]string{"sdk", "internal/fakeplatform"}, []string{"github.com/santhosh-tekuri/jsonschema/v6"}}, // for tests of plugins
	"internal/redact":     {nothing, []string{"github.com/hashicorp/go-hclog"}},
	"internal/app":        {[]string{"api", "core", "core/engine", "core/schedule", "host", "internal"}, nil},
	"cmd":                 {[]string{"core", "core/schedule", "host/process", "internal"}, nil},
	"deploy":              {nothing, nothing},
	"e2e":                 {[]string{"internal"}, nil},

	"examples":            {[]string{"sdk"}, nothing},
	"examples/javascript": {[]string{"sdk", "examples/javascript/interpreter"}, []string{"github.com/dop251/goja"}},
}

func TestImportsFollowTheHouse(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	checked := 0
	for _, dir := range packages(t, root) {
		r, ok := ruleFor(dir)
		require.True(t, ok, "no rule for %s: give it a place in the house", dir)
		p, err := build.ImportDir(filepath.Join(root, dir), 0)
		if err != nil {
			continue // only tests, or other platforms
		}
		checked++
		for _, imp := range p.Imports {
			if problem := r.check(dir, imp); problem != "" {
				t.Errorf("%s imports %s: %s", dir, imp, problem)
			}
		}
	}
	require.Greater(t, checked, 10)
}

func TestAPlantedViolationIsSeen(t *testing.T) {
	for dir, imp := range map[string]string{
		"core":              "github.com/gofiber/fiber/v2",
		"core/engine":       module + "/internal/memory",
		"api":               module + "/host",
		"sdk":               module + "/core",
		"sdk/wire":          "google.golang.org/grpc",
		"host/process":      module + "/host/wasm",
		"internal/memory":   module + "/internal/sqlstore",
		"plugins/reminder":  module + "/host",
		"internal/sqlstore": module + "/api",
	} {
		r, ok := ruleFor(dir)
		require.True(t, ok)
		require.NotEmpty(t, r.check(dir, imp), "%s may import %s", dir, imp)
	}
}

// check says why a package may not import something, "" when it may.
func (r rule) check(dir, imp string) string {
	inside, ours := strings.CutPrefix(imp, module+"/")
	switch {
	case ours && below(inside, dir):
		return ""
	case ours && below(inside, "internal") && dir != "internal/app" && !below(dir, "cmd") && dir != "e2e" && dir != "internal/plugintest":
		return "siblings under internal do not know each other, and nobody else knows them"
	case ours && below(dir, "host") && strings.HasPrefix(inside, "host/"):
		return "the runtimes do not know each other, and host does not know them"
	case ours && !slices.ContainsFunc(r.ours, func(p string) bool {
		return inside == p || slices.Contains(wide, p) && below(inside, p)
	}):
		return "against the direction of the house"
	case ours, !strings.Contains(strings.Split(imp, "/")[0], "."):
		return ""
	case r.outside != nil && !slices.ContainsFunc(r.outside, func(p string) bool { return below(imp, p) }):
		return "third-party packages have no place here"
	}
	return ""
}

func below(p, parent string) bool { return p == parent || strings.HasPrefix(p, parent+"/") }

func ruleFor(dir string) (rule, bool) {
	for p := dir; p != "."; p = path.Dir(p) {
		if r, ok := rules[p]; ok {
			return r, true
		}
	}
	return rule{}, false
}

// packages lists the folders with Go files, relative to root.
func packages(t *testing.T, root string) []string {
	var all []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != root || d.Name() == "testdata" || d.Name() == "bin" || d.Name() == "data") {
			return filepath.SkipDir
		}
		if d.IsDir() && p != root && exists(filepath.Join(p, "go.mod")) { // another module, which may import what it measures
			return filepath.SkipDir
		}
		if strings.HasSuffix(p, ".go") {
			rel, err := filepath.Rel(root, filepath.Dir(p))
			if err != nil {
				return err
			}
			if !slices.Contains(all, rel) {
				all = append(all, rel)
			}
		}
		return nil
	})
	require.NoError(t, err)
	return all
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
