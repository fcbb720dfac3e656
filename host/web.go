package host

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// web is what one run can do on the network. It is safe for concurrent use.
type web struct {
	egress  *egress
	plugin  string // task type
	policy  egressPolicy
	limits  Limits
	secrets *secrets
	logger  hclog.Logger
	watched Observer
	left    atomic.Int64 // requests that may still be sent
	bytes   atomic.Int64 // of bodies that may still be sent and read
}

func (h *Host) newWeb(s *slot, taskType string, logger hclog.Logger) *web {
	policy, limits := s.entry.egress, s.entry.limits
	w := &web{
		egress: h.egress, plugin: taskType, policy: policy, limits: limits, logger: logger, watched: h.cfg.Observer,
		secrets: &secrets{granted: policy.secrets, environ: h.cfg.Environ},
	}
	w.left.Store(int64(limits.HTTPRequests))
	w.bytes.Store(int64(limits.HTTPBytes))
	return w
}

// spend takes one request with its body from the run's budget.
func (w *web) spend(body int) error {
	if w.left.Add(-1) < 0 {
		return overEgress("more than %d HTTP requests (limit httpRequests)", w.limits.HTTPRequests)
	}
	if w.bytes.Add(-int64(body)) < 0 {
		return w.overBytes()
	}
	return nil
}

func (w *web) overBytes() error {
	return overEgress("more than %s in the bodies of HTTP requests and responses (limit httpBytes)", w.limits.HTTPBytes)
}

// metered is the body of an answer. It takes what is read of it from the run's
// budget, and no more than is left, and is reported when it is closed.
type metered struct {
	io.ReadCloser
	web    *web
	read   int64
	report func(read int64)
}

var errBytesSpent = errors.New("no bytes left")

// Read implements io.Reader. It ends with errBytesSpent.
func (m *metered) Read(p []byte) (int, error) {
	left := m.web.bytes.Load()
	if left < 0 {
		return 0, errBytesSpent
	}
	n, err := m.ReadCloser.Read(p[:min(int64(len(p)), left+1)]) // the one beyond shows that there is more
	m.read += int64(n)
	if m.web.bytes.Add(-int64(n)) < 0 {
		return 0, errBytesSpent
	}
	return n, err
}

// Close implements io.Closer. It is called once.
func (m *metered) Close() error {
	m.report(m.read)
	return m.ReadCloser.Close()
}

// answer performs an operation whose answer may have a payload.
func (c *call) answer(ctx context.Context, op string, in []byte) (value json.RawMessage, payload []byte, err error) {
	if op != wire.OpHTTP || !c.grants.allows(capabilityHTTP) {
		value, err = c.perform(ctx, op, in)
		return value, nil, err
	}
	value, payload, err = c.http(ctx, in)
	return value, payload, c.passOn(err)
}

func (c *call) http(ctx context.Context, in []byte) (json.RawMessage, []byte, error) {
	var asked wire.HTTPRequest
	body, err := wire.Decode(in, &asked)
	if err != nil {
		return nil, nil, malformed(err)
	}
	if Size(len(body)) > c.web.limits.HTTPRequestBytes {
		return nil, nil, overEgress("an HTTP request of %d bytes, at most %s are allowed (limit httpRequestBytes)", len(body), c.web.limits.HTTPRequestBytes)
	}
	o, err := c.web.outgoing(asked, body, c.nextKey)
	if err != nil {
		return nil, nil, err
	}
	got, content, err := c.web.exchange(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	value, err := json.Marshal(got)
	return value, content, err
}

func (c *call) secret(in []byte) (json.RawMessage, error) {
	var asked wire.SecretName
	if _, err := wire.Decode(in, &asked); err != nil {
		return nil, malformed(err)
	}
	placeholder, err := c.web.secrets.placeholder(asked.Name)
	if err != nil {
		return nil, c.passOn(err)
	}
	return json.Marshal(placeholder)
}

// passOn hands an error on, without secrets, and notes it when it is a refusal.
func (c *call) passOn(err error) error {
	if e, ok := errors.AsType[*deniedError](err); ok {
		return c.refuse(clip(c.web.secrets.mask(e.text), maxFailureText))
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		masked := *e
		masked.Message = c.web.secrets.mask(e.Message)
		return &masked
	}
	return err
}

// endsRun tells whether an operation's error is the end of the run, whatever the
// plugin makes of it.
func endsRun(err error) bool {
	_, ok := errors.AsType[*core.Failure](err)
	return ok || errors.Is(err, errRunOver)
}

func overEgress(format string, args ...any) error {
	return &core.Failure{Code: core.CodePluginEgressLimit, Class: core.ClassRetryable, Message: wireError("", format, args...).Message}
}

// timeout is how long a request may take with all its redirects.
func (w *web) timeout(asked int64) time.Duration {
	if asked <= 0 {
		return w.egress.cfg.Timeout
	}
	return min(time.Duration(min(asked, maxRequestTimeout.Milliseconds()))*time.Millisecond, maxRequestTimeout)
}
