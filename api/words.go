package api

import (
	"reflect"
	"strconv"
	"time"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// typeWords names a Go type in the words of the REST contract.
func typeWords(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		return typeWords(t.Elem()) + " or null"
	}
	if t == reflect.TypeFor[time.Time]() {
		return "a time with its zone as in RFC 3339, for example 2026-01-31T09:00:00Z or 2026-01-31T09:00:00+01:00"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Int32:
		return "a whole number"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "another type"
	}
}
