package sdk_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

type page struct {
	Cursor string `json:"cursor,omitempty" doc:"Where it goes on"`
}

type everything struct {
	page
	Text    string             `json:"text" schema:"minLength=1; maxLength=9; pattern=^[a-z]+$"`
	Kind    string             `json:"kind,omitempty" schema:"enum=a|b; default=a"`
	Count   int                `json:"count" schema:"minimum=1; maximum=2.5"`
	Level   uint8              `json:"level,omitzero" schema:"enum=1|2"`
	Ratio   *float64           `json:"ratio"`
	Via     []string           `json:"via,omitempty" schema:"maxItems=3; uniqueItems=true; items.enum=x|y"`
	At      time.Time          `json:"at,omitzero"`
	Limits  map[string]float64 `json:"limits,omitempty"`
	Raw     json.RawMessage    `json:"raw,omitempty"`
	Any     any                `json:"any,omitempty"`
	Inner   struct{ On bool }  `json:"inner"`
	Hidden  string             `json:"-"`
	private string
}

func TestSchemaOf(t *testing.T) {
	_ = everything{}.private
	require.JSONEq(t, `{
		"type": "object", "additionalProperties": false, "required": ["text", "count", "inner"],
		"properties": {
			"cursor": {"type": "string", "description": "Where it goes on"},
			"text": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^[a-z]+$"},
			"kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
			"count": {"type": "integer", "minimum": 1, "maximum": 2.5},
			"level": {"type": "integer", "minimum": 0, "enum": [1, 2]},
			"ratio": {"type": "number"},
			"via": {"type": "array", "maxItems": 3, "uniqueItems": true, "items": {"type": "string", "enum": ["x", "y"]}},
			"at": {"type": "string", "format": "date-time"},
			"limits": {"type": "object", "additionalProperties": {"type": "number"}},
			"raw": {}, "any": {},
			"inner": {"type": "object", "additionalProperties": false, "required": ["On"], "properties": {"On": {"type": "boolean"}}}
		}
	}`, sdk.SchemaOf[everything]())
}

// What encoding/json writes the schema takes, in the same form.
func TestSchemaIsOfWhatJSONMakesOfAType(t *testing.T) {
	type forms struct {
		Bytes  []byte  `json:"bytes"`
		Array  [2]byte `json:"array"`
		Number int64   `json:"number,string"`
		Yes    *bool   `json:"yes,omitempty,string"`
		List   []int   `json:"list"`
	}
	raw, err := json.Marshal(forms{Bytes: []byte("a"), Number: 7, Yes: new(true), List: []int{1}})
	require.NoError(t, err)
	require.JSONEq(t, `{"bytes": "YQ==", "array": [0, 0], "number": "7", "yes": "true", "list": [1]}`, string(raw))
	require.JSONEq(t, `{
		"type": "object", "additionalProperties": false, "required": ["bytes", "array", "number", "list"],
		"properties": {
			"bytes": {"type": "string", "contentEncoding": "base64"},
			"array": {"type": "array", "items": {"type": "integer", "minimum": 0}},
			"number": {"type": "string"}, "yes": {"type": "string"},
			"list": {"type": "array", "items": {"type": "integer"}}
		}
	}`, sdk.SchemaOf[forms]())
}

func TestSchemaWith(t *testing.T) {
	type pair struct {
		A, B *int
	}
	require.JSONEq(t, `{
		"type": "object", "additionalProperties": false, "properties": {"A": {"type": "integer"}, "B": {"type": "integer"}},
		"dependentRequired": {"A": ["B"]}
	}`, sdk.SchemaWith[pair](`{"dependentRequired": {"A": ["B"]}}`))
	require.Panics(t, func() { sdk.SchemaWith[pair](`{"properties": {}}`) })
	require.Panics(t, func() { sdk.SchemaWith[pair](`[]`) })
}

type circle struct {
	Next *circle `json:"next"`
}

func TestSchemaOfWhatCannotBe(t *testing.T) {
	require.PanicsWithValue(t, "sdk: schema: sdk_test.circle contains itself; write the schema by hand", func() { sdk.SchemaOf[circle]() })
	require.PanicsWithValue(t, "sdk: schema: JSON has nothing for chan int", func() { sdk.SchemaOf[chan int]() })
	for name, schema := range map[string]func() string{
		"an unknown keyword": sdk.SchemaOf[struct {
			A string `schema:"minimumLength=1"`
		}],
		"a number that is not": sdk.SchemaOf[struct {
			A string `schema:"minLength=one"`
		}],
		"no value": sdk.SchemaOf[struct {
			A string `schema:"minLength"`
		}],
		"items of no slice": sdk.SchemaOf[struct {
			A string `schema:"items.minLength=1"`
		}],
	} {
		require.Panics(t, func() { schema() }, name)
	}
}

type greeting struct {
	Name string `json:"name" schema:"minLength=1"`
}

func TestTyped(t *testing.T) {
	p := sdk.Typed(sdk.Plugin{Name: "greeter", Version: "1.0.0"}, func(_ *sdk.Context, in greeting) (string, error) {
		return "hello " + in.Name, nil
	})
	require.Contains(t, p.DataSchema, `"minLength":1`)
	var said string
	sdktest.Run(t, p, sdktest.Case{Data: greeting{"Ada"}}).Decode(t, &said)
	require.Equal(t, "hello Ada", said)
	sdktest.Run(t, p, sdktest.Case{Data: map[string]int{"age": 7}}).RequireFailure(t, wire.Permanent)

	own := sdk.Typed(sdk.Plugin{Name: "x", Version: "1.0.0", DataSchema: `{}`}, func(*sdk.Context, greeting) (any, error) { return nil, nil })
	require.Equal(t, `{}`, own.DataSchema)
}
