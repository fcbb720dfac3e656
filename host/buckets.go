package host

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxBuckets   = 4096
	maxRateBlock = time.Hour // a server that wants more patience is asked again after this
)

// buckets remembers which servers asked for patience, so that they are left
// alone: by plugin, host and, where the server names it, bucket of its rate
// limits. What it forgets costs one more refused request. It is safe for
// concurrent use.
type buckets struct {
	mu    sync.Mutex
	names map[bucketKey]string    // by route: the bucket that the server counts it in
	until map[bucketKey]time.Time // by host or bucket: no request before
}

// bucketKey is the digest of what makes a route, a bucket or a host.
type bucketKey [sha256.Size]byte

func newBuckets() *buckets {
	return &buckets{names: map[bucketKey]string{}, until: map[bucketKey]time.Time{}}
}

// wait returns how long a request must not be sent yet.
func (b *buckets) wait(plugin, method string, u *url.URL, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.until[hostKey(plugin, u)].Sub(now)
	if name, ok := b.names[routeKey(plugin, method, u)]; ok {
		left = max(left, b.until[namedKey(plugin, u, name)].Sub(now))
	}
	return max(left, 0)
}

// learn reads the rate limit from an answer.
func (b *buckets) learn(plugin, method string, u *url.URL, resp *http.Response, now time.Time) {
	name, key := resp.Header.Get("X-Ratelimit-Bucket"), hostKey(plugin, u)
	global := strings.EqualFold(resp.Header.Get("X-Ratelimit-Global"), "true")
	b.mu.Lock()
	defer b.mu.Unlock()
	if name != "" {
		remember(b.names, routeKey(plugin, method, u), name, func(string) bool { return false })
		if !global {
			key = namedKey(plugin, u, name)
		}
	}
	if d := min(patience(resp, now), maxRateBlock); d > 0 {
		remember(b.until, key, now.Add(d), func(t time.Time) bool { return !t.After(now) })
	}
}

// patience returns how long the server wants to be left alone after this answer.
func patience(resp *http.Response, now time.Time) time.Duration {
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return wish(resp, now)
	case resp.Header.Get("X-Ratelimit-Remaining") == "0":
		if d := seconds(resp.Header.Get("X-Ratelimit-Reset-After")); d > 0 {
			return d
		}
		return untilEpoch(resp.Header.Get("X-Ratelimit-Reset"), now)
	}
	return 0
}

// wish returns how long a server that refused a request wants it not to be
// repeated, 0 when it does not say. A relative time is better than a date: the
// clocks need not agree.
func wish(resp *http.Response, now time.Time) time.Duration {
	d := retryAfter(resp.Header.Get("Retry-After"), now)
	if !strings.EqualFold(resp.Header.Get("X-Ratelimit-Global"), "true") { // then the rest is about a bucket that is not the reason
		d = max(d, seconds(resp.Header.Get("X-Ratelimit-Reset-After")))
	}
	for _, name := range []string{"Ratelimit-Reset", "X-Ratelimit-Reset"} {
		if d == 0 {
			d = untilEpoch(resp.Header.Get(name), now)
		}
	}
	return d
}

func seconds(value string) time.Duration { return retryAfter(value, time.Time{}) }

// untilEpoch reads an instant in seconds since 1970.
func untilEpoch(value string, now time.Time) time.Duration {
	at, err := strconv.ParseFloat(value, 64)
	if err != nil || !(at > 0 && at < 1<<40) {
		return 0
	}
	return min(max(time.UnixMilli(int64(at*1000)).Sub(now), 0), maxRetryAfter)
}

// remember keeps a value. A full map loses what is over, or else anything.
func remember[V any](m map[bucketKey]V, key bucketKey, value V, over func(V) bool) {
	if _, ok := m[key]; !ok && len(m) >= maxBuckets {
		for k, v := range m {
			if over(v) {
				delete(m, k)
			}
		}
		for k := range m {
			if len(m) < maxBuckets {
				break
			}
			delete(m, k)
		}
	}
	m[key] = value
}

func hostKey(plugin string, u *url.URL) bucketKey { return keyOf("host", plugin, u.Host) }

// namedKey is a bucket's. A server counts one bucket for each channel, guild or
// webhook apart: the first id in the path.
func namedKey(plugin string, u *url.URL, name string) bucketKey {
	_, major := route(u.Path)
	return keyOf("bucket", plugin, u.Host, name, major)
}

func routeKey(plugin, method string, u *url.URL) bucketKey {
	path, _ := route(u.Path)
	return keyOf("route", plugin, method, u.Host, path)
}

// route renders a path without the ids in it, and returns the first one.
func route(path string) (shape, major string) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if segment == "" || strings.Trim(segment, "0123456789") != "" {
			continue
		}
		if major == "" {
			major = segment
		}
		segments[i] = "0"
	}
	return strings.Join(segments, "/"), major
}

func keyOf(parts ...string) bucketKey { return sha256.Sum256([]byte(strings.Join(parts, "\x00"))) }
