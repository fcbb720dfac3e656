// Package redact keeps secrets out of the log. It is the last fence, not the
// first: whoever logs should not hand secrets over to begin with.
package redact

import (
	"fmt"
	"regexp"
	"strings"
)

// Mask stands where a secret was.
const Mask = "***"

// secretKeys are the ends of names whose values are never shown, in lower case
// and without separators: token covers access_token and accessToken.
var secretKeys = []string{"authorization", "token", "secret", "password", "webhookurl", "dsn", "cookie", "apikey"}

var (
	// userinfo is what stands before the @ of an address. It is taken up to the
	// last one: a password that was not encoded may hold a slash or an @ itself.
	userinfo = regexp.MustCompile(`://[^\s"'<>]*@`)
	// assignment is a secret in a query string or a connection string.
	assignment = regexp.MustCompile(`(?i)((?:token|secret|password|api_?key)=)[^\s"'&;,]+`)
	// header is a line of an HTTP request.
	header = regexp.MustCompile(`(?i)((?:authorization|cookie):\s*)[^\r\n]+`)
)

// Secret reports whether a key's value must not be shown.
func Secret(key string) bool {
	key = strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(key))
	key = strings.TrimSuffix(key, "s")
	for _, end := range secretKeys {
		if strings.HasSuffix(key, end) {
			return true
		}
	}
	return false
}

// Text masks the secrets that can be told in a text.
func Text(s string) string {
	if strings.Contains(s, "://") {
		s = userinfo.ReplaceAllString(s, "://"+Mask+"@")
	}
	s = assignment.ReplaceAllString(s, "${1}"+Mask)
	return header.ReplaceAllString(s, "${1}"+Mask)
}

// Value masks the secrets in a value, below the keys of maps too. A value
// without any is returned as it is.
func Value(v any) any {
	switch v := v.(type) {
	case nil, bool, int, int64, float64:
		return v
	case string:
		return Text(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			out[key] = pair(key, x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = Value(x)
		}
		return out
	case map[string][]string: // HTTP headers
		out := make(map[string]any, len(v))
		for key, x := range v {
			out[key] = pair(key, x)
		}
		return out
	}
	return other(v)
}

// other looks at how a value of any type is going to be shown.
func other(v any) any {
	shown := fmt.Sprint(v)
	if masked := Text(shown); masked != shown {
		return masked
	}
	return v
}

// pair masks a value by its key and by what it is.
func pair(key string, v any) any {
	if Secret(key) && v != nil && v != "" {
		return Mask
	}
	return Value(v)
}

// args masks the alternating keys and values of a log line. The slice that is
// given is not changed.
func args(given []any) []any {
	out := make([]any, len(given))
	for i := range given {
		switch key, ok := given[max(i-1, 0)].(string); {
		case i%2 == 0 && i+1 < len(given):
			out[i] = given[i]
		case i%2 == 1 && ok:
			out[i] = pair(key, given[i])
		default:
			out[i] = Value(given[i])
		}
	}
	return out
}
