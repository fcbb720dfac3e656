package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nexuscore/scheduler/core"
)

// maxProblems bounds how many problems one check reports.
const maxProblems = 20

// schemaURL is the name under which a plugin's schema is compiled; nothing is
// ever fetched from it.
const schemaURL = "plugin:/schema.json"

// schema checks JSON against a JSON Schema. It is safe for concurrent use.
type schema struct {
	compiled *jsonschema.Schema
	raw      json.RawMessage
}

// closedLoader refuses to fetch schemas: a plugin's schema must stand alone, or
// loading a plugin would make the host open files and connections of the
// plugin's choice.
type closedLoader struct{}

func (closedLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("reference to %s: only references within the schema (#/…) are allowed", url)
}

// compileSchema reads a schema; draft 2020-12 unless $schema names another.
func compileSchema(raw json.RawMessage) (*schema, error) {
	if err := checkJSON(raw); err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(closedLoader{})
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, err
	}
	return &schema{compiled: compiled, raw: raw}, nil
}

// check returns what is wrong with data. The fields are JSON Pointers below
// root, for example root "/data" gives "/data/channelId". The problems never
// quote values, which may be secret.
func (s *schema) check(root string, data json.RawMessage) []core.FieldProblem {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return []core.FieldProblem{{Field: root, Problem: "is not valid JSON"}}
	}
	err = s.compiled.Validate(doc)
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []core.FieldProblem{{Field: root, Problem: "cannot be checked against its schema"}}
	}
	p := problems{root: root}
	p.collect(failed)
	return p.found
}
