package sdk

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// setDefaults gives the members of a struct the defaults of their schema tags,
// and those of structs in it. It panics on a default that is no value of its
// field.
func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		switch {
		case !f.IsExported() && !f.Anonymous:
		case field.Kind() == reflect.Struct && f.Type != timeType:
			setDefaults(field)
		case isScalar(field.Kind()) && field.CanSet():
			setDefault(v.Type(), f, field)
		}
	}
}

func setDefault(t reflect.Type, f reflect.StructField, into reflect.Value) {
	word, found := defaultOf(f)
	if !found {
		return
	}
	raw := []byte(word)
	if s := schemaOf(f.Type, nil); s["type"] == "string" {
		raw, _ = json.Marshal(word) // a text can be marshalled
	}
	if err := json.Unmarshal(raw, into.Addr().Interface()); err != nil {
		panic(fmt.Sprintf("sdk: schema: %s.%s: default=%s is no %s", t, f.Name, word, f.Type))
	}
}

// defaultOf reads the default from a field's schema tag.
func defaultOf(f reflect.StructField) (word string, found bool) {
	for _, part := range strings.Split(f.Tag.Get("schema"), ";") {
		if word, found = strings.CutPrefix(strings.TrimSpace(part), "default="); found {
			return word, true
		}
	}
	return "", false
}

func isScalar(k reflect.Kind) bool {
	return k == reflect.String || k >= reflect.Bool && k <= reflect.Float64 && k != reflect.Uintptr
}
