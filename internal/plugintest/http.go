package plugintest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// client sends each request once: one that is sent again, because a connection
// that was open already breaks, would count twice.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// HTTP makes a request as the host would, for sdktest.Case.HTTP: secrets are
// filled in, a connection that breaks is an error that can be tried again.
func (w *World) HTTP(asked sdk.HTTPRequest) (sdk.HTTPResponse, error) {
	w.shown.Store(new(w.At))
	method := asked.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequest(method, w.fill(asked.URL), bytes.NewReader(asked.Body)) //nolint:noctx // it ends with the world
	if err != nil {
		return sdk.HTTPResponse{}, sdk.Permanent(err)
	}
	for name, value := range asked.Headers {
		req.Header.Set(name, w.fill(value))
	}
	resp, err := client.Do(req)
	if err != nil {
		return sdk.HTTPResponse{}, errors.New("the server could not be reached")
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return sdk.HTTPResponse{}, errors.New("the answer broke off")
	}
	out := sdk.HTTPResponse{Status: resp.StatusCode, URL: asked.URL, Headers: resp.Header, Body: body}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		out.RetryAfterMS = w.patience(resp.Header).Milliseconds()
	}
	return out, nil
}

// patience is how long the server wants to be left alone.
func (w *World) patience(h http.Header) time.Duration {
	if after, err := time.ParseDuration(h.Get("Retry-After") + "s"); err == nil {
		return after
	}
	if at, err := strconv.ParseInt(h.Get("Ratelimit-Reset"), 10, 64); err == nil {
		return time.Unix(at, 0).Sub(w.At)
	}
	return 0
}

// fill puts the secrets in.
func (w *World) fill(text string) string {
	for name, secret := range w.Secrets {
		text = strings.ReplaceAll(text, "{{secret:"+name+"}}", secret)
	}
	return text
}
