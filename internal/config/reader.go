package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader reads variables and gathers what is wrong with them.
type reader struct {
	getenv   func(string) string
	problems []error
}

func (r *reader) bad(name, problem string) {
	r.problems = append(r.problems, fmt.Errorf("%s: %s", name, problem))
}

// told reports whether something was wrong with NAME or NAME_FILE.
func (r *reader) told(name string) bool {
	return slices.ContainsFunc(r.problems, func(err error) bool { return strings.HasPrefix(err.Error(), name) })
}

func (r *reader) text(name, fallback string) string {
	if v := strings.TrimSpace(r.getenv(name)); v != "" {
		return v
	}
	return fallback
}

// secret reads NAME, or the file that NAME_FILE names.
func (r *reader) secret(name string) Secret {
	path := r.getenv(name + "_FILE")
	if path == "" {
		return Secret(strings.TrimSpace(r.getenv(name)))
	}
	if r.getenv(name) != "" {
		r.bad(name, "is set together with "+name+"_FILE; set one")
		return ""
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator says which files are read
	if err != nil {
		r.bad(name+"_FILE", "cannot be read: "+err.Error())
	}
	return Secret(strings.TrimSpace(string(raw)))
}

func (r *reader) number(name string, fallback, low, high int) int {
	v := r.text(name, strconv.Itoa(fallback))
	n, err := strconv.Atoi(v)
	switch {
	case err != nil:
		r.bad(name, fmt.Sprintf("%q is not a whole number", v))
	case n < low || n > high:
		r.bad(name, fmt.Sprintf("%d is out of %d–%d", n, low, high))
	}
	return n
}

// millis reads a duration in milliseconds, the unit of all variables.
func (r *reader) millis(name string, fallback, low int) time.Duration {
	const tenYears = 10 * 366 * 24 * 3600 * 1000
	return time.Duration(r.number(name, fallback, low, tenYears)) * time.Millisecond
}

func (r *reader) choice(name, fallback string, allowed ...string) string {
	v := strings.ToLower(r.text(name, fallback))
	if !slices.Contains(allowed, v) {
		r.bad(name, fmt.Sprintf("%q is not one of %s", v, strings.Join(allowed, ", ")))
	}
	return v
}

var nameShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

func (r *reader) name(name, fallback string) string {
	v := r.text(name, fallback)
	if !nameShape.MatchString(v) {
		r.bad(name, fmt.Sprintf("%q is not up to 100 letters, digits and _ . -", v))
	}
	return v
}

func (r *reader) host(name, fallback string) string {
	v := r.text(name, fallback)
	if net.ParseIP(v) == nil && !nameShape.MatchString(v) {
		r.bad(name, fmt.Sprintf("%q is neither an IP address nor a host name", v))
	}
	return v
}

// address is url for one that is kept as it is, with its password.
func (r *reader) address(name string, schemes ...string) Secret {
	if r.url(name, schemes...) == nil {
		return ""
	}
	return r.secret(name)
}

// url reads an absolute URL of one of the schemes; nil when it is not set. The
// value is not repeated in the problem: it may hold a password.
func (r *reader) url(name string, schemes ...string) *url.URL {
	v := r.secret(name).Reveal()
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		r.bad(name, "is not a URL such as "+schemes[0]+"://host:port")
		return nil
	}
	return u
}
