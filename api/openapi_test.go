package api_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// description is the part of openapi.yaml that is held against the code.
type description struct {
	Paths      map[string]map[string]any `yaml:"paths"`
	Components struct {
		Schemas    map[string]map[string]any `yaml:"schemas"`
		Parameters map[string]any            `yaml:"parameters"`
		Responses  map[string]any            `yaml:"responses"`
	} `yaml:"components"`
}

func readDescription(t *testing.T) (description, string) {
	raw, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	var d description
	require.NoError(t, yaml.Unmarshal(raw, &d))
	return d, string(raw)
}

func TestEveryRouteIsDescribed(t *testing.T) {
	d, _ := readDescription(t)
	var described []string
	for path, operations := range d.Paths {
		for method := range operations {
			described = append(described, strings.ToUpper(method)+" "+regexp.MustCompile(`\{(\w+)\}`).ReplaceAllString(path, ":$1"))
		}
	}
	routes := newFixture(t).server.Routes()
	slices.Sort(described)
	slices.Sort(routes)
	require.Equal(t, described, routes)
}

func TestEveryCodeIsDescribed(t *testing.T) {
	d, raw := readDescription(t)
	enum := func(name string) []string {
		var all []string
		for _, v := range d.Components.Schemas[name]["enum"].([]any) {
			all = append(all, v.(string))
		}
		slices.Sort(all)
		return all
	}
	request := words(core.RequestCodes())
	require.Equal(t, request, enum("ErrorCode"))
	require.Equal(t, words(append(core.ExecutionCodes(), core.CodeInternal)), enum("ExecutionErrorCode"))
	for _, code := range request {
		require.Regexp(t, code+` \d{3}[,\s]`, raw, "the status of %s is not described", code)
	}
	errorsDoc, err := os.ReadFile("../docs/errors.md")
	require.NoError(t, err)
	for _, code := range append(request, words(core.ExecutionCodes())...) {
		require.Contains(t, string(errorsDoc), "`"+code+"`")
	}
	for _, s := range core.Statuses() {
		require.Contains(t, enum("ExecutionStatus"), string(s))
	}
}

func words(codes []core.Code) []string {
	var all []string
	for _, c := range codes {
		all = append(all, string(c))
	}
	slices.Sort(all)
	return all
}

func TestReferencesResolve(t *testing.T) {
	d, raw := readDescription(t)
	for _, ref := range regexp.MustCompile(`#/components/(\w+)/(\w+)`).FindAllStringSubmatch(raw, -1) {
		found := false
		switch ref[1] {
		case "schemas":
			_, found = d.Components.Schemas[ref[2]]
		case "parameters":
			_, found = d.Components.Parameters[ref[2]]
		case "responses":
			_, found = d.Components.Responses[ref[2]]
		}
		require.True(t, found, "%s leads nowhere", ref[0])
	}
}

func TestAnswersHaveTheDescribedFields(t *testing.T) {
	d, raw := readDescription(t)
	f := newFixture(t)
	id := f.task(nil)
	execution := f.want(202, "POST", "/tasks/"+id+"/execute", nil).body
	properties := d.Components.Schemas["Execution"]["properties"].(object)
	for field := range execution {
		require.Contains(t, properties, field)
	}
	for field := range properties {
		require.Contains(t, execution, field)
	}
	for field := range f.want(200, "GET", "/tasks/"+id, nil).body {
		require.Contains(t, raw, field+":", "field %s of a task", field)
	}
}
