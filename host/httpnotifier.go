package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const maxNotifierAnswer = 64 << 10 // bytes read of the service's answer, which says nothing but its status

// HTTPNotifierConfig is what an HTTPNotifier is made of.
type HTTPNotifierConfig struct {
	// URL is the base address of the notification service. Credentials in it are
	// sent as basic authentication and shown nowhere.
	URL string

	// Timeout bounds one delivery. Defaults to 10 seconds.
	Timeout time.Duration
}

// HTTPNotifier delivers notifications to the notification service:
//
//	POST <URL>/notifications
//	Idempotency-Key: <executionId>:<sequence>, or the id of an alert
//
// 2xx is delivered. 429 and 503 are retryable after their Retry-After, other
// 5xx, 408 and network errors are retryable, everything else is permanent.
// Redirects are not followed and proxies not used.
type HTTPNotifier struct {
	endpoint string
	client   *http.Client
	now      func() time.Time
}

// NewHTTPNotifier makes an HTTPNotifier. It fails when the URL is not an
// absolute http or https address.
func NewHTTPNotifier(cfg HTTPNotifierConfig) (*HTTPNotifier, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("notification service: the address is not an absolute http or https URL")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	return &HTTPNotifier{
		endpoint: base.JoinPath("notifications").String(),
		client: &http.Client{
			Timeout:       cfg.Timeout,
			Transport:     &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now: core.SystemClock{}.Now,
	}, nil
}

// Notify implements Notifier. Its errors are *wire.Error, fit to be shown.
func (h *HTTPNotifier) Notify(ctx context.Context, n Notification) error {
	body, err := json.Marshal(newNotificationBody(n))
	if err != nil {
		return fmt.Errorf("render notification: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Idempotency-Key", n.IdempotencyKey)
	resp, err := h.client.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()                                 // it was only read
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxNotifierAnswer)) // so that the connection can be used again
	return h.refusal(resp)
}

// Close ends the connections that are kept open.
func (h *HTTPNotifier) Close() { h.client.CloseIdleConnections() }

// notificationBody is the JSON that the notification service gets.
type notificationBody struct {
	Event       string     `json:"event,omitempty"`
	ExecutionID string     `json:"executionId"`
	TaskID      string     `json:"taskId"`
	TaskName    string     `json:"taskName"`
	TaskType    string     `json:"taskType"`
	NominalTime *time.Time `json:"nominalTime"`
	ChannelID   string     `json:"channelId"`
	Message     string     `json:"message"`
	Via         []string   `json:"via"`
}

func newNotificationBody(n Notification) notificationBody {
	b := notificationBody{
		Event:       n.Event,
		ExecutionID: n.ExecutionID, TaskID: n.TaskID, TaskName: n.TaskName, TaskType: n.TaskType,
		ChannelID: n.ChannelID, Message: n.Message, Via: n.Via,
	}
	if b.Via == nil {
		b.Via = []string{}
	}
	if !n.NominalTime.IsZero() {
		at := n.NominalTime.UTC()
		b.NominalTime = &at
	}
	return b
}

// refusal says what an answer that is no success means.
func (h *HTTPNotifier) refusal(resp *http.Response) error {
	code := resp.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	e := &wire.Error{Kind: wire.Permanent, Message: "the notification service answered " + strconv.Itoa(code) + " " + http.StatusText(code)}
	if code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
		e.Kind = wire.Retryable
	}
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		e.RetryAfterMS = retryAfter(resp.Header.Get("Retry-After"), h.now()).Milliseconds()
	}
	return e
}

// retryAfter reads the header: seconds or a date. 0 when it says nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if seconds <= 0 || seconds != seconds {
			return 0
		}
		return time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// unreachable says what went wrong on the way, without the URL, which may have
// credentials in it.
func unreachable(err error) error {
	e := &wire.Error{Kind: wire.Retryable, Message: "the notification service cannot be reached"}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		e.Message = "the notification service did not answer in time"
	} else if cause, ok := errors.AsType[*net.OpError](err); ok {
		e.Message += ": " + cause.Error()
	}
	return e
}

var _ Notifier = (*HTTPNotifier)(nil)
