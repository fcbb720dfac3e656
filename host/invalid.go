package host

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A token that is not valid any more is found out by a few requests; each one
// more brings the address nearer to being banned. Discord does that for 10,000
// invalid requests in ten minutes, from all plugins and all nodes behind it.
const (
	maxUnauthorized     = 5 // answers 401 in a row
	unauthorizedRest    = time.Minute
	maxUnauthorizedRest = 10 * time.Minute
	maxInvalid          = 1000 // answers 401, 403 or 429 in invalidPeriod
	invalidPeriod       = 10 * time.Minute
	probeTime           = 30 * time.Second // how long a request that tries again keeps the others back
)

// invalidRequests counts what servers answered with 401, 403 and 429, by plugin
// and host, and says when no more may be sent. It is safe for concurrent use.
type invalidRequests struct {
	mu    sync.Mutex
	hosts map[bucketKey]invalidCount
}

// invalidCount is what a host has refused to a plugin.
type invalidCount struct {
	unauthorized int           // answers 401 in a row
	rest         time.Duration // how long it was left alone the last time
	until        time.Time     // no request before; zero: none is held back

	count int // invalid answers until ends
	ends  time.Time
}

func newInvalidRequests() *invalidRequests {
	return &invalidRequests{hosts: map[bucketKey]invalidCount{}}
}

// hold tells whether a request must not be sent: with the status that stands for
// the answer, 401 or 429, and for how long. 0 lets it through. After a rest one
// request is let through to try; the others wait for what becomes of it.
func (r *invalidRequests) hold(plugin string, u *url.URL, now time.Time) (status int, left time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := hostKey(plugin, u)
	c, known := r.hosts[key]
	switch {
	case !known:
		return 0, 0
	case now.Before(c.until):
		return http.StatusUnauthorized, c.until.Sub(now)
	case c.count >= maxInvalid && now.Before(c.ends):
		return http.StatusTooManyRequests, c.ends.Sub(now)
	case !c.until.IsZero():
		c.until = now.Add(probeTime)
		r.hosts[key] = c
	}
	return 0, 0
}

// learn counts an answer. One that is neither a refusal nor a failure of the
// server shows that the token is good.
func (r *invalidRequests) learn(plugin string, u *url.URL, resp *http.Response, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := hostKey(plugin, u)
	c, known := r.hosts[key]
	invalid := isInvalid(resp)
	if !known && !invalid {
		return
	}
	if invalid {
		if !now.Before(c.ends) {
			c.count, c.ends = 0, now.Add(invalidPeriod)
		}
		c.count++
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		c.unauthorized++
		if c.unauthorized >= maxUnauthorized {
			c.rest = min(max(2*c.rest, unauthorizedRest), maxUnauthorizedRest)
			c.until = now.Add(c.rest)
		}
	case resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < http.StatusInternalServerError:
		c.unauthorized, c.rest, c.until = 0, 0, time.Time{}
	}
	remember(r.hosts, key, c, func(c invalidCount) bool { return c.unauthorized == 0 && !now.Before(c.ends) })
}

// isInvalid tells whether an answer counts as Discord counts: a limit that is
// shared with others is not this client's doing.
func isInvalid(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusTooManyRequests:
		return !strings.EqualFold(resp.Header.Get("X-Ratelimit-Scope"), "shared")
	}
	return false
}
