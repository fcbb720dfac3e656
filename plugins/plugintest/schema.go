package plugintest

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nexuscore/scheduler/sdk"
)

// Refused demands that no task with these data can be written, and returns why.
func Refused(t testing.TB, p sdk.Plugin, data any) string {
	t.Helper()
	err := check(t, p.DataSchema, data)
	if err == nil {
		t.Fatalf("the schema of %s accepts %s", p.Name, render(t, data))
	}
	return err.Error()
}

// check holds data against a schema, as the service does.
func check(t testing.TB, schema string, data any) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(schema)))
	if err != nil {
		t.Fatalf("read the schema: %v", err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("plugin:/schema.json", doc); err != nil {
		t.Fatalf("read the schema: %v", err)
	}
	compiled, err := compiler.Compile("plugin:/schema.json")
	if err != nil {
		t.Fatalf("compile the schema: %v", err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(render(t, data)))
	if err != nil {
		t.Fatalf("read the data: %v", err)
	}
	return compiled.Validate(value)
}

// render makes JSON of what a sdktest.Case has.
func render(t testing.TB, v any) []byte {
	t.Helper()
	if v == nil {
		return []byte("{}")
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("render: %v", err)
	}
	return raw
}
