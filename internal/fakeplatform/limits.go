package fakeplatform

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"
)

// limits counts requests in windows. The caller synchronizes.
type limits struct {
	windows map[string]window // by bucket
}

// window is a number of requests until a time.
type window struct {
	used int
	ends time.Time
}

const maxWindows = 10_000

func newLimits() *limits { return &limits{windows: map[string]window{}} }

// take counts a request in a bucket. It returns how many are left, -1 for one too
// many, and when the window ends.
func (l *limits) take(bucket string, limit int, per time.Duration, now time.Time) (left int, ends time.Time) {
	w := l.windows[bucket]
	if !now.Before(w.ends) {
		if len(l.windows) >= maxWindows {
			clear(l.windows) // a fake may be generous
		}
		w = window{ends: now.Add(per)}
	}
	if w.used >= limit {
		return -1, w.ends
	}
	w.used++
	l.windows[bucket] = w
	return limit - w.used, w.ends
}

// injected is the 429 of a fault, in the platform's words.
func (*limits) injected(r *request, f Fault) answer {
	after := time.Duration(f.RetryAfterMS) * time.Millisecond
	if r.entry.Platform == "twitch" {
		a := twitchError(http.StatusTooManyRequests, "Too Many Requests")
		a.header = twitchLimit(800, 0, r.now.Add(after))
		return a
	}
	if r.entry.Platform == "discord" {
		return tooMany(after, f.Scope)
	}
	a := plainError(http.StatusTooManyRequests, "slow down")
	a.header = http.Header{"Retry-After": {seconds(after)}}
	return a
}

// tooMany is Discord's 429.
func tooMany(after time.Duration, scope string) answer {
	a := answer{status: http.StatusTooManyRequests, header: http.Header{}, body: map[string]any{
		"message": "You are being rate limited.", "retry_after": after.Seconds(), "global": scope == "global",
	}}
	a.header.Set("Retry-After", seconds(after))
	a.header.Set("X-RateLimit-Scope", scope)
	if scope == "global" {
		a.header.Set("X-RateLimit-Global", "true")
	} else {
		a.header.Set("X-RateLimit-Remaining", "0")
		a.header.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", after.Seconds()))
	}
	return a
}

// seconds rounds up, as Retry-After has whole seconds.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// discordLimit is how often a bot may use a route. The real numbers are not
// documented and change; these are what people commonly see.
func discordLimit(route string) (limit int, per time.Duration) {
	switch route {
	case "discord.create_message", "discord.edit_message", "discord.execute_webhook":
		return 5, 5 * time.Second
	case "discord.modify_channel":
		return 2, 10 * time.Minute
	case "discord.bulk_delete":
		return 1, time.Second
	}
	return 10, 5 * time.Second
}

// bucketName is the opaque name of a route's bucket.
func bucketName(route string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(route)) // never fails
	return strconv.FormatUint(h.Sum64(), 16)
}

// admitDiscord checks what every request needs, and takes one from the bucket of
// the route and its major id.
func (p *Platform) admitDiscord(r *request, major string) answer {
	if agent := r.UserAgent(); len(agent) < 12 || agent[:12] != "DiscordBot (" {
		return answer{status: http.StatusForbidden, body: map[string]any{
			"message": "error code: 1010: the User-Agent must have the form DiscordBot (url, version)", "code": 40333,
		}}
	}
	if token := r.Header.Get("Authorization"); r.PathValue("token") == "" && (len(token) < 5 || token[:4] != "Bot ") {
		return discordError(http.StatusUnauthorized, 0, "401: Unauthorized")
	}
	if left, ends := p.limits.take("discord", 50, time.Second, r.now); left < 0 {
		return tooMany(ends.Sub(r.now), "global")
	}
	limit, per := discordLimit(r.route.name)
	left, ends := p.limits.take(r.route.name+" "+major, limit, per, r.now)
	header := http.Header{}
	header.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(max(left, 0)))
	header.Set("X-RateLimit-Reset", fmt.Sprintf("%.3f", float64(ends.UnixMilli())/1000))
	header.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", ends.Sub(r.now).Seconds()))
	header.Set("X-RateLimit-Bucket", bucketName(r.route.name))
	if left < 0 {
		return with(tooMany(ends.Sub(r.now), "user"), header)
	}
	return answer{header: header}
}

// admitTwitch is the same for Twitch: 800 points a minute.
func (p *Platform) admitTwitch(r *request, _ string) answer {
	bearer := r.Header.Get("Authorization")
	switch {
	case len(bearer) < 8 || bearer[:7] != "Bearer ":
		return twitchError(http.StatusUnauthorized, "OAuth token is missing")
	case r.Header.Get("Client-Id") == "":
		return twitchError(http.StatusUnauthorized, "Client ID is missing")
	}
	const limit = 800
	left, ends := p.limits.take("twitch", limit, time.Minute, r.now)
	header := twitchLimit(limit, max(left, 0), ends)
	if left < 0 {
		return with(twitchError(http.StatusTooManyRequests, "Too Many Requests"), header)
	}
	return answer{header: header}
}

func twitchLimit(limit, left int, ends time.Time) http.Header {
	header := http.Header{}
	header.Set("Ratelimit-Limit", strconv.Itoa(limit))
	header.Set("Ratelimit-Remaining", strconv.Itoa(left))
	header.Set("Ratelimit-Reset", strconv.FormatInt(ends.Add(time.Second-1).Unix(), 10))
	return header
}
