package host_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func TestManifestIsChecked(t *testing.T) {
	tests := map[string]struct {
		change func(*wire.Manifest)
		lines  []string
		want   string
	}{
		"abi":            {func(m *wire.Manifest) { m.ABI = 2 }, nil, "speaks ABI 2"},
		"name":           {func(m *wire.Manifest) { m.Name = "Über" }, nil, "manifest name"},
		"version":        {func(m *wire.Manifest) { m.Version = "v1" }, nil, "semantic version"},
		"not granted":    {func(m *wire.Manifest) { m.Capabilities = []string{"notify"} }, nil, "asks for notify, which is not granted; add it"},
		"http":           {func(m *wire.Manifest) { m.Capabilities = []string{"http"} }, nil, `for example grants: {http: ["https://example.com/api/**"]}`},
		"granted false":  {func(m *wire.Manifest) { m.Capabilities = []string{"notify"} }, []string{"grants: {notify: false}"}, "not granted"},
		"not offered":    {func(m *wire.Manifest) { m.Capabilities = []string{"teleport"} }, nil, "does not offer"},
		"schema no JSON": {func(m *wire.Manifest) { m.DataSchema = json.RawMessage(`7`) }, nil, "data schema"},
		"schema invalid": {func(m *wire.Manifest) { m.DataSchema = json.RawMessage(`{"type":"objekt"}`) }, nil, "data schema"},
		"schema from the net": {func(m *wire.Manifest) {
			m.DataSchema = json.RawMessage(`{"$ref":"http://127.0.0.1/x.json"}`)
		}, nil, "only references within the schema"},
		"schema from a file": {func(m *wire.Manifest) {
			m.ConfigSchema = json.RawMessage(`{"$ref":"file:///etc/passwd"}`)
		}, nil, "only references within the schema"},
		"schema beside": {func(m *wire.Manifest) {
			m.DataSchema = json.RawMessage(`{"$ref":"other.json"}`)
		}, nil, "only references within the schema"},
		"config wrong": {func(m *wire.Manifest) {
			m.ConfigSchema = json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}}}`)
		}, []string{"config: {n: text}"}, "/config/n: must be integer, is string"},
		"config missing": {func(m *wire.Manifest) {
			m.ConfigSchema = json.RawMessage(`{"type":"object","required":["n"]}`)
		}, nil, "/config/n: is required"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			test.change(&h.runtime.program("good").manifest)
			h.list(t, test.lines...)
			h.load(t)
			p := h.status(t, "x")
			require.Equal(t, core.PluginFailed, p.State)
			require.Contains(t, p.Error, test.want)
			require.Zero(t, h.runtime.opened(), "a plugin that is held back is released")
		})
	}
}

func TestPluginWithoutManifest(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good").mute = true
	h.list(t)
	h.load(t)
	require.Equal(t, "x", h.status(t, "x").Name)
	require.NoError(t, h.ValidateData("x", json.RawMessage(`[1]`)))
}

// A secret in the config is in no message, whatever is wrong with it.
func TestSecretsStayOutOfMessages(t *testing.T) {
	const secret = "canary-7f3a"
	schemas := []string{
		`{"type":"object","properties":{"token":{"type":"integer"}}}`,
		`{"type":"object","properties":{"token":{"pattern":"^x$"}}}`,
		`{"type":"object","properties":{"token":{"enum":["a"]}}}`,
		`{"type":"object","properties":{"token":{"const":"a"}}}`,
		`{"type":"object","properties":{"token":{"maxLength":1}}}`,
		`{"type":"object","properties":{"token":{"anyOf":[{"const":"a"},{"const":"b"}]}}}`,
		``,
	}
	for _, s := range schemas {
		for _, lines := range [][]string{
			{`config: {token: "${TOKEN}"}`},
			{`config: {token: "${TOKEN}"}`, `unknown: 1`},
			{`config: {token: "${TOKEN}"}`, `limits: {memory: "${TOKEN}x"}`},
		} {
			h := newHouse(t)
			h.env["TOKEN"] = secret
			h.runtime.program("good").manifest.ConfigSchema = json.RawMessage(s)
			h.list(t, lines...)
			h.load(t)
			p := h.status(t, "x")
			require.Equal(t, core.PluginFailed, p.State)
			require.NotContains(t, p.Error, secret)
		}
	}
}

func TestEnvironmentIsOneString(t *testing.T) {
	h := newHouse(t)
	h.env["TOKEN"] = "a: [1]\nb: \"x\""
	program := h.runtime.program("good")
	program.manifest.ConfigSchema = json.RawMessage(`{"type":"object"}`)
	program.handle = callOnce(wire.OpConfig, nil)
	h.list(t, `config: {"${TOKEN}": 1, token: "<${TOKEN}>", literal: "$${TOKEN}", list: ["${TOKEN}"]}`)
	h.load(t)
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	want, err := json.Marshal(map[string]any{
		"${TOKEN}": 1, "token": "<" + h.env["TOKEN"] + ">", "literal": "${TOKEN}", "list": []string{h.env["TOKEN"]},
	})
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(out.Result))
}

func TestValidateData(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good").manifest.DataSchema = json.RawMessage(`{
		"type": "object", "required": ["id"], "additionalProperties": false,
		"properties": {
			"id": {"type": "string", "minLength": 2},
			"n": {"type": "integer", "minimum": 1, "maximum": 10},
			"tags": {"type": "array", "uniqueItems": true, "items": {"type": "string", "pattern": "^[a-z]+$"}},
			"a/b~c": {"type": "boolean"},
			"either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
			"one": {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
		}}`)
	h.list(t)
	h.load(t)
	require.NoError(t, h.ValidateData("x", json.RawMessage(`{"id": "ab", "n": 3, "tags": ["x", "y"]}`)))

	deep := strings.Repeat(`{"id":`, 70) + `1` + strings.Repeat(`}`, 70)
	tests := map[string]struct {
		data string
		want []core.FieldProblem
	}{
		"nothing":       {``, []core.FieldProblem{{Field: "/data/id", Problem: "is required"}}},
		"unknown":       {`{"id":"ab","x":1}`, []core.FieldProblem{{Field: "/data/x", Problem: "is not a known field"}}},
		"type":          {`{"id":7}`, []core.FieldProblem{{Field: "/data/id", Problem: "must be string, is number"}}},
		"short":         {`{"id":"a"}`, []core.FieldProblem{{Field: "/data/id", Problem: "must have at least 2 characters, has 1"}}},
		"range":         {`{"id":"ab","n":11}`, []core.FieldProblem{{Field: "/data/n", Problem: "must be at most 10"}}},
		"in a list":     {`{"id":"ab","tags":["a","B"]}`, []core.FieldProblem{{Field: "/data/tags/1", Problem: "must match the pattern ^[a-z]+$"}}},
		"repeated":      {`{"id":"ab","tags":["a","a"]}`, []core.FieldProblem{{Field: "/data/tags", Problem: "must not repeat items; 0 and 1 are equal"}}},
		"escaped":       {`{"id":"ab","a/b~c":1}`, []core.FieldProblem{{Field: "/data/a~1b~0c", Problem: "must be boolean, is number"}}},
		"choice":        {`{"id":"ab","either":[]}`, []core.FieldProblem{{Field: "/data/either", Problem: "does not satisfy anyOf of the schema"}}},
		"none of":       {`{"id":"ab","one":{"c":1}}`, []core.FieldProblem{{Field: "/data/one", Problem: "needs one of a, b"}}},
		"not an object": {`[]`, []core.FieldProblem{{Field: "/data", Problem: "must be object, is array"}}},
		"deep":          {deep, []core.FieldProblem{{Field: "/data", Problem: "nested deeper than 64 levels"}}},
		"two values":    {`{} {}`, []core.FieldProblem{{Field: "/data", Problem: "2 JSON values instead of one"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := h.ValidateData("x", json.RawMessage(test.data))
			var e *core.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, core.CodeValidationFailed, e.Code)
			require.Equal(t, test.want, e.Fields)
		})
	}
	for name, data := range map[string]string{
		"malformed":        `{"id"`,
		"duplicate member": `{"id":"ab","id":"cd"}`,
		"invalid UTF-8":    "{\"id\":\"a\xff\"}",
		"huge":             `"` + strings.Repeat("x", 5<<20) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, core.CodeValidationFailed, core.CodeOf(h.ValidateData("x", json.RawMessage(data))))
		})
	}
}
