package sdk

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SchemaOf derives a JSON Schema (draft 2020-12) from a Go type, for a plugin's
// DataSchema or ConfigSchema. What encoding/json would read, it accepts:
//
//   - a struct is an object without further members; a member is required unless
//     its field is a pointer or has omitempty or omitzero, and a text when it has
//     the option string
//   - texts, booleans, numbers, slices, maps from texts, time.Time (date-time);
//     json.RawMessage and any accept everything
//
// Two tags say more of a field. `doc` is its description. `schema` has keywords
// with values, separated by semicolons:
//
//	Message string   `json:"message" doc:"What is said" schema:"minLength=1; maxLength=2000"`
//	Via     []string `json:"via,omitempty" schema:"maxItems=5; items.enum=discord|email"`
//
// Known are minLength, maxLength, pattern, format, enum (values separated by |),
// minimum, maximum, minItems, maxItems, uniqueItems and default; the same with
// items. before it for the elements of a slice.
//
// It panics on a type that JSON cannot carry, one that contains itself, and a
// tag that cannot be read: a plugin that is declared wrongly does not load.
func SchemaOf[T any]() string { return SchemaWith[T]("{}") }

// SchemaWith is SchemaOf with further keywords beside those derived from T, a
// JSON object: what no tag can say, such as members that need or exclude each
// other.
//
//	sdk.SchemaWith[input](`{"dependentRequired": {"slowSeconds": ["slow"]}}`)
//
// It panics as SchemaOf does, when more is no JSON object, and when more has a
// keyword that is derived.
func SchemaWith[T any](more string) string {
	s := schemaOf(reflect.TypeFor[T](), nil)
	var added jsonSchema
	if err := json.Unmarshal([]byte(more), &added); err != nil {
		panic(fmt.Sprintf("sdk: schema: further keywords: %v", err))
	}
	for keyword, value := range added {
		if _, derived := s[keyword]; derived {
			panic(fmt.Sprintf("sdk: schema: further keywords: %q is derived from the type", keyword))
		}
		s[keyword] = value
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("sdk: schema: %v", err))
	}
	return string(raw)
}

// jsonSchema is the part of JSON Schema that is derived.
type jsonSchema map[string]any

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// schemaOf derives the schema of a type that stands within others.
func schemaOf(t reflect.Type, within []reflect.Type) jsonSchema {
	switch {
	case t == timeType:
		return jsonSchema{"type": "string", "format": "date-time"}
	case t == rawType || t.Kind() == reflect.Interface:
		return jsonSchema{}
	case t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(textType):
		return jsonSchema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), within)
	case reflect.String:
		return jsonSchema{"type": "string"}
	case reflect.Bool:
		return jsonSchema{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return jsonSchema{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return jsonSchema{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return jsonSchema{"type": "number"}
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 { // an array of bytes is one of numbers
			return jsonSchema{"type": "string", "contentEncoding": "base64"}
		}
		return jsonSchema{"type": "array", "items": schemaOf(t.Elem(), within)}
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return jsonSchema{"type": "object", "additionalProperties": schemaOf(t.Elem(), within)}
		}
	case reflect.Struct:
		if slices.Contains(within, t) {
			panic(fmt.Sprintf("sdk: schema: %s contains itself; write the schema by hand", t))
		}
		return structSchema(t, append(within, t))
	}
	panic(fmt.Sprintf("sdk: schema: JSON has nothing for %s", t))
}

// structSchema derives the schema of an object.
func structSchema(t reflect.Type, within []reflect.Type) jsonSchema {
	members, required := jsonSchema{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, optional, skip := memberOf(f)
		if skip || !f.IsExported() || len(f.Index) > 1 && !embedded(t, f) {
			continue
		}
		s := schemaOf(f.Type, within)
		if quoted(f) {
			s = jsonSchema{"type": "string"}
		}
		refine(t, f, s)
		members[name] = s
		if !optional && f.Type.Kind() != reflect.Pointer {
			required = append(required, name)
		}
	}
	s := jsonSchema{"type": "object", "properties": members, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// memberOf reads a field's json tag.
func memberOf(f reflect.StructField) (name string, optional, skip bool) {
	tag := f.Tag.Get("json")
	name, options, _ := strings.Cut(tag, ",")
	if tag == "-" || f.Anonymous && name == "" {
		return "", false, true
	}
	if name == "" {
		name = f.Name
	}
	words := strings.Split(options, ",")
	return name, slices.Contains(words, "omitempty") || slices.Contains(words, "omitzero"), false
}

// quoted tells whether encoding/json reads a field from a text: its json tag has
// the option string, which is for single values only.
func quoted(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct, reflect.Interface, reflect.Pointer:
		return false
	}
	return slices.Contains(strings.Split(options, ","), "string")
}

// embedded tells whether a promoted field comes through structs without a name
// of their own, whose members encoding/json takes for the outer one's.
func embedded(t reflect.Type, f reflect.StructField) bool {
	for i := 1; i < len(f.Index); i++ {
		outer := t.FieldByIndex(f.Index[:i])
		if _, _, flat := memberOf(outer); !flat || outer.Tag.Get("json") == "-" {
			return false
		}
	}
	return true
}

// refine adds what a field's tags say.
func refine(t reflect.Type, f reflect.StructField, s jsonSchema) {
	if doc := f.Tag.Get("doc"); doc != "" {
		s["description"] = doc
	}
	for _, part := range strings.Split(f.Tag.Get("schema"), ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		keyword, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		into := s
		if rest, of := strings.CutPrefix(keyword, "items."); of {
			keyword = rest
			if into, _ = s["items"].(jsonSchema); into == nil {
				ok = false
			}
		}
		if !ok || !into.set(keyword, value) {
			panic(fmt.Sprintf("sdk: schema: %s.%s: cannot read %q; write keywords such as minLength=1; maxLength=20", t, f.Name, part))
		}
	}
}

// set adds a keyword. It reports false when it is unknown or the value does not
// fit.
func (s jsonSchema) set(keyword, value string) bool {
	switch keyword {
	case "pattern", "format":
		s[keyword] = value
	case "enum":
		values := []any{}
		for _, word := range strings.Split(value, "|") {
			values = append(values, s.value(word))
		}
		s[keyword] = values
	case "default":
		s[keyword] = s.value(value)
	case "minLength", "maxLength", "minItems", "maxItems":
		n, err := strconv.Atoi(value)
		s[keyword] = n
		return err == nil && n >= 0
	case "minimum", "maximum":
		n, err := strconv.ParseFloat(value, 64)
		s[keyword] = n
		return err == nil
	case "uniqueItems":
		s[keyword] = value == "true"
		return value == "true" || value == "false"
	default:
		return false
	}
	return true
}

// value reads a value of the schema's own type: JSON, and for a text the word as
// it is.
func (s jsonSchema) value(word string) any {
	if s["type"] == "string" {
		return word
	}
	var v any
	if json.Unmarshal([]byte(word), &v) != nil {
		return word
	}
	return v
}
