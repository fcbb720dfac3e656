package host

import (
	"net/netip"
	"net/url"
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
