package sdk

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// errorExcerpt is how many bytes of an answer's body an error quotes.
const errorExcerpt = 200

// HTTPRequest is a request that the host makes for the plugin. In the URL and in
// the values of Headers {{secret:name}} stands for a secret; the host fills it
// in, and no plugin sees it.
type HTTPRequest struct {
	Method  string            // defaults to GET
	URL     string            // http or https
	Headers map[string]string // by name, in any case
	Body    []byte

	// Timeout bounds the request with its redirects. The host has a bound of its
	// own, and none is later than the run's deadline. 0 leaves it to the host.
	Timeout time.Duration

	// NoRedirects makes a redirect the answer, instead of following it.
	NoRedirects bool
}

// HTTPResponse is the answer to an HTTPRequest, whatever its status.
type HTTPResponse struct {
	Status  int                 // such as 200
	URL     string              // where it came from, after redirects
	Headers map[string][]string // by name as net/http writes it, such as Content-Type
	Body    []byte              // decompressed

	// RetryAfterMS is what RetryAfter returns, in milliseconds.
	RetryAfterMS int64
}

// HTTP makes a request through the host. It needs CapabilityHTTP, and the
// operator's grant for the method and the address.
//
// An answer of any status is no error; see HTTPResponse.Err. The error of a
// request that was not answered says whether another attempt makes sense, and
// can be returned as it is. More requests, or larger bodies, than the plugin's
// limits allow end the run.
//
// To POST, PUT, PATCH and DELETE the host adds an Idempotency-Key that is the
// same when a later attempt makes the same request again, counted in the order
// of calls, unless Headers has one. A server that asked for patience (429) is
// not asked before that time: the host answers 429 itself.
func (c *Context) HTTP(req HTTPRequest) (HTTPResponse, error) {
	asked := wire.HTTPRequest{Method: req.Method, URL: req.URL, TimeoutMS: req.Timeout.Milliseconds()}
	if req.NoRedirects {
		asked.Redirects = new(false)
	}
	if len(req.Headers) > 0 {
		asked.Headers = make(map[string][]string, len(req.Headers))
	}
	for name, value := range req.Headers {
		asked.Headers[name] = []string{value}
	}
	value, body, err := c.exchange(wire.OpHTTP, asked, req.Body)
	if err != nil {
		return HTTPResponse{}, fmt.Errorf("http: %w", err)
	}
	var got wire.HTTPResponse
	if err := json.Unmarshal(value, &got); err != nil {
		return HTTPResponse{}, fmt.Errorf("http: read the host's answer: %w", err)
	}
	return HTTPResponse{Status: got.Status, URL: got.URL, Headers: got.Headers, Body: body, RetryAfterMS: got.RetryAfterMS}, nil
}

// GetJSON asks for url and reads the answer, JSON, into out, a pointer, or
// nowhere when out is nil. Members that out does not know are ignored. An answer
// that is no success is an error, as HTTPResponse.Err has it. It needs
// CapabilityHTTP.
func (c *Context) GetJSON(url string, headers map[string]string, out any) error {
	resp, err := c.HTTP(HTTPRequest{URL: url, Headers: with(headers, "Accept")})
	if err != nil {
		return err
	}
	return resp.read(out)
}

// PostJSON sends in, rendered as JSON, to url, and reads the answer as GetJSON
// does.
func (c *Context) PostJSON(url string, headers map[string]string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return Permanent(fmt.Errorf("http: render the body: %w", err))
	}
	resp, err := c.HTTP(HTTPRequest{Method: "POST", URL: url, Headers: with(headers, "Accept", "Content-Type"), Body: body})
	if err != nil {
		return err
	}
	return resp.read(out)
}

// Secret returns the placeholder of a secret, {{secret:name}}, for the URL or a
// header of an HTTPRequest. It needs CapabilitySecrets. The error says that the
// secret is not granted or not set. Who need not know that in advance can write
// the placeholder as it is.
func (c *Context) Secret(name string) (string, error) {
	value, err := c.Call(wire.OpSecret, wire.SecretName{Name: name})
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	var placeholder string
	if err := json.Unmarshal(value, &placeholder); err != nil {
		return "", fmt.Errorf("secret: read the host's answer: %w", err)
	}
	return placeholder, nil
}

// Header returns the first value of a header, its name in any case, or "".
func (r HTTPResponse) Header(name string) string {
	for known, values := range r.Headers {
		if strings.EqualFold(known, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// RetryAfter returns how long the server of a 429 or 503 wants to be left alone,
// 0 when it did not say.
func (r HTTPResponse) RetryAfter() time.Duration {
	return time.Duration(r.RetryAfterMS) * time.Millisecond
}

// Err returns nil for a status of 200 to 299, and otherwise an error that a
// handler can return as it is: 408, 429 and those from 500 on can be tried
// again, after a 429 when RetryAfter has passed, and all others are permanent. It
// quotes the beginning of the body. Of a 503 it names no time, though the server
// may have: behind a gateway the request may have been carried out, and who names
// a time says that it was not.
func (r HTTPResponse) Err() error {
	if r.Status >= 200 && r.Status < 300 {
		return nil
	}
	err := fmt.Errorf("http: the server answered %d", r.Status)
	if len(r.Body) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.ToValidUTF8(string(r.Body[:min(len(r.Body), errorExcerpt)]), ""))
	}
	switch {
	case r.Status == 429:
		return RetryAfter(r.RetryAfter(), err)
	case r.Status == 408, r.Status >= 500:
		return err
	}
	return Permanent(err)
}

func (r HTTPResponse) read(out any) error {
	if err := r.Err(); err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(r.Body, out); err != nil {
		return fmt.Errorf("http: read the server's answer: %w", err)
	}
	return nil
}

// with adds headers that say JSON to those that are given, unless they are there.
func with(headers map[string]string, names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		out[name] = wire.ContentJSON
	}
	for given, value := range headers {
		maps.DeleteFunc(out, func(name, _ string) bool { return strings.EqualFold(name, given) })
		out[given] = value
	}
	return out
}
