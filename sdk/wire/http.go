package wire

// HTTPRequest is the argument of OpHTTP. The payload of its frame is the body.
// {{secret:name}} in the URL and in values of headers stands for a secret, which
// the host fills in.
type HTTPRequest struct {
	Method    string              `json:"method,omitempty"` // none stands for GET
	URL       string              `json:"url"`
	Headers   map[string][]string `json:"headers,omitempty"`
	TimeoutMS int64               `json:"timeoutMs,omitempty"` // for the whole request, milliseconds; none leaves it to the host
	Redirects *bool               `json:"redirects,omitempty"` // false: a redirect is the answer; otherwise it is followed
}

// HTTPResponse is the answer of OpHTTP. The payload of the reply's frame is the
// body, decompressed. Secrets in all of it are masked.
type HTTPResponse struct {
	Status       int                 `json:"status"`
	URL          string              `json:"url"` // where the answer came from, after redirects
	Headers      map[string][]string `json:"headers"`
	RetryAfterMS int64               `json:"retryAfterMs,omitempty"` // after 429 and 503: how long to wait, milliseconds, when the server said so
}

// SecretName is the argument of OpSecret.
type SecretName struct {
	Name string `json:"name"`
}
