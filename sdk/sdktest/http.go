package sdktest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

var placeholder = regexp.MustCompile(`\{\{secret:([^{}]*)\}\}`)

// Answers makes a Case.HTTP that answers the first request with the first of the
// list, and so on. A request beyond the list fails. A status that is not set is
// 200.
func Answers(list ...sdk.HTTPResponse) func(sdk.HTTPRequest) (sdk.HTTPResponse, error) {
	return func(req sdk.HTTPRequest) (sdk.HTTPResponse, error) {
		if len(list) == 0 {
			return sdk.HTTPResponse{}, sdk.Permanent(fmt.Errorf("sdktest: no answer is left for %s %s", req.Method, req.URL))
		}
		next := list[0]
		list = list[1:]
		return next, nil
	}
}

// respond performs an operation whose answer may have a payload.
func (h *fakeHost) respond(op string, in []byte) (any, []byte, error) {
	if op == wire.OpHTTP {
		return h.http(in)
	}
	value, err := h.perform(op, in)
	return value, nil, err
}

func (h *fakeHost) http(in []byte) (any, []byte, error) {
	if err := h.denied(wire.OpHTTP); err != nil {
		return nil, nil, err
	}
	var asked wire.HTTPRequest
	body, err := wire.Decode(in, &asked)
	if err != nil {
		return nil, nil, err
	}
	req := sdk.HTTPRequest{
		Method: asked.Method, URL: asked.URL, Body: body, Timeout: time.Duration(asked.TimeoutMS) * time.Millisecond,
		NoRedirects: asked.Redirects != nil && !*asked.Redirects, Headers: map[string]string{},
	}
	if req.Method == "" {
		req.Method = "GET"
	}
	texts := []string{req.URL}
	for name, values := range asked.Headers {
		req.Headers[name] = strings.Join(values, ", ")
		texts = append(texts, values...)
	}
	h.requests = append(h.requests, req)
	if err := h.placeholders(texts); err != nil {
		return nil, nil, err
	}
	if h.answer == nil {
		return nil, nil, &wire.Error{Kind: wire.Permanent, Message: "sdktest: set Case.HTTP to answer requests"}
	}
	resp, err := h.answer(req)
	if err != nil {
		return nil, nil, err
	}
	return completed(resp, req), resp.Body, nil
}

func completed(resp sdk.HTTPResponse, req sdk.HTTPRequest) wire.HTTPResponse {
	got := wire.HTTPResponse{Status: resp.Status, URL: resp.URL, Headers: resp.Headers, RetryAfterMS: resp.RetryAfterMS}
	if got.Status == 0 {
		got.Status = 200
	}
	if got.URL == "" {
		got.URL = req.URL
	}
	if got.Headers == nil {
		got.Headers = map[string][]string{}
	}
	return got
}

// placeholders refuses secrets that the case does not have.
func (h *fakeHost) placeholders(texts []string) error {
	for _, text := range texts {
		for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
			if err := h.hasSecret(match[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *fakeHost) secret(in []byte) (any, error) {
	var asked wire.SecretName
	if _, err := wire.Decode(in, &asked); err != nil {
		return nil, err
	}
	if err := h.hasSecret(asked.Name); err != nil {
		return nil, err
	}
	return "{{secret:" + asked.Name + "}}", nil
}

func (h *fakeHost) hasSecret(name string) error {
	if err := h.denied(wire.OpSecret); err != nil {
		return err
	}
	if !slices.Contains(h.secrets, name) {
		return &wire.Error{Kind: wire.Denied, Message: fmt.Sprintf("secret %q is not granted; add it to Case.Secrets", name)}
	}
	return nil
}
