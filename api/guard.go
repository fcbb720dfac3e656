package api

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// guard refuses what a web page could make a browser on this machine send.
// Nobody has to say who they are yet, so being able to reach the API is all it
// takes, and a browser can: from a page of another origin, or under a name of
// the attacker's that leads to this machine (DNS rebinding).
func (s *Server) guard(c *fiber.Ctx) error {
	host := c.Get(fiber.HeaderHost)
	if isLocal(s.host) && !isLocal(hostName(host)) && host != "" { // browsers never leave it out
		return core.Errorf(core.CodeForbidden, "this API answers on this machine only, to the names localhost and 127.0.0.1, and not to %.80q", host)
	}
	if origin := c.Get(fiber.HeaderOrigin); origin != "" && !sameHost(origin, host) {
		return core.Errorf(core.CodeForbidden, "requests of web pages from another origin (%.80q) are refused", origin)
	}
	return c.Next()
}

// isLocal reports whether a host is one that only this machine reaches.
func isLocal(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// hostName is a Host header without its port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// sameHost reports whether an Origin header names the host that the request is
// for, with its port. The origin null is nobody's.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// knownMethods makes Fiber answer methods that it does not know like one that no
// route has, which is METHOD_NOT_ALLOWED or NOT_FOUND: by itself it answers them
// without the routes, the error handler and the request's id. X is the context
// of the HTTP server below Fiber.
func knownMethods[X any](next func(X), acquire func(X) *fiber.Ctx, release func(*fiber.Ctx)) func(X) {
	return func(x X) {
		c := acquire(x)
		if !slices.Contains(fiber.DefaultMethods, c.Method()) {
			c.Request().Header.SetMethod(fiber.MethodTrace)
		}
		release(c)
		next(x)
	}
}
