package host

import (
	"net/netip"
	"net/url"
	"time"
)

// GrantMatches tells whether a pattern of grants.http covers a request. The
// errors are those of the pattern and of the address. sent is the address as it
// would be sent.
func GrantMatches(pattern, method, address string) (matches bool, sent *url.URL, patternErr, addressErr error) {
	g, patternErr := parseHTTPGrant(pattern)
	sent, addressErr = parseTarget(address)
	if patternErr != nil || addressErr != nil {
		return false, sent, patternErr, addressErr
	}
	return g.matches(method, sent), sent, nil, nil
}

// MayDial tells whether an address may be connected to.
func MayDial(addr netip.Addr, granted ...netip.Prefix) bool { return mayDial(addr, granted) }

// MaxBuckets bounds what is remembered of rate limits.
const MaxBuckets = maxBuckets

// MaxInvalid is how many invalid answers a host may give in ten minutes.
const MaxInvalid = maxInvalid

// Buckets counts what h remembers of rate limits.
func (h *Host) Buckets() int {
	b := h.egress.buckets
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(len(b.names), len(b.until))
}

// Tries returns the waits between the first n tries of a list that cannot be used.
func Tries(n int) []time.Duration {
	var a again
	waits := make([]time.Duration, n)
	for i := range waits {
		now := time.Unix(0, 0)
		a.after(sighting{1}, now)
		waits[i] = a.at.Sub(now)
		if a.due(sighting{1}, a.at.Add(-1)) || !a.due(sighting{1}, a.at) || !a.due(sighting{2}, now) {
			waits[i] = -1
		}
	}
	return waits
}
