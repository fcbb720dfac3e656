package plugintest

import (
	"bytes"
	"encoding/json"
	"sync"
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
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(render(t, data)))
	if err != nil {
		t.Fatalf("read the data: %v", err)
	}
	compiled, known := schemas.Load(schema)
	if !known {
		compiled = compile(t, schema)
		schemas.Store(schema, compiled)
	}
	return compiled.(*jsonschema.Schema).Validate(value)
}

// schemas are those that were compiled, by their text: a task type has one, and
// its tests run it hundreds of times.
var schemas sync.Map

func compile(t testing.TB, schema string) *jsonschema.Schema {
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
	return compiled
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
