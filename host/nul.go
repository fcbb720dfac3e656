package host

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// U+0000 is fine in JSON, and Postgres can hold it neither in text nor in
// jsonb. A plugin's work is not thrown away for that: the character becomes
// U+FFFD, as other unusable text does.

// withoutNUL replaces U+0000 in a valid JSON text, where it is only ever written
// as an escape. The argument is not changed.
func withoutNUL(text json.RawMessage) json.RawMessage {
	const nul, replacement = "u0000", "ufffd"
	copied := false
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		i++ // the escaped character; after \\ that is no escape's beginning
		if !bytes.HasPrefix(text[i:], []byte(nul)) {
			continue
		}
		if !copied {
			text, copied = slices.Clone(text), true
		}
		copy(text[i:], replacement)
	}
	return text
}

// fieldsWithoutNUL replaces U+0000 in the names and values of a log line.
func fieldsWithoutNUL(fields map[string]any) map[string]any {
	if fields == nil {
		return nil
	}
	return valueWithoutNUL(fields).(map[string]any)
}

func valueWithoutNUL(v any) any {
	switch v := v.(type) {
	case string:
		return textWithoutNUL(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = valueWithoutNUL(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, x := range v {
			out[textWithoutNUL(name)] = valueWithoutNUL(x)
		}
		return out
	}
	return v
}

func textWithoutNUL(s string) string { return strings.ReplaceAll(s, "\x00", "\ufffd") }
