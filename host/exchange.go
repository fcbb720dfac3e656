package host

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// exchange sends a request, follows redirects and reads the answer. Every hop is
// held against the grants, the rate limits and the run's budget.
func (w *web) exchange(ctx context.Context, o *outgoing) (wire.HTTPResponse, []byte, error) {
	bounded, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	for hop := 0; ; hop++ {
		if !w.policy.allows(o.method, o.url) {
			return wire.HTTPResponse{}, nil, w.notGranted(o, hop)
		}
		now := w.egress.cfg.Clock.Now()
		if status, left := w.hold(o, now); left > 0 {
			got, body := w.held(o, status, left)
			return got, body, nil
		}
		if err := w.spend(len(o.body)); err != nil {
			return wire.HTTPResponse{}, nil, err
		}
		resp, err := w.send(bounded, o)
		if err != nil {
			return wire.HTTPResponse{}, nil, w.failed(ctx, o, err)
		}
		again, err := o.redirect(resp)
		if again && hop == maxRedirects {
			err = refusal("more than %d redirects", maxRedirects)
		}
		if again || err != nil {
			discard(resp)
		}
		if err != nil {
			return wire.HTTPResponse{}, nil, err
		}
		if !again {
			return w.read(ctx, o, resp)
		}
	}
}

func (w *web) send(ctx context.Context, o *outgoing) (*http.Response, error) {
	req, err := o.request(ctx)
	if err != nil {
		return nil, err
	}
	clock := w.egress.cfg.Clock
	start := clock.Now()
	resp, err := w.egress.transport(w.policy.private).RoundTrip(req)
	end := clock.Now()
	host := w.secrets.mask(o.url.Host)
	if err != nil {
		w.watched.ObserveRequest(w.plugin, 0, int64(len(o.body)), 0)
		w.logger.Debug("http request failed", "method", o.method, "host", host, "took", end.Sub(start), "error", w.secrets.mask(err.Error()))
		return nil, err
	}
	w.logger.Debug("http request", "method", o.method, "host", host, "status", resp.StatusCode, "took", end.Sub(start))
	w.egress.buckets.learn(w.plugin, o.method, o.url, resp, end)
	w.egress.invalid.learn(w.plugin, o.url, resp, end)
	sent := int64(len(o.body))
	resp.Body = &metered{ReadCloser: resp.Body, web: w, report: func(read int64) { w.watched.ObserveRequest(w.plugin, resp.StatusCode, sent, read) }}
	return resp, nil
}

// read reads the body and renders the answer without secrets.
func (w *web) read(ctx context.Context, o *outgoing, resp *http.Response) (wire.HTTPResponse, []byte, error) {
	defer func() { _ = resp.Body.Close() }() // it was only read
	body, err := readBody(resp, w.limits.HTTPResponseBytes)
	if errors.Is(err, errBodyTooLarge) {
		return wire.HTTPResponse{}, nil, overEgress("the body of an HTTP response has more than %s (limit httpResponseBytes)", w.limits.HTTPResponseBytes)
	}
	if errors.Is(err, errBytesSpent) {
		return wire.HTTPResponse{}, nil, w.overBytes()
	}
	if err != nil {
		return wire.HTTPResponse{}, nil, w.failed(ctx, o, err)
	}
	got := wire.HTTPResponse{Status: resp.StatusCode, URL: w.secrets.mask(o.url.String()), Headers: map[string][]string{}}
	for name, values := range resp.Header {
		for _, value := range values {
			got.Headers[name] = append(got.Headers[name], w.secrets.mask(value))
		}
	}
	if got.Status == http.StatusTooManyRequests || got.Status == http.StatusServiceUnavailable {
		got.RetryAfterMS = milliseconds(wish(resp, w.egress.cfg.Clock.Now()))
	}
	if len(w.policy.secrets) > 0 {
		body = []byte(w.secrets.mask(string(body)))
	}
	return got, body, nil
}

// hold tells whether a request must not be sent yet, because the server asked for
// patience or has refused too many: with the status that is answered instead.
func (w *web) hold(o *outgoing, now time.Time) (status int, left time.Duration) {
	if left := w.egress.buckets.wait(w.plugin, o.method, o.url, now); left > 0 {
		return http.StatusTooManyRequests, left
	}
	return w.egress.invalid.hold(w.plugin, o.url, now)
}

// held answers a request that is not sent.
func (w *web) held(o *outgoing, status int, left time.Duration) (wire.HTTPResponse, []byte) {
	got := wire.HTTPResponse{Status: status, URL: w.secrets.mask(o.url.String())}
	if status == http.StatusUnauthorized {
		got.Headers = map[string][]string{"X-Scheduler-Unauthorized": {"true"}, "Content-Type": {"application/json"}}
		return got, []byte(unauthorizedBody)
	}
	got.RetryAfterMS = milliseconds(left)
	got.Headers = map[string][]string{"Retry-After": {strconv.FormatInt((got.RetryAfterMS+999)/1000, 10)}, "X-Scheduler-Rate-Limited": {"true"}}
	return got, nil
}

// unauthorizedBody has the form in which many servers say what is wrong.
const unauthorizedBody = `{"message": "not sent: this server has answered 401 several times in a row; check the token"}`

// milliseconds rounds up: who comes a fraction too early is refused again.
func milliseconds(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

func (w *web) notGranted(o *outgoing, hop int) error {
	asked := o.method + " " + address(o.url)
	how := "the operator can add a pattern that covers it to the plugin's grants.http in plugins.yaml"
	if hop > 0 {
		return deniedf("a redirect leads to %s, which is not granted; %s", asked, how)
	}
	return deniedf("%s is not granted; %s", asked, how)
}

// failed says why there is no answer, without the address and without secrets.
func (w *web) failed(ctx context.Context, o *outgoing, err error) error {
	host := o.url.Host
	if e, ok := errors.AsType[*deniedError](err); ok {
		return deniedf("%s: %s", host, e.text)
	}
	if ctx.Err() != nil {
		return errRunOver
	}
	text := err.Error()
	if e, ok := errors.AsType[*net.OpError](err); ok {
		text = e.Err.Error()
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		text = "no answer in time"
	} else if e, ok := errors.AsType[*net.DNSError](err); ok {
		text = "its name cannot be looked up: " + e.Err
	}
	return wireError(wire.Retryable, "%s", clip(host+": "+text, maxFailureText))
}

var errBodyTooLarge = errors.New("body too large")

// readBody reads a body of at most limit bytes, decompressed. The bound holds
// on both sides of the decompression, since little can become much and much
// nothing. The error is errBodyTooLarge or that of reading.
func readBody(resp *http.Response, limit Size) ([]byte, error) {
	if resp.ContentLength > int64(limit) {
		return nil, errBodyTooLarge
	}
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return readAtMost(resp.Body, limit)
	}
	packed, err := readAtMost(resp.Body, limit)
	if err != nil || len(packed) == 0 {
		return nil, err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	return readAtMost(unpacked, limit)
}

func readAtMost(r io.Reader, limit Size) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && Size(len(body)) > limit {
		return nil, errBodyTooLarge
	}
	return body, err
}

// discard lets the connection be used again, if the rest is short.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // what breaks here is not used again
	_ = resp.Body.Close()
}
