package host

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const maxURL = 8 << 10 // bytes

var (
	hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$`)

	// ambiguousSegment finds what one server reads as a part of a name and another
	// one as a separator or as the way up: a slash that was encoded, an encoding
	// below the encoding, and dots with a parameter.
	ambiguousSegment = regexp.MustCompile(`(?i)[/\\\x00-\x1f\x7f]|%(2e|2f|5c|25)|^\.{1,2};`)
)

// parseTarget reads the address of a request and brings it into the one form
// that is both held against the grants and sent. Its errors quote nothing: a
// secret may have been filled in.
func parseTarget(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, refusal("the URL is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, refusal("the URL cannot be read; write scheme://host/path")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" {
		return nil, refusal("the URL is neither http:// nor https://")
	}
	if u.User != nil {
		return nil, refusal("the URL has a user or a password in it; send them in the header Authorization")
	}
	host, ok := canonicalHost(u.Hostname())
	port, portOK := canonicalPort(u)
	if !ok || !portOK {
		return nil, refusal("the URL has no proper host and port; write an international name in its ASCII form")
	}
	if u.Host = hostPort(host, port, u.Scheme); !cleanPath(u) {
		return nil, refusal("the path of the URL has an encoded slash or something else that servers read differently")
	}
	u.RawQuery = strings.ReplaceAll(u.RawQuery, " ", "%20")
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// canonicalHost renders a name or an address in one way.
func canonicalHost(host string) (string, bool) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String(), addr.Zone() == ""
	}
	host = strings.ToLower(host)
	return host, len(host) <= 253 && hostName.MatchString(host)
}

// canonicalPort returns the port in decimal, that of the scheme when there is
// none.
func canonicalPort(u *url.URL) (string, bool) {
	switch {
	case u.Port() != "":
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		return strconv.FormatUint(n, 10), err == nil && n > 0
	case u.Scheme == "https":
		return "443", true
	}
	return "80", u.Scheme == "http"
}

func hostPort(host, port, scheme string) string {
	if standard, _ := canonicalPort(&url.URL{Scheme: scheme}); port != standard {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// cleanPath resolves "." and "..", encoded or not, and empty segments. It fails
// on a path that could mean two things.
func cleanPath(u *url.URL) bool {
	var kept []string
	trailing := true
	for _, part := range strings.Split(u.EscapedPath(), "/") {
		segment, err := url.PathUnescape(part)
		if err != nil || ambiguousSegment.MatchString(segment) {
			return false
		}
		trailing = segment == "" || segment == "." || segment == ".."
		switch {
		case segment == ".." && len(kept) > 0:
			kept = kept[:len(kept)-1]
		case !trailing:
			kept = append(kept, part)
		}
	}
	escaped := "/" + strings.Join(kept, "/")
	if trailing && len(kept) > 0 {
		escaped += "/"
	}
	path, err := url.PathUnescape(escaped)
	u.Path, u.RawPath = path, escaped
	return err == nil
}

// address renders where a request goes, without the query, for messages.
func address(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
