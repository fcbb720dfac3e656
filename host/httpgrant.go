package host

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// httpMethods are the methods a plugin can use at all.
var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

var errHTTPGrant = errors.New("is no pattern; write [METHOD,…] scheme://host[:port]/path, for example " +
	"POST https://discord.com/api/**, where a host may begin with *. , a segment of the path may be * and its end /**")

// httpGrant is one pattern of grants.http.
type httpGrant struct {
	methods []string // none: all
	scheme  string
	host    string // "*" for any
	below   bool   // any subdomain of host, instead of host
	port    string
	path    []string // segments; "*" is any one
	rest    bool     // and anything below
}

// parseHTTPGrant reads a pattern such as
//
//	https://discord.com/api/**
//	GET,POST https://*.example.com:8443/v1/*/items
//
// A missing port is the scheme's own. In the path * is one segment, and ** at
// the end whatever follows, also nothing. A host of *.example.com is every name
// below example.com, and * is every host.
func parseHTTPGrant(text string) (httpGrant, error) {
	var g httpGrant
	words := strings.Fields(text)
	if len(words) == 2 {
		g.methods = strings.Split(words[0], ",")
		words = words[1:]
	}
	if len(words) != 1 || slices.ContainsFunc(g.methods, func(m string) bool { return !slices.Contains(httpMethods, m) }) {
		return g, errHTTPGrant
	}
	u, err := url.Parse(words[0])
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(words[0], "#") || !strings.HasPrefix(u.Path, "/") {
		return g, errHTTPGrant
	}
	host := u.Hostname()
	if base, ok := strings.CutPrefix(host, "*."); ok {
		host, g.below = base, true
	}
	ok := true
	if g.scheme = u.Scheme; host != "*" {
		host, ok = canonicalHost(host)
	}
	g.host = host
	port, portOK := canonicalPort(u)
	g.port = port
	if _, err := netip.ParseAddr(host); !ok || !portOK || g.below && err == nil {
		return g, errHTTPGrant
	}
	return g, g.readPath(u)
}

func (g *httpGrant) readPath(u *url.URL) error {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, part := range parts {
		last := i == len(parts)-1
		if part == "**" && last {
			g.rest = true
			return nil
		}
		segment, err := url.PathUnescape(part)
		wrong := segment == "" && !last || segment == "." || segment == ".." || ambiguousSegment.MatchString(segment)
		if err != nil || wrong || strings.Contains(part, "*") && part != "*" {
			return errHTTPGrant
		}
		g.path = append(g.path, segment)
	}
	return nil
}

// matches tells whether the pattern covers a request. The address comes from
// parseTarget.
func (g httpGrant) matches(method string, u *url.URL) bool {
	port, _ := canonicalPort(u)
	return g.scheme == u.Scheme && g.port == port && g.matchesHost(u.Hostname()) && g.matchesPath(u.Path) &&
		(len(g.methods) == 0 || slices.Contains(g.methods, method))
}

func (g httpGrant) matchesHost(host string) bool {
	if g.below {
		sub, ok := strings.CutSuffix(host, "."+g.host)
		return ok && sub != ""
	}
	return g.host == "*" || g.host == host
}

func (g httpGrant) matchesPath(path string) bool {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(segments) < len(g.path) || !g.rest && len(segments) > len(g.path) {
		return false
	}
	for i, want := range g.path {
		if want != segments[i] && (want != "*" || segments[i] == "") {
			return false
		}
	}
	return true
}
