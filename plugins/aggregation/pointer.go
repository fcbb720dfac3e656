package main

import (
	"strconv"
	"strings"
)

// lookup finds what a JSON Pointer (RFC 6901) leads to. What is not there is nil,
// as null is.
func lookup(doc any, pointer string) any {
	for pointer != "" {
		var token string
		token, pointer = cutToken(pointer)
		switch v := doc.(type) {
		case map[string]any:
			doc = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) || strconv.Itoa(i) != token {
				return nil
			}
			doc = v[i]
		default:
			return nil
		}
	}
	return doc
}

// cutToken takes the first token off a pointer.
func cutToken(pointer string) (token, rest string) {
	token = strings.TrimPrefix(pointer, "/")
	if i := strings.IndexByte(token, '/'); i >= 0 {
		token, rest = token[:i], token[i:]
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~"), rest
}
